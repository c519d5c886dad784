/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <unistd.h>

#include "parent/parent.h"
#include <stdlib.h>

#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

/*
 * A child says things to the parent: which of them end it.  The channel is
 * real; the child's end is in our hands.
 */
static struct parent parent;
static struct process *child;
static struct imsgbuf end;
static const char *verdict; /* NULL: the channel is open */

static void
ended(void *owner, const char *reason)
{
	verdict = reason == NULL ? "closed" : reason;
}

static struct process *
hold(struct place *place, enum role role, uint32_t number)
{
	place->parent = &parent;
	place->role = &roles[role];
	place->number = number;
	place->epoch = 4;
	return (process_new(place));
}

static int
set_up(enum role role)
{
	int pair[2];

	free(parent.blocks);
	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	parent.conf = conf_new();
	parent.conf_start = parent.conf;
	parent.blocks = blocks_new();
	parent.holders = holders_new();
	parent.nworkers = 2;
	parent.ready = 1;
	budget_init(&parent.revocations, REVOKE_RATE, REVOKE_BURST);
	budget_init(&parent.unlearned, UNLEARN_RATE, UNLEARN_BURST);
	resolve_init(&parent.resolve);
	registry_init(&parent);
	(void)hold(&parent.workers[0], ROLE_WORKER, 0);
	child = hold(&parent.workers[1], ROLE_WORKER, 1);
	if (hold(&parent.auth, ROLE_AUTH, 0) != NULL && role == ROLE_AUTH)
		child = parent.auth.child;
	child->state = CHILD_STARTING;
	verdict = NULL;
	if (pmap_create(&parent.map) == -1 || channel_pair(pair) == -1 ||
	    channel_open(&child->channel, parent.loop, pair[0], "test",
		roles[role].rules, *roles[role].nrules, ended, child) == -1 ||
	    imsgbuf_init(&end, pair[1]) == -1)
		return (-1);
	child->channel.state = PROCESS_STARTING;
	child->channel.budget = &child->budget;
	imsgbuf_allow_fdsend(&end);
	return (0);
}

static void
tear_down(void)
{
	channel_close(&child->channel);
	(void)close(end.fd);
	imsgbuf_clear(&end);
	gossip_forget(child);
	process_free(parent.workers[0].child);
	process_free(parent.workers[1].child);
	process_free(parent.auth.child);
	conf_free(parent.conf);
	holders_free(parent.holders);
	pmap_destroy(&parent.map);
}

/* The child sends; returns what the parent thinks of it, NULL: nothing bad. */
static const char *
say(uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(&end, type, 0, 0, -1, data, len) == -1 ||
	    imsgbuf_write(&end) == -1)
		return ("not sent");
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	return (verdict);
}

static const char *
say_ready(uint32_t type)
{
	struct msg_hello hello;

	proto_fill_hello(&hello);
	hello.worker = child->place->number;
	hello.epoch = child->epoch;
	return (say(type, &hello, sizeof(hello)));
}

static void
test_worker_is_ready(void)
{
	CHECK(set_up(ROLE_WORKER) == 0);
	CHECK(say_ready(WP_READY) == NULL);
	CHECK(child->state == CHILD_RUNNING && child->place->was_ready);
	CHECK(say_ready(WP_READY) != NULL);
	tear_down();
}

static void
test_auth_is_ready(void)
{
	CHECK(set_up(ROLE_AUTH) == 0);
	CHECK(say_ready(AP_READY) == NULL);
	CHECK(child->state == CHILD_RUNNING);
	CHECK(say_ready(AP_READY) != NULL);
	tear_down();
}

