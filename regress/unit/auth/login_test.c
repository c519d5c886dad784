/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/counted.h"
#include "regress/unit/still_clock.h"

#include "auth/verify.h"
#include "regress/unit/auth/parts.h"

/* A reply is judged by what is known, or waits for what the registry knows. */

static struct auth_worker worker_3;
static struct imsgbuf worker;    /* the other end of its channel */
static enum verify_result begun; /* what verify_begin() says */
static const uint8_t good[PROTO_KEY_LEN] = { 1 }, wrong[PROTO_KEY_LEN];
static struct keystore_key known; /* key NULL: none */
static int absent;                /* boolean: "not found" is remembered */
static int may_force, forced, unforced;
static int no_room; /* boolean: nobody may wait any more */
static int down;    /* boolean: the registry is */
static int waiting, refreshed, used, pumped;
static struct lookup_login waits; /* the last that waits */
static uint32_t ready;            /* so many times it does not any more */
static enum lookup_outcome outcome;

enum verify_result
verify_begin(struct challenge *c, const struct msg_verify *msg, uint64_t now,
    uint8_t nonce[PROTO_NONCE_LEN])
{
	memset(nonce, 'n', PROTO_NONCE_LEN);
	return (begun);
}

enum verify_result
verify_reply(const struct msg_verify *msg, const uint8_t *nonce,
    const uint8_t *key, int legacy)
{
	if (key == NULL)
		return (legacy == (auth.settings.legacy_signatures != 0)
			    ? VERIFY_NO_KEY
			    : VERIFY_OK);
	if (key != good || nonce[0] != 'n')
		return (VERIFY_WRONG_SIG);
	return (legacy ? VERIFY_OK_LEGACY : VERIFY_OK);
}

int
keystore_find(
    struct keystore *ks, uint32_t node, uint32_t now, struct keystore_key *out)
{
	if (now != clock_seconds())
		abort();
	*out = known;
	return (known.key != NULL);
}

int
keystore_absent(const struct keystore *ks, uint32_t node, uint64_t ns)
{
	return (absent);
}

int
keystore_force(struct keystore *ks, uint32_t node, uint64_t ns)
{
	forced++;
	return (may_force);
}

void
keystore_unforce(struct keystore *ks, uint32_t node)
{
	unforced++;
}

void
keystore_use(struct keystore *ks, uint32_t node)
{
	used++;
}

uint64_t
keycache_id(const uint8_t key[PROTO_KEY_LEN])
{
	return (key[0]);
}

int
lookup_wait(struct lookups *l, const struct lookup_login *login, uint64_t now)
{
	if (no_room)
		return (-1);
	waiting++;
	waits = *login;
	return (0);
}

int
lookup_refresh(struct lookups *l, uint32_t node)
{
	refreshed++;
	return (no_room ? -1 : 0);
}

int
lookup_ready(
    struct lookups *l, struct lookup_login *login, enum lookup_outcome *how)
{
	if (ready == 0)
		return (0);
	l->nready = --ready;
	*login = waits;
	*how = outcome;
	return (1);
}

void
registry_pump(struct registry *r, struct lookups *l)
{
	pumped++;
}

int
registry_up(const struct registry *r)
{
	return (!down);
}

