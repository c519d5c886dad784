/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/fake_registry.h"
#include "regress/unit/resident.h"
#include "regress/unit/still_clock.h"

/*
 * Crowds of the size that auth is made for.  A signature is the key that it was
 * made with: what is left of a login is what beacond itself does for it.
 */
#define FIRST 10000000U /* node of any crowd */
#define CROWD 50000U
#define NEW   10000U
#define IDS   200000U /* or MANY_IDS of the environment */

int __wrap_crypto_sign_verify_detached(const unsigned char *,
    const unsigned char *, unsigned long long, const unsigned char *);

int
__wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *text, unsigned long long len, const unsigned char *key)
{
	return (memcmp(sig, key, PROTO_KEY_LEN) == 0 ? 0 : -1);
}

/* What was refused is not to be read. */
void __wrap_log_limited(struct log_limit *, uint32_t, const char *, ...);

void
__wrap_log_limited(struct log_limit *limit, uint32_t now, const char *fmt, ...)
{
}

static uint32_t nin, nrefused, nlater; /* so many were told that */
static uint64_t due[NEW]; /* when that node of the crowd dials; 0: never */
static int has_nonces;    /* boolean */

/* Within ten seconds, each when it likes. */
static void
dial_later(uint32_t node)
{
	nlater++;
	if (node >= FIRST && node - FIRST < NEW)
		due[node - FIRST] =
		    clock_ns() +
		    CLOCK_SECOND / 100 * (1 + randombytes_uniform(1000));
}

static void
hear_worker(void)
{
	struct msg_refused msg;

	while (imsgbuf_get(&worker, &imsg) == 1) {
		memcpy(&msg, imsg.data, sizeof(msg));
		if (imsg_get_type(&imsg) == AW_REFUSED &&
		    msg.reason == REFUSED_UNANSWERED)
			dial_later(msg.slot);
		else if (imsg_get_type(&imsg) == AW_REFUSED)
			nrefused++;
		else if (imsg_get_type(&imsg) == AW_NONCES) {
			memcpy(&first_nonce, imsg.data, sizeof(first_nonce));
			has_nonces = 1;
		}
	}
}

static void
turn(void)
{
	(void)ev_run(auth.loop, EVRUN_NOWAIT);
	(void)imsgbuf_read(&worker);
	hear_worker();
	(void)imsgbuf_read(&parent);
	while (imsgbuf_get(&parent, &imsg) == 1)
		nin += imsg_get_type(&imsg) == AP_ADMIT;
}

/* New nonces; they come when all that was said before has been heard. */
static int
heard(void)
{
	struct msg_nonces_wanted wanted;
	int i;

	wanted.count = PROTO_NONCES_MAX;
	has_nonces = 0;
	if (!put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)))
		return (0);
	for (i = 0; i < 1000 && !has_nonces; i++)
		turn();
	return (has_nonces);
}

/* Up to PROTO_NONCES_MAX nodes send their replies in the same moment. */
static int
dial(const uint32_t *nodes, uint32_t count)
{
	struct msg_verify msg;
	uint32_t i;

	if (!heard())
		return (0);
	memset(&msg, 0, sizeof(msg));
	msg.ts = clock_wall();
	memcpy(msg.sig, pk, sizeof(pk));
	for (i = 0; i < count; i++) {
		msg.slot = msg.node = nodes[i];
		msg.nonce = first_nonce + i;
		if (imsg_compose(
			&worker, WA_VERIFY, 0, 0, -1, &msg, sizeof(msg)) == -1)
			return (0);
	}
	return (imsgbuf_write(&worker) == 0);
}

static int
dial_all(uint32_t first, uint32_t count)
{
	uint32_t i, n, nodes[PROTO_NONCES_MAX];

	for (i = n = 0; i < count; i++) {
		nodes[n++] = first + i;
		if (n < PROTO_NONCES_MAX && i + 1 < count)
			continue;
		if (!dial(nodes, n))
			return (0);
		n = 0;
	}
	return (heard());
}

/* What was asked since it was last heard; of these, every nth is there. */
static uint32_t
answer(uint32_t nth)
{
	uint32_t i;

	turn();
	fake_nasked = 0;
	fake_recv();
	fake_parse();
	for (i = 0; i < fake_nasked; i++)
		(void)(fake_asked[i] % nth == 0
			   ? fake_found(fake_asked[i], pk, sizeof(pk))
			   : fake_gone(fake_asked[i]));
	turn();
	return (fake_nasked);
}

static uint32_t
pass(double seconds, uint32_t nth)
{
	still_pass(seconds);
	ev_invoke(auth.loop, &auth.pulse, EV_TIMER);
	return (answer(nth));
}

static void
start(void)
{
	CHECK(fake_start());
	CHECK(fake_connect());
	/* Before its patience is over. */
	fake_hear();
	CHECK(auth.registry.answered);
	still_pass(10);
}

static int
dial_due(void)
{
	uint32_t i, n, nodes[PROTO_NONCES_MAX];

	for (i = n = 0; i < NEW; i++) {
		if (due[i] == 0 || due[i] > clock_ns())
			continue;
		due[i] = 0;
		nodes[n++] = FIRST + i;
		if (n == PROTO_NONCES_MAX) {
			if (!dial(nodes, n))
				return (0);
			n = 0;
		}
	}
	return (dial(nodes, n) && heard());
}

/*
 * They register and dial in the same moment.  Who is told to try later does.
 * All are in within a minute, and what the budget takes.
 */