static void
test_impostors(void)
{
	struct msg_hello good, hello;
	int i;

	proto_fill_hello(&good);
	good.worker = 1;
	good.epoch = 5;
	for (i = 0; i < 5; i++) {
		CHECK(set_up(ROLE_WORKER) == 0);
		hello = good;
		if (i == 0)
			hello.worker = 0;
		else if (i == 1)
			hello.epoch = 6;
		else if (i == 2)
			hello.version[0] ^= 1;
		else if (i == 3)
			hello.layout ^= 1;
		else
			memset(hello.version, '0', sizeof(hello.version));
		CHECK(say(WP_READY, &hello, sizeof(hello)) != NULL);
		CHECK(child->state == CHILD_STARTING);
		tear_down();
	}
}

/* Nothing but READY and PONG before READY. */
static void
test_too_early(void)
{
	struct msg_endpoint seen;

	memset(&seen, 0, sizeof(seen));
	seen.node = 7;
	seen.port = 4000;
	CHECK(set_up(ROLE_WORKER) == 0);
	CHECK(say(WP_PONG, NULL, 0) == NULL);
	CHECK(say(WP_ENDPOINT, &seen, sizeof(seen)) != NULL);
	CHECK(parent.map.live == 0);
	tear_down();
	CHECK(set_up(ROLE_WORKER) == 0);
	CHECK(say_ready(WP_READY) == NULL);
	CHECK(say(WP_ENDPOINT, &seen, sizeof(seen)) == NULL);
	CHECK(parent.map.live == 1);
	tear_down();
}

/* Every message of every size but its own. */
static void
test_sizes(void)
{
	static const uint8_t zeroes[1024];
	const struct channel_rule *rule;
	size_t i, len;

	for (i = 0; i < from_worker_nrules; i++)
		for (len = 0; len < 128; len++) {
			rule = &from_worker_rules[i];
			if (len >= rule->min && len <= rule->max)
				continue;
			CHECK(set_up(ROLE_WORKER) == 0);
			child->channel.state = PROCESS_RUNNING;
			CHECK(say(rule->type, zeroes, len) != NULL);
			tear_down();
		}
}

static void
test_unknown_types(void)
{
	static const uint32_t types[] = { 0, PW_HELLO, PW_OPEN, AP_ADMIT,
		WA_VERIFY, WW_PACKET, CTL_STOP, WP_PONG + 1, UINT32_MAX };
	static const uint8_t zeroes[32];
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		CHECK(set_up(ROLE_WORKER) == 0);
		child->channel.state = PROCESS_RUNNING;
		CHECK(say(types[i], zeroes, sizeof(zeroes)) != NULL);
		tear_down();
	}
}

static void
test_descriptor(void)
{
	CHECK(set_up(ROLE_WORKER) == 0);
	CHECK(imsg_compose(&end, WP_PONG, 0, 0, open("/dev/null", O_RDONLY),
		  NULL, 0) == 1);
	CHECK(imsgbuf_write(&end) == 0);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	CHECK(verdict != NULL);
	tear_down();
}

static void
test_sync_count(void)
{
	struct {
		struct msg_sync sync;
		uint32_t ids[2];
	} msg;

	memset(&msg, 0, sizeof(msg));
	msg.sync.port = 4000;
	msg.sync.count = 2;
	msg.sync.first = msg.sync.last = 1;
	CHECK(set_up(ROLE_WORKER) == 0);
	child->channel.state = PROCESS_RUNNING;
	CHECK(say(WP_SYNC, &msg, sizeof(msg)) == NULL);
	msg.sync.count = 3;
	CHECK(say(WP_SYNC, &msg, sizeof(msg)) != NULL);
	tear_down();
}

