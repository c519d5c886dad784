/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/fake_registry.h"
#include "regress/unit/still_clock.h"

/* Logins whose keys the registry has, with time that the test lets pass. */
#define NODE 7777U

static uint32_t at; /* of the nonces at hand */

/* Nonces get old. */
static void
pass(double seconds)
{
	still_pass(seconds);
	at = PROTO_NONCES_MAX;
}

/*
 * New nonces, in a flood: the refusals that come before them are counted in
 * its place.
 */
static uint32_t nrefused, nlater;

/* Counts the message that came, if it is an AW_REFUSED. */
static void
count_refused(void)
{
	struct msg_refused msg;

	if (imsg_get_type(&imsg) != AW_REFUSED)
		return;
	memcpy(&msg, imsg.data, sizeof(msg));
	if (msg.reason == REFUSED_UNANSWERED)
		nlater++;
	else
		nrefused++;
}

static int
nonces_in_a_flood(void)
{
	struct msg_nonces_wanted wanted;

	wanted.count = PROTO_NONCES_MAX;
	if (!put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)))
		return (0);
	while (next(&worker) == 1 && imsg_get_type(&imsg) != AW_NONCES)
		count_refused();
	if (imsg_get_type(&imsg) != AW_NONCES)
		return (0);
	memcpy(&first_nonce, imsg.data, sizeof(first_nonce));
	memcpy(nonce, imsg.data + sizeof(struct msg_nonces), sizeof(nonce));
	at = 0;
	return (1);
}

/* The next reply; slots count on, so that each answer can be told. */
static int
reply(uint32_t node, const uint8_t *secret)
{
	if (at == PROTO_NONCES_MAX) {
		if (!want_nonces(PROTO_NONCES_MAX))
			return (0);
		at = 0;
	}
	return (put_verify(at++, node, 0, secret));
}

static int
in(uint32_t node, const uint8_t *key)
{
	struct msg_admit msg;

	return (get(&parent, AP_ADMIT, &msg, sizeof(msg)) && msg.node == node &&
		msg.keyid == keycache_id(key));
}

static int
told_refused(void)
{
	struct msg_refused msg;

	return (get(&worker, AW_REFUSED, &msg, sizeof(msg)) &&
		msg.reason != REFUSED_UNANSWERED);
}

/* It could not be said. */
static int
told_later(void)
{
	struct msg_refused msg;

	return (get(&worker, AW_REFUSED, &msg, sizeof(msg)) &&
		msg.reason == REFUSED_UNANSWERED);
}

static uint64_t
counted(enum counter counter)
{
	return (counters_read(counters, counter));
}

/* Nobody is told anything, for more than a pulse. */
static int
quiet(void)
{
	return (next_within(&parent, 30) == 0 && next_within(&worker, 5) == 0);
}

static void
start(void)
{
	CHECK(fake_start());
	at = PROTO_NONCES_MAX;
	pass(2);
}

/* A probe and nothing else until it is answered. */
static void
probe_first(void)
{
	CHECK(reply(NODE, sk));
	CHECK(fake_dial(1));
	CHECK(fake_lookups() == 0 && fake_probes == 1);
	CHECK(fake_type(0x81, "", 0));
	CHECK(fake_lookups() == 1 && fake_asked[0] == NODE);
	CHECK(fake_found(NODE, pk, PROTO_KEY_LEN));
	CHECK(in(NODE, pk));
	/* It is known from now on. */
	CHECK(reply(NODE, sk));
	CHECK(in(NODE, pk));
	CHECK(fake_lookups() == 0);
	CHECK(counted(COUNTER_KEYS_HIT) == 1);
	CHECK(counted(COUNTER_LOOKUP_FOUND) == 1);
}

static void
thousand_waiters_one_request(void)
{
	uint32_t i, n;

	for (i = n = 0; i < 1000; i++) {
		CHECK(reply(100, sk));
		if (i % 50 == 0)
			n += fake_lookups();
	}
	CHECK(n + fake_lookups() == 1);
	CHECK(auth.lookups.nwaiting == 1000);
	CHECK(fake_found(100, pk, PROTO_KEY_LEN));
	for (i = 0; i < 1000; i++)
		CHECK(in(100, pk));
	CHECK(quiet());
}