static void
no_time(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

/* What became of it: 'a'dmitted, 'r'efused, 'l'ater, 'w'aits, '?'. */
static char
became(void)
{
	struct msg_refused refused;
	struct msg_admit admit;
	struct imsg imsg;
	char what;

	if (parts_told(AP_ADMIT, &admit, sizeof(admit)) == 1)
		return (admit.worker == 3 && admit.epoch == 9 &&
				admit.slot == 4 && admit.serial == 5 &&
				admit.node == 7 && admit.pad == 0 &&
				admit.keyid == 1
			    ? 'a'
			    : '?');
	(void)channel_flush(&worker_3.channel);
	if (imsgbuf_get(&worker, &imsg) != 1 &&
	    (imsgbuf_read(&worker) != 1 || imsgbuf_get(&worker, &imsg) != 1))
		return ('w');
	what = '?';
	if (imsg_get_type(&imsg) == AW_REFUSED && imsg.peerid == 0 &&
	    imsg_get_data(&imsg, &refused, sizeof(refused)) == 0 &&
	    refused.slot == 4 && refused.serial == 5)
		what = refused.reason == REFUSED_UNANSWERED ? 'l' : 'r';
	imsg_free(&imsg);
	return (what);
}

static char
replies(uint32_t node)
{
	struct msg_verify msg;

	memset(&msg, 0, sizeof(msg));
	msg.slot = 4;
	msg.serial = 5;
	msg.node = node;
	forced = unforced = waiting = refreshed = used = pumped = 0;
	if (login_verify(&worker_3, &msg) != 0)
		return ('!');
	return (became());
}

static char
resumes(enum lookup_outcome how)
{
	ready = 1;
	outcome = how;
	return (login_work(&auth) == 0 ? became() : '!');
}

static void
knows(const uint8_t *key, enum keystore_source source, int old)
{
	memset(&known, 0, sizeof(known));
	known.key = key;
	known.source = source;
	known.old = old;
}

static void
test_by_the_key_file(void)
{
	uint64_t legacy, ok, sig;

	ok = COUNTED(VERIFY_OK);
	sig = COUNTED(VERIFY_SIGNATURE);
	legacy = COUNTED(VERIFY_LEGACY);
	knows(good, KEYSTORE_FILE, 0);
	CHECK(replies(7) == 'a' && used == 0);
	knows(wrong, KEYSTORE_FILE, 0);
	CHECK(replies(7) == 'r' && forced == 0);
	known.previous = good;
	CHECK(replies(7) == 'a');
	auth.settings.legacy_signatures = 1;
	CHECK(replies(7) == 'a');
	auth.settings.legacy_signatures = 0;
	still_pass(0.9999); /* it is the same second */
	CHECK(replies(7) == 'a');
	still_pass(0.0001);
	CHECK(COUNTED(VERIFY_OK) == ok + 4);
	CHECK(COUNTED(VERIFY_LEGACY) == legacy + 1);
	CHECK(COUNTED(VERIFY_SIGNATURE) == sig + 1);
}

/* Whatever the node, it is refused before a key is looked for. */
static void
test_a_nonce_that_is_none(void)
{
	uint64_t age, nonces;

	nonces = COUNTED(VERIFY_NONCE);
	age = COUNTED(VERIFY_AGE);
	knows(good, KEYSTORE_FILE, 0);
	begun = VERIFY_NO_NONCE;
	CHECK(replies(7) == 'r' && COUNTED(VERIFY_NONCE) == nonces + 1);
	begun = VERIFY_BAD_TIME;
	CHECK(replies(7) == 'r' && COUNTED(VERIFY_AGE) == age + 1);
	begun = VERIFY_OK;
}

static void
test_nobody_knows_it(void)
{
	knows(NULL, KEYSTORE_FILE, 0);
	auth.store.asks = 0;
	CHECK(replies(7) == 'r' && waiting == 0);
	auth.store.asks = 1;
	absent = 1;
	CHECK(replies(7) == 'r' && waiting == 0);
	absent = 0;
	CHECK(replies(0) == 'r' && waiting == 0); /* no node is 0 */
	absent = 1;
	auth.settings.legacy_signatures = 1;
	CHECK(replies(7) == 'r');
	auth.settings.legacy_signatures = 0;
	worker_3.channel.open = 0;
	CHECK(replies(7) == '!');
	worker_3.channel.open = 1;
	absent = 0;
}

static void
test_the_registry_is_asked(void)
{
	uint64_t unanswered;

	unanswered = COUNTED(VERIFY_UNANSWERED);
	knows(NULL, KEYSTORE_FILE, 0);
	CHECK(replies(7) == 'w' && waiting == 1 && pumped == 1);
	CHECK(ev_is_active(&auth.pulse));
	knows(good, KEYSTORE_REGISTRY, 0);
	CHECK(resumes(LOOKUP_ANSWERED) == 'a');
	knows(NULL, KEYSTORE_FILE, 0);
	CHECK(resumes(LOOKUP_ANSWERED) == 'r');
	CHECK(resumes(LOOKUP_UNANSWERED) == 'l' && unforced == 1);
	/* Even with a key: it was asked for since that one was not right. */
	knows(good, KEYSTORE_REGISTRY, 0);
	CHECK(resumes(LOOKUP_UNANSWERED) == 'l');
	no_room = 1;
	knows(NULL, KEYSTORE_FILE, 0);
	CHECK(replies(7) == 'l');
	no_room = 0;
	CHECK(COUNTED(VERIFY_UNANSWERED) == unanswered + 3);
}

/* Its answer would go to somebody else's session. */
static void
test_its_worker_is_gone_meanwhile(void)
{
	knows(NULL, KEYSTORE_FILE, 0);
	CHECK(replies(7) == 'w');
	knows(good, KEYSTORE_REGISTRY, 0);
	worker_3.epoch++;
	CHECK(resumes(LOOKUP_ANSWERED) == 'w');
	worker_3.epoch--;
	auth.workers[3] = NULL;
	CHECK(resumes(LOOKUP_ANSWERED) == 'w');
	auth.workers[3] = &worker_3;
	CHECK(resumes(LOOKUP_ANSWERED) == 'a');
}

/* A key that was learned may have changed: once in a while that is asked. */
static void
test_a_learned_key_that_does_not_fit(void)
{
	knows(wrong, KEYSTORE_REGISTRY, 0);
	may_force = 1;
	(void)counted_all();
	CHECK(replies(7) == 'w' && waiting == 1 && forced == 1);
	CHECK(counted(COUNTER_LOOKUP_FORCED));
	may_force = 0;
	CHECK(replies(7) == 'r' && waiting == 0 && forced == 1 && used == 0);
}

/* There was no room to ask: that does not count as asked. */
static void
test_a_learned_key_that_does_not_fit_and_no_room(void)
{
	knows(wrong, KEYSTORE_REGISTRY, 0);
	may_force = no_room = 1;
	CHECK(replies(7) == 'l' && waiting == 0 && forced == 1);
	CHECK(unforced == 1);
	may_force = no_room = 0;
}

static void
test_a_learned_key_that_is_old_is_good_and_refreshed(void)
{
	uint64_t hit, stale;

	hit = COUNTED(KEYS_HIT);
	stale = COUNTED(KEYS_STALE);
	knows(good, KEYSTORE_SNAPSHOT, 0);
	CHECK(replies(7) == 'a' && used == 1 && refreshed == 0);
	knows(good, KEYSTORE_CACHE, 1);
	CHECK(replies(7) == 'a' && used == 1 && refreshed == 1);
	CHECK(COUNTED(KEYS_HIT) == hit + 2 && COUNTED(KEYS_STALE) == stale + 1);
	CHECK(pumped == 1);
	no_room = 1;
	CHECK(replies(7) == 'a' && refreshed == 1 && pumped == 0);
	no_room = 0;
	down = 1;
	CHECK(replies(7) == 'a' && refreshed == 0 && pumped == 0);
	down = 0;
}

/* A turn's share of those that have waited. */
static void
test_those_that_have_waited_take_turns(void)
{
	int i;

	knows(NULL, KEYSTORE_FILE, 0);
	CHECK(replies(7) == 'w');
	knows(good, KEYSTORE_REGISTRY, 0);
	outcome = LOOKUP_ANSWERED;
	ready = AUTH_TURN + 1;
	CHECK(login_work(&auth) == 1 && ready == 1);
	ready = AUTH_TURN;
	CHECK(login_work(&auth) == 0 && ready == 0);
	for (i = 0; i < 2 * AUTH_TURN; i++)
		CHECK(became() == 'a');
	CHECK(became() == 'w');
}

int
main(void)
{
	static const struct channel_rule no_rules[1];
	int pair[2];

	parts_loop();
	turn_init_timers(&auth, no_time, no_time);
	if (channel_pair(pair) == -1 ||
	    channel_open(&worker_3.channel, auth.loop, pair[0], "worker",
		no_rules, 0, parts_ended, &auth) == -1 ||
	    imsgbuf_init(&worker, pair[1]) == -1)
		return (1);
	worker_3.auth = &auth;
	worker_3.number = 3;
	worker_3.epoch = 9;
	auth.workers[3] = &worker_3;
	RUN(test_by_the_key_file);
	RUN(test_a_nonce_that_is_none);
	RUN(test_nobody_knows_it);
	RUN(test_the_registry_is_asked);
	RUN(test_its_worker_is_gone_meanwhile);
	RUN(test_a_learned_key_that_does_not_fit);
	RUN(test_a_learned_key_that_does_not_fit_and_no_room);
	RUN(test_a_learned_key_that_is_old_is_good_and_refreshed);
	RUN(test_those_that_have_waited_take_turns);
	return (test_failed());
}