static void
test_flood(void)
{
	uint32_t i;

	CHECK(set_up(ROLE_WORKER) == 0);
	for (i = 0; i < MESSAGE_BURST; i++)
		CHECK(channel_charge(&child->channel, 1) == NULL);
	CHECK(channel_charge(&child->channel, 1) != NULL);
	still_pass(1.);
	for (i = 0; i < MESSAGE_RATE; i++)
		CHECK(channel_charge(&child->channel, 1) == NULL);
	still_pass(3600.);
	for (i = 0; i < MESSAGE_BURST - 10; i++)
		CHECK(channel_charge(&child->channel, 1) == NULL);
	for (; i < MESSAGE_BURST + 10; i++)
		(void)channel_charge(&child->channel, 1);
	CHECK(channel_charge(&child->channel, 1) != NULL);
	/* No row of the table is free. */
	child->channel.state = PROCESS_RUNNING;
	CHECK(strcmp(say(WP_PONG, NULL, 0), "flood of messages") == 0);
	tear_down();
}

/* Auth complains about a worker: one that exists, or one that is gone. */
static void
test_complaints(void)
{
	struct msg_hostile hostile;

	memset(&hostile, 0, sizeof(hostile));
	hostile.epoch = 4;
	CHECK(set_up(ROLE_AUTH) == 0);
	CHECK(say(AP_HOSTILE, &hostile, sizeof(hostile)) == NULL);
	hostile.worker = 2;
	hostile.epoch = 0;
	CHECK(say(AP_HOSTILE, &hostile, sizeof(hostile)) != NULL);
	tear_down();
	CHECK(set_up(ROLE_AUTH) == 0);
	hostile.worker = 1;
	hostile.epoch = 6;
	CHECK(say(AP_HOSTILE, &hostile, sizeof(hostile)) != NULL);
	tear_down();
	CHECK(set_up(ROLE_AUTH) == 0);
	hostile.epoch = 5;
	memset(hostile.reason, 'x', sizeof(hostile.reason));
	CHECK(say(AP_HOSTILE, &hostile, sizeof(hostile)) != NULL);
	tear_down();
}

static const char *
say_complaint(uint32_t worker)
{
	struct msg_hostile hostile;

	memset(&hostile, 0, sizeof(hostile));
	hostile.worker = worker;
	hostile.epoch = parent.workers[worker].epoch;
	return (say(AP_HOSTILE, &hostile, sizeof(hostile)));
}

static void
test_complaints_without_end(void)
{
	uint32_t i;

	CHECK(set_up(ROLE_AUTH) == 0);
	for (i = 0; i < 2 * COMPLAINTS_MAX; i++)
		CHECK(say_complaint(0) == NULL);
	still_pass(60.);
	for (i = 0; i < 2 * COMPLAINTS_MAX; i++)
		CHECK(say_complaint(i & 1) == NULL);
	CHECK(say_complaint(1) != NULL);
	tear_down();
}

/* A session of worker 0; its generation. */
static uint32_t
session(uint32_t node)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(&parent.map, node, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = pmap_next_generation(&parent.map);
	pmap_store(&parent.map, number, &entry);
	return (entry.generation);
}

static const char *
say_revoke(uint32_t node, uint32_t generation)
{
	struct msg_closed revoke;

	revoke.node = node;
	revoke.generation = generation;
	return (say(AP_REVOKE, &revoke, sizeof(revoke)));
}

static const char *
say_keys(uint32_t result)
{
	struct msg_keys_read keys;

	memset(&keys, 0, sizeof(keys));
	keys.result = result;
	/* No operator waits for the last one. */
	parent.keys_asked += 2;
	return (say(AP_KEYS, &keys, sizeof(keys)));
}

static uint32_t
sessions(void)
{
	return (parent.map.header->sessions);
}

/* Only those that were there when auth read the keys. */
static void
test_revocations(void)
{
	uint32_t one, two;

	CHECK(set_up(ROLE_AUTH) == 0);
	one = session(1);
	two = session(2);
	CHECK(say_keys(KEYS_READ) == NULL);
	CHECK(say_revoke(1, one) == NULL && sessions() == 1);
	/* Back again, by today's key. */
	one = session(1);
	CHECK(say_revoke(1, one - 1) == NULL && sessions() == 2);
	CHECK(say_revoke(2, two) == NULL && sessions() == 1);
	/* Keys that were not taken revoke nothing. */
	CHECK(say_keys(KEYS_KEPT) == NULL && say_keys(KEYS_SUPERSEDED) == NULL);
	CHECK(say_revoke(1, one) != NULL && sessions() == 1);
	tear_down();
}