/* While many wait, and are judged, the parent's pings are answered. */
static void
unknown_and_wrong(void)
{
	CHECK(reply(101, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_gone(101));
	CHECK(told_refused());
	/* For two seconds nothing is asked again. */
	pass(1.9);
	CHECK(reply(101, sk));
	CHECK(told_refused());
	CHECK(fake_lookups() == 0);
	pass(0.2);
	CHECK(reply(101, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(101, pk2, PROTO_KEY_LEN));
	/* It has registered since: not with this key. */
	CHECK(told_refused());
	CHECK(reply(101, sk2));
	CHECK(in(101, pk2));
	CHECK(quiet());
}

/* No answer is not "not found", and neither is an error. */
static void
no_answer_is_not_cached(void)
{
	CHECK(reply(102, sk));
	CHECK(fake_lookups() == 1);
	pass(2.9);
	CHECK(quiet());
	pass(0.1);
	CHECK(told_later());
	/* The answer comes late, and is still worth something. */
	CHECK(fake_found(102, pk, PROTO_KEY_LEN));
	fake_hear();
	CHECK(reply(102, sk));
	CHECK(in(102, pk));
	CHECK(reply(103, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_error("node 103: request failed"));
	CHECK(told_later());
	/* It may have been the rate: a breath before the next. */
	CHECK(auth.registry.budget.left == 0);
	CHECK(reply(103, sk));
	CHECK(fake_lookups() == 0);
	pass(0.1);
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(103, pk, PROTO_KEY_LEN));
	CHECK(in(103, pk));
	CHECK(quiet());
	pass(2);
}

/* The new key at the first try; the old one for ten minutes more. */
static void
rotation(void)
{
	uint64_t forced;

	forced = counted(COUNTER_LOOKUP_FORCED);
	CHECK(reply(NODE, sk2));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(NODE, pk2, PROTO_KEY_LEN));
	CHECK(in(NODE, pk2));
	CHECK(reply(NODE, sk));
	CHECK(in(NODE, pk));
	pass(599);
	CHECK(reply(NODE, sk));
	CHECK(in(NODE, pk));
	CHECK(fake_lookups() == 0);
	pass(1);
	CHECK(reply(NODE, sk));
	/* It does not fit any more, so the registry is asked. */
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(NODE, pk2, PROTO_KEY_LEN));
	CHECK(told_refused());
	CHECK(counted(COUNTER_LOOKUP_FORCED) == forced + 2);
	CHECK(quiet());
	pass(31);
}

static void
wrong_signatures_in_a_loop(void)
{
	int i;

	CHECK(reply(NODE, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(NODE, pk2, PROTO_KEY_LEN));
	CHECK(told_refused());
	for (i = 0; i < 29; i++) {
		pass(1);
		CHECK(reply(NODE, sk));
		CHECK(told_refused());
	}
	CHECK(fake_lookups() == 0);
	pass(1);
	CHECK(reply(NODE, sk));
	CHECK(fake_lookups() == 1);
	/* That was not answered: it does not count as asked. */
	pass(3);
	CHECK(told_later());
	CHECK(fake_found(NODE, pk2, PROTO_KEY_LEN));
	CHECK(fake_lookups() == 0);
	CHECK(reply(NODE, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(NODE, pk2, PROTO_KEY_LEN));
	CHECK(told_refused());
	CHECK(quiet());
}

/* In use, and old: it serves at once and is asked for behind the scenes. */
static void
refresh(void)
{
	uint64_t stale;

	stale = counted(COUNTER_KEYS_STALE);
	pass(601);
	CHECK(reply(NODE, sk2));
	CHECK(in(NODE, pk2));
	CHECK(reply(NODE, sk2));
	CHECK(in(NODE, pk2));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(NODE, pk2, PROTO_KEY_LEN));
	fake_hear();
	CHECK(reply(NODE, sk2));
	CHECK(in(NODE, pk2));
	CHECK(fake_lookups() == 0);
	CHECK(counted(COUNTER_KEYS_STALE) == stale + 2);
}

/* So many strangers; what is asked is answered by "not found". */
static int
strangers(uint32_t first, uint32_t count, uint32_t *asked)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (i % PROTO_NONCES_MAX == 0 && !nonces_in_a_flood())
			return (0);
		if (!put_verify(at++, first + i, 0, sk))
			return (0);
	}
	*asked += fake_lookups();
	for (i = 0; i < fake_nasked; i++)
		if (!fake_gone(fake_asked[i]))
			return (0);
	return (1);
}