static void
ten_thousand_dial_as_they_register(void)
{
	uint32_t asked, i, step;

	nin = nrefused = nlater = 0;
	for (i = 0; i < NEW; i++)
		due[i] = clock_ns();
	for (asked = step = 0; nin < NEW; step++) {
		CHECK(step < 10 * (60 + (NEW - 100) / 80));
		CHECK(dial_due());
		asked += pass(0.1, 1);
		CHECK(asked <= 100 + 8 * (step + 1));
	}
	printf("# all in after %u s, of which the budget took %u\n", step / 10,
	    (NEW - 100) / 80);
	CHECK(asked == NEW && nin == NEW && nrefused == 0);
	CHECK(auth.lookups.nwaiting == 0);
}

/* Nobody has to be asked for, whether the registry answers or not. */
static int
stampede(void)
{
	nin = nrefused = nlater = 0;
	return (dial_all(FIRST, CROWD) && nin == CROWD && nrefused == 0 &&
		nlater == 0);
}

static void
learn_all(uint32_t first, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		keystore_confirm(&auth.store, first + i, pk, clock_ns());
}

static void
forget_all(void)
{
	struct learned *l;

	l = &auth.store.learned;
	while (l->count > 0)
		learned_remove(l, l->entries[l->newest - 1].node);
}

/* From one auth to the next, by the file. */
static int
through_cache(void)
{
	struct cachefile c;
	off_t size;
	int fd;

	fd = memfd_create("cache", 0);
	if (fd == -1 || ftruncate(fd, PROTO_CACHE_BYTES) == -1 ||
	    cachefile_save(&c, fd, clock_wall(), clock_seconds()) == -1)
		return (0);
	while (cachefile_step_save(&c, &auth.store.learned) == 1)
		continue;
	size = (off_t)cachefile_bytes(&c);
	cachefile_close(&c);
	forget_all();
	if (ftruncate(fd, size) == -1 ||
	    cachefile_load(&auth.cache, fd, clock_wall(), clock_seconds()) ==
		-1)
		return (0);
	turn_wake(&auth);
	while (auth.cache.data != NULL)
		turn();
	return (auth.store.learned.count == CROWD);
}

static void
stampede_with_a_warm_cache(void)
{
	forget_all();
	learn_all(FIRST, CROWD);
	CHECK(through_cache());
	CHECK(stampede());
	CHECK(answer(1) == 0);
	/* An hour later, while the registry says nothing. */
	still_pass(3600);
	CHECK(stampede());
	CHECK(auth.lookups.nwaiting == 0);
	CHECK(answer(1) <= 100);
	/* It was to be asked for what is in use, when there is time. */
	CHECK(lookup_queued(&auth.lookups) > 0);
	while (lookup_queued(&auth.lookups) > 0)
		(void)pass(1, 1);
}

static void
stampede_with_a_snapshot(void)
{
	struct keycache keys;
	uint32_t i;

	forget_all();
	keycache_init(&keys);
	for (i = 0; i < CROWD; i++)
		CHECK(keycache_add(&keys, FIRST + i, 1, pk) == 0);
	CHECK(keycache_finish(&keys, NULL, NULL) == 0);
	(void)keystore_swap_snapshot(
	    &auth.store, &keys, clock_seconds(), clock_seconds());
	CHECK(stampede());
	CHECK(answer(1) == 0);
	(void)keystore_swap_snapshot(
	    &auth.store, &keys, clock_seconds(), clock_seconds());
}

static uint32_t
ids_wanted(void)
{
	const char *text;

	text = getenv("MANY_IDS");
	return (text == NULL
		    ? IDS
		    : (uint32_t)strtonum(text, IDS, 4000000000U - FIRST, NULL));
}

/*
 * One login of each; half of those whom the registry is asked for are there,
 * and it is not asked for all.  The cache is full to begin with.
 */
static void
memory_is_flat_over_distinct_ids(void)
{
	uint32_t done, ids;
	size_t before;

	ids = ids_wanted();
	learn_all(1, LEARNED_MAX);
	nin = nrefused = nlater = 0;
	before = 0;
	for (done = 0; done < ids; done += 2 * PROTO_NONCES_MAX) {
		if (done / (2 * PROTO_NONCES_MAX) == 100)
			before = resident();
		CHECK(dial_all(FIRST + done, 2 * PROTO_NONCES_MAX));
		(void)pass(1, 2);
	}
	while (auth.lookups.nwaiting > 0)
		(void)pass(1, 2);
	CHECK(heard());
	while (auth.lookups.nready > 0)
		turn();
	CHECK(heard());
	printf("# %u ids: %u in, %u refused, %u told to try later; %zd bytes\n",
	    done, nin, nrefused, nlater, (ssize_t)(resident() - before));
	CHECK(nin > ids / 5 && nrefused > ids / 5);
	CHECK(nin + nrefused + nlater == done);
	CHECK(auth.store.learned.count == LEARNED_MAX);
#ifndef SANITIZED
	CHECK(resident() <= before + (1U << 20));
#endif
}

int
main(void)
{
	if (ends_init() == -1)
		return (1);
	RUN(start);
	RUN(ten_thousand_dial_as_they_register);
	RUN(stampede_with_a_warm_cache);
	RUN(stampede_with_a_snapshot);
	RUN(memory_is_flat_over_distinct_ids);
	return (test_failed());
}