static void
test_revocations_without_keys(void)
{
	CHECK(set_up(ROLE_AUTH) == 0);
	CHECK(say_revoke(1, session(1)) != NULL && sessions() == 1);
	tear_down();
}

/* A generation is a number that begins anew after the largest one. */
static void
test_revocations_across_the_wrap(void)
{
	uint32_t one, two;

	CHECK(set_up(ROLE_AUTH) == 0);
	parent.map.generation = UINT32_MAX - 1;
	one = session(1);
	CHECK(say_keys(KEYS_READ) == NULL);
	two = session(2);
	CHECK(one == UINT32_MAX && two < one);
	CHECK(say_revoke(1, one) == NULL && sessions() == 1);
	CHECK(say_revoke(2, two) != NULL && sessions() == 1);
	tear_down();
}

/* Too many at once wait for the next time that auth asks for them. */
static void
test_revocations_at_once(void)
{
	uint32_t i, left;

	CHECK(set_up(ROLE_AUTH) == 0);
	for (i = 1; i <= REVOKE_BURST + 10; i++)
		CHECK(session(i) == i);
	CHECK(say_keys(KEYS_READ) == NULL);
	for (i = 1; i <= REVOKE_BURST + 10; i++)
		CHECK(say_revoke(i, i) == NULL);
	left = sessions();
	CHECK(left == 10);
	CHECK(counters_read(counters, COUNTER_REVOKE_LATER) == left);
	still_pass(1.);
	for (i = 1; i <= REVOKE_BURST + 10; i++)
		CHECK(say_revoke(i, i) == NULL);
	CHECK(sessions() == 0);
	tear_down();
}

/* A registry may take a key away at any time, but not of many at once. */
static void
test_revocations_by_the_registry(void)
{
	uint32_t i;

	CHECK(set_up(ROLE_AUTH) == 0);
	(void)strlcpy(parent.registry.target.name, "/registry",
	    sizeof(parent.registry.target.name));
	for (i = 1; i <= UNLEARN_BURST + 10; i++)
		CHECK(say_revoke(i, session(i)) == NULL);
	CHECK(sessions() == 10);
	/* Those of a key file have a budget of their own. */
	CHECK(say_keys(KEYS_READ) == NULL);
	for (i = 1; i <= UNLEARN_BURST + 10; i++)
		CHECK(say_revoke(i, i) == NULL);
	CHECK(sessions() == 0);
	tear_down();
}

/* Nor does one that a snapshot replaced serve for ever: it has a grace. */
static void
test_revocations_after_a_grace(void)
{
	uint32_t i;

	CHECK(set_up(ROLE_AUTH) == 0);
	(void)strlcpy(parent.conf->keys_snapshot, "/snapshot",
	    sizeof(parent.conf->keys_snapshot));
	for (i = 1; i <= UNLEARN_BURST + 10; i++)
		CHECK(say_revoke(i, session(i)) == NULL);
	CHECK(sessions() == 10);
	tear_down();
}

int
main(void)
{
	RUN(test_worker_is_ready);
	RUN(test_auth_is_ready);
	RUN(test_impostors);
	RUN(test_too_early);
	RUN(test_sizes);
	RUN(test_unknown_types);
	RUN(test_descriptor);
	RUN(test_sync_count);
	RUN(test_flood);
	RUN(test_complaints);
	RUN(test_complaints_without_end);
	RUN(test_revocations);
	RUN(test_revocations_without_keys);
	RUN(test_revocations_across_the_wrap);
	RUN(test_revocations_at_once);
	RUN(test_revocations_by_the_registry);
	RUN(test_revocations_after_a_grace);
	return (test_failed());
}