/* 10,000 unknown ids within the budget; who is known does not notice. */
static void
flood_of_strangers(void)
{
	uint32_t asked, keys, step;

	pass(10);
	keys = auth.store.learned.count;
	for (asked = step = 0; step < 40; step++) {
		CHECK(strangers(1000000 + 250 * step, 250, &asked));
		/* The burst, and 8 in each tenth of a second. */
		CHECK(asked <= 100 + 8 * step);
		if (step % 10 == 0) {
			CHECK(put_verify(at++, NODE, 0, sk2));
			CHECK(in(NODE, pk2));
		}
		pass(0.1);
	}
	CHECK(asked > 400);
	CHECK(auth.store.learned.count == keys);
	CHECK(counted(COUNTER_KEYS_EVICTED) == 0);
	pass(3);
	while (next(&worker) == 1)
		count_refused();
	CHECK(auth.lookups.nwaiting == 0 && lookup_queued(&auth.lookups) == 0);
	CHECK(nrefused > 300 && nrefused + nlater == 10000);
	/* What nobody waits for any more was not asked. */
	CHECK(auth.lookups.count[LOOKUP_SENT] == 0);
	CHECK(quiet());
}

/* The connection ended, and among that so many came in. */
static int
ended_and_in(uint32_t count)
{
	uint32_t admits, ends;

	for (admits = ends = 0; admits + ends < count + 1;) {
		if (next(&parent) != 1)
			return (0);
		admits += imsg_get_type(&imsg) == AP_ADMIT;
		ends += imsg_get_type(&imsg) == AP_REGISTRY;
	}
	(void)close(fake_fd);
	fake_fd = -1;
	fake_len = 0;
	return (ends == 1);
}

/* It closes: who waits is asked for once more, and answered once. */
static void
closed_in_mid_pipeline(void)
{
	uint32_t i;

	pass(10);
	for (i = 0; i < 50; i++)
		CHECK(reply(200 + i, sk));
	CHECK(fake_lookups() == 50);
	for (i = 0; i < 20; i++)
		CHECK(fake_found(200 + i, pk, PROTO_KEY_LEN));
	/* The next answer is cut. */
	CHECK(fake_say("\0\0\0\101\202", 5));
	CHECK(shutdown(fake_fd, SHUT_WR) == 0);
	CHECK(ended_and_in(20));
	CHECK(quiet());
	pass(1);
	CHECK(fake_connect());
	CHECK(fake_lookups() == 30);
	for (i = 0; i < 30; i++)
		CHECK(fake_asked[i] == 220 + i);
	for (i = 0; i < 10; i++)
		CHECK(fake_found(220 + i, pk, PROTO_KEY_LEN));
	CHECK(shutdown(fake_fd, SHUT_WR) == 0);
	/* And no third time. */
	CHECK(ended_and_in(10));
	for (i = 0; i < 20; i++)
		CHECK(told_later());
	CHECK(quiet());
	CHECK(auth.lookups.nwaiting == 0);
}

/* A connection that takes nothing.  Returns how much is to be read first. */
static size_t
dial_full(uint64_t address)
{
	static const uint8_t junk[4096];
	size_t sent;
	ssize_t n;
	int i, pair[2];

	if (channel_pair(pair) == -1)
		return (0);
	sent = 0;
	while ((n = send(pair[1], junk, sizeof(junk), MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	if (!fake_dialled(pair, address))
		return (0);
	for (i = 0; i < 10; i++)
		(void)ev_run(auth.loop, EVRUN_NOWAIT);
	return (sent);
}

/* What it is not asked yet it is asked as soon as there is room. */
static void
takes_nothing(void)
{
	size_t len;
	ssize_t n;

	pass(10);
	len = dial_full(1);
	CHECK(len > 0 && ev_is_active(&auth.registry.writer));
	while (len > 0) {
		n = recv(fake_fd, fake_bytes,
		    len < sizeof(fake_bytes) ? len : sizeof(fake_bytes), 0);
		CHECK(n > 0);
		len -= (size_t)n;
	}
	fake_hear();
	CHECK(fake_probes == 1 && !ev_is_active(&auth.registry.writer));
	CHECK(fake_type(0x81, "", 0));
	CHECK(shutdown(fake_fd, SHUT_WR) == 0);
	CHECK(fake_ended(REGISTRY_CLOSED, 1));
	/* Another one that goes away meanwhile. */
	CHECK(dial_full(2) > 0);
	(void)close(fake_fd);
	fake_fd = -1;
	CHECK(fake_ended(REGISTRY_FRAMING, 0));
	CHECK(!ev_is_active(&auth.registry.writer) && quiet());
}

static void
silent(void)
{
	pass(10);
	CHECK(fake_connect());
	CHECK(reply(300, sk));
	CHECK(fake_lookups() == 1);
	pass(3);
	CHECK(told_later());
	pass(2);
	CHECK(quiet());
	/* Known nodes come in all the while. */
	CHECK(reply(200, sk));
	CHECK(in(200, pk));
	pass(0.1);
	CHECK(fake_ended(REGISTRY_TIMEOUT, 1));
	CHECK(quiet());
	/* Not even the probe is answered. */
	CHECK(fake_dial(1));
	fake_hear();
	pass(5.1);
	CHECK(fake_ended(REGISTRY_TIMEOUT, 0));
	/* Without a connection there is nobody to be asked. */
	CHECK(reply(301, sk));
	CHECK(quiet());
	pass(3);
	CHECK(told_later());
}

/* What is no answer ends the connection, and is not remembered. */
static int
violation(const void *bytes, size_t len)
{
	pass(5);
	if (!fake_connect() || !reply(400, sk) || fake_lookups() != 1 ||
	    fake_asked[0] != 400 || !fake_say(bytes, len) ||
	    !fake_ended(REGISTRY_VIOLATION, 1))
		return (0);
	pass(3);
	return (told_later() && quiet());
}

static void
violations(void)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
		BAD("\0\0\0\0"),             /* nothing */
		BAD("\0\1\0\1"),             /* too long for an answer */
		BAD("\4\0\0\0\202"),         /* 64 MiB */
		BAD("\377\377\377\377\202"), /* 4 GB */
		BAD("\0\0\0\1\201"),         /* a heartbeat's */
		BAD("\0\0\0\1\102"),         /* no known type */
		BAD("\0\0\0\3\0{}"),         /* JSON that was not asked for */
		BAD("\0\0\0\3\202ab"),       /* cut */
		BAD("\0\0\0\3\377\0\5"),
	};
	uint32_t keys;
	size_t i;

	keys = auth.store.learned.count;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(violation(bad[i].bytes, bad[i].len));
	CHECK(auth.store.learned.count == keys);
	CHECK(reply(200, sk));
	CHECK(in(200, pk));
}

/* Answers of other nodes, and more of them than questions. */
static void
answers_that_were_not_asked_for(void)
{
	uint32_t keys;

	keys = auth.store.learned.count;
	pass(5);
	CHECK(fake_connect());
	CHECK(reply(400, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(401, pk, PROTO_KEY_LEN));
	CHECK(fake_ended(REGISTRY_VIOLATION, 1));
	CHECK(fake_connect());
	CHECK(fake_lookups() == 1);
	CHECK(fake_gone(200));
	CHECK(fake_ended(REGISTRY_VIOLATION, 1));
	CHECK(told_later());
	CHECK(fake_connect());
	fake_hear();
	CHECK(fake_found(401, pk, PROTO_KEY_LEN));
	CHECK(fake_ended(REGISTRY_VIOLATION, 1));
	CHECK(fake_dial(1));
	CHECK(fake_found(401, pk, PROTO_KEY_LEN));
	CHECK(fake_ended(REGISTRY_VIOLATION, 0));
	CHECK(auth.store.learned.count == keys);
	CHECK(reply(200, sk));
	CHECK(in(200, pk));
	CHECK(quiet());
}

/* A key that can't be one refuses, and takes nothing away. */
static void
keys_that_are_none(void)
{
	uint8_t key[255] = { 0 };

	pass(5);
	CHECK(fake_connect());
	CHECK(reply(402, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(402, key, 31));
	CHECK(told_refused());
	CHECK(reply(403, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(403, key, 255));
	CHECK(told_refused());
	CHECK(reply(404, sk));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(404, key, 0));
	CHECK(told_refused());
	CHECK(reply(200, sk2));
	CHECK(fake_lookups() == 1);
	CHECK(fake_found(200, key, 31));
	CHECK(told_refused());
	CHECK(reply(200, sk));
	CHECK(in(200, pk));
	CHECK(quiet());
	CHECK(fake_lookups() == 0);
}

static void
idle(void)
{
	pass(59);
	fake_probes = 0;
	fake_second();
	fake_hear();
	CHECK(fake_probes == 0);
	pass(1);
	fake_second();
	fake_hear();
	CHECK(fake_probes == 1);
	fake_second();
	fake_hear();
	CHECK(fake_probes == 1);
	CHECK(fake_type(0x81, "", 0));
	/* The status is told when it has changed, and only then. */
	statuses = 1;
	CHECK(next(&parent) == 1 && imsg_get_type(&imsg) == AP_STATUS);
	while (next(&parent) == 1)
		CHECK(imsg_get_type(&imsg) == AP_STATUS);
	fake_second();
	CHECK(next(&parent) == 1 && imsg_get_type(&imsg) == AP_STATUS);
	fake_second();
	CHECK(quiet());
	statuses = 0;
}

/* One that is older than the binary framing closes; JSON from then on. */
static void
json(void)
{
	CHECK(fake_dial(2));
	CHECK(fake_serial-- > 0);
	CHECK(fake_serial > 0);
	/* The one before was given up for it. */
	CHECK(next(&parent) == 1 && imsg_get_type(&imsg) == AP_REGISTRY);
	fake_serial++;
	CHECK(fake_ended(REGISTRY_FRAMING, 0));
	CHECK(fake_dial(2));
	fake_json = 1;
	fake_nobjects = 0;
	fake_hear();
	CHECK(fake_nobjects == 1 &&
	      strcmp(fake_objects[0], "{\"type\":\"beacon_list\"}") == 0);
	CHECK(fake_object_say("{\"type\":\"beacon_list_ok\"}"));
	CHECK(reply(500, sk));
	CHECK(fake_lookups() == 1 && fake_asked[0] == 500);
	CHECK(fake_object_say("{\"type\":\"error\","
			      "\"error\":\"node 500: node not found\"}"));
	CHECK(told_refused());
	CHECK(reply(501, sk));
	CHECK(reply(502, sk));
	CHECK(fake_lookups() == 2);
	CHECK(fake_object_say("{\"error\":\"rate limited\"}"));
	CHECK(told_later());
	CHECK(fake_object_say("{\"type\":\"lookup_ok\",\"node_id\":501,"
			      "\"public_key\":\"\"}"));
	CHECK(fake_ended(REGISTRY_VIOLATION, 1));
	/* It is remembered of this address. */
	CHECK(fake_dial(2));
	CHECK(fake_lookups() == 0);
	CHECK(fake_ended(REGISTRY_CLOSED, 0));
	CHECK(fake_dial(2));
	fake_nobjects = 0;
	fake_hear();
	CHECK(fake_nobjects == 1);
	CHECK(fake_ended(REGISTRY_CLOSED, 0));
	/* And not of another. */
	CHECK(fake_connect());
	pass(3);
	CHECK(told_later());
	CHECK(quiet());
}

/* A session in the map, as the parent writes it. */
static void
put_session(uint32_t number, uint32_t node, const uint8_t *key)
{
	struct peermap_header *header;
	uint32_t *index;

	header = (struct peermap_header *)(uintptr_t)map.header;
	header->index = PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
	index = (uint32_t *)((uint8_t *)header + PEERMAP_INDEX_OFF);
	index[peermap_hash(header, node) & PEERMAP_INDEX_MASK(header->index)] =
	    number + 1;
	session(number, node, 50 + number, key);
}

static int
revoked(uint32_t number)
{
	struct msg_closed msg;

	return (get(&parent, AP_REVOKE, &msg, sizeof(msg)) &&
		msg.generation == 50 + number);
}

/* The slow walk, of which each second brings the next of the sessions. */
static void
round_of_the_walk(void)
{
	uint32_t i;

	for (i = 0; i < 5; i++)
		fake_second();
}

/* Gone: within one refresh.  Another key: when the grace is over. */
static void
sessions_end(void)
{
	struct msg_closed msg;
	uint32_t i;

	put_session(0, 200, pk);
	put_session(1, 201, pk);
	put_session(2, 202, pk);
	CHECK(quiet());
	pass(700);
	round_of_the_walk();
	fake_nasked = 0;
	(void)fake_lookups();
	CHECK(quiet());
	CHECK(fake_nasked == 3);
	for (i = 0; i < 3; i++)
		CHECK(fake_asked[i] == 200 + i);
	CHECK(fake_gone(200));
	CHECK(fake_found(201, pk2, PROTO_KEY_LEN));
	CHECK(fake_found(202, pk, PROTO_KEY_LEN));
	CHECK(revoked(0));
	CHECK(quiet());
	session(0, 200, 0, pk);
	pass(599);
	round_of_the_walk();
	CHECK(quiet());
	pass(1);
	round_of_the_walk();
	/* As often as it comes round to it, until the parent has ended it. */
	for (i = 0; next(&parent) == 1;)
		if (imsg_get_type(&imsg) == AP_REVOKE) {
			CHECK(imsg_get_data(&imsg, &msg, sizeof(msg)) == 0);
			CHECK(msg.node == 201 && msg.generation == 51);
			i++;
		}
	CHECK(i > 0);
	session(1, 201, 0, pk);
}

/* However long it is away: nobody who is in goes. */
static void
an_outage_ends_no_session(void)
{
	fake_hear();
	CHECK(fake_ended(REGISTRY_CLOSED, 1));
	pass(40 * 3600);
	round_of_the_walk();
	CHECK(quiet());
	/* Its key is too old for a new login, though. */
	CHECK(reply(202, sk));
	fake_hear();
	pass(3);
	CHECK(told_later());
	session(2, 202, 0, pk);
}

/* A configuration without a registry: as if there had never been one. */
static void
no_registry(void)
{
	struct msg_registry_conf conf;
	struct msg_registry_end end;
	struct msg_registry msg;
	int pair[2];

	CHECK(fake_connect());
	CHECK(reply(600, sk));
	CHECK(fake_lookups() == 1);
	memset(&conf, 0, sizeof(conf));
	conf.burst = conf.refresh = 1;
	CHECK(put(&parent, PA_REGISTRY_CONF, -1, &conf, sizeof(conf)));
	CHECK(fake_ended(REGISTRY_DROPPED, 1));
	CHECK(told_later());
	CHECK(reply(600, sk));
	CHECK(told_refused());
	CHECK(reply(203, sk));
	CHECK(told_refused());
	CHECK(auth.store.learned.count == 0);
	memset(&msg, 0, sizeof(msg));
	msg.serial = 99;
	CHECK(channel_pair(pair) == 0);
	CHECK(put(&parent, PA_REGISTRY, pair[0], &msg, sizeof(msg)));
	CHECK(get(&parent, AP_REGISTRY, &end, sizeof(end)));
	CHECK(end.serial == 99 && end.reason == REGISTRY_DROPPED);
	(void)close(pair[1]);
	CHECK(quiet());
	CHECK(!ev_is_active(&auth.pulse));
}

int
main(void)
{
	if (ends_init() == -1)
		return (1);
	RUN(start);
	RUN(probe_first);
	RUN(thousand_waiters_one_request);
	RUN(unknown_and_wrong);
	RUN(no_answer_is_not_cached);
	RUN(rotation);
	RUN(wrong_signatures_in_a_loop);
	RUN(refresh);
	RUN(flood_of_strangers);
	RUN(closed_in_mid_pipeline);
	RUN(takes_nothing);
	RUN(silent);
	RUN(violations);
	RUN(answers_that_were_not_asked_for);
	RUN(keys_that_are_none);
	RUN(idle);
	RUN(json);
	RUN(sessions_end);
	RUN(an_outage_ends_no_session);
	RUN(no_registry);
	return (test_failed());
}
