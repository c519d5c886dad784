/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/parent.h"
#include <stdlib.h>

#include "regress/unit/test.h"

static struct parent parent;
static struct process child;
static struct process *worker; /* its channel is open in some tests only */

static int
set_up(void)
{
	free(parent.blocks);
	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	memset(&child, 0, sizeof(child));
	worker = &child;
	worker->parent = &parent;
	worker->place = &parent.workers[0];
	parent.conf = conf_new();
	parent.blocks = blocks_new();
	parent.holders = holders_new();
	if (parent.conf == NULL || parent.holders == NULL)
		return (-1);
	return (pmap_create(&parent.map));
}

static void
tear_down(void)
{
	pmap_destroy(&parent.map);
	holders_free(parent.holders);
	conf_free(parent.conf);
}

/* An IPv4 host; its last byte alone is enough for most tests. */
static const char *
seen(uint32_t node, uint32_t host, uint32_t port, uint32_t flags)
{
	struct msg_endpoint msg;

	host = htonl(host);
	memset(&msg, 0, sizeof(msg));
	msg.node = node;
	msg.addr[10] = msg.addr[11] = 0xff;
	memcpy(msg.addr + 12, &host, sizeof(host));
	msg.port = port;
	msg.flags = flags;
	return (endpoint_seen(worker, &msg));
}

static int
known(uint32_t node)
{
	uint32_t number;

	number = pmap_find(&parent.map, node);
	return (number != PEERMAP_NONE &&
		pmap_entry(&parent.map, number)->port != 0);
}

/* Makes node's times so many seconds older. */
static void
age(uint32_t node, uint32_t seconds)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_find(&parent.map, node);
	entry = *pmap_entry(&parent.map, number);
	entry.seen -= seconds;
	entry.moved -= seconds;
	pmap_store(&parent.map, number, &entry);
}

static void
sweep_all(void)
{
	uint32_t i;

	for (i = 0; i <= SWEEP_SECONDS; i++)
		endpoint_sweep(&parent);
}

static void
test_recorded(void)
{
	struct peermap_entry entry;

	CHECK(set_up() == 0);
	CHECK(seen(7, 1, 4000, PEERMAP_UDP_EX) == NULL);
	CHECK(peermap_lookup(&parent.map.view, 7, &entry) == 1);
	CHECK(entry.addr[15] == 1 && entry.port == 4000);
	CHECK(entry.flags == PEERMAP_UDP_EX && entry.seen != 0);
	CHECK(entry.generation == 0 && parent.map.endpoints == 1);
	tear_down();
}

static void
test_moves_at_most_once_in_30_s(void)
{
	const struct peermap_entry *entry;
	uint64_t held;

	CHECK(set_up() == 0);
	held = counters_read(counters, COUNTER_ENDPOINT_HELD);
	CHECK(seen(7, 1, 4000, 0) == NULL);
	entry = pmap_entry(&parent.map, pmap_find(&parent.map, 7));
	CHECK(seen(7, 2, 4000, 0) == NULL && entry->addr[15] == 1);
	CHECK(seen(7, 1, 4001, 0) == NULL && entry->port == 4000);
	CHECK(counters_read(counters, COUNTER_ENDPOINT_HELD) == held + 2);
	age(7, ENDPOINT_HOLD - 1);
	CHECK(seen(7, 2, 4000, 0) == NULL && entry->addr[15] == 1);
	age(7, 1);
	CHECK(seen(7, 2, 4000, 0) == NULL && entry->addr[15] == 2);
	CHECK(seen(7, 1, 4000, 0) == NULL && entry->addr[15] == 2);
	tear_down();
}

static void
test_ex_stays_until_forgotten(void)
{
	const struct peermap_entry *entry;

	CHECK(set_up() == 0);
	CHECK(seen(7, 1, 4000, PEERMAP_UDP_EX) == NULL);
	entry = pmap_entry(&parent.map, pmap_find(&parent.map, 7));
	CHECK(seen(7, 1, 4000, 0) == NULL && entry->flags == PEERMAP_UDP_EX);
	/* Neither another listener nor another address changes that. */
	CHECK(seen(7, 1, 4000, 1 << PEERMAP_LISTENER_SHIFT) == NULL);
	CHECK(entry->flags == (1 << PEERMAP_LISTENER_SHIFT | PEERMAP_UDP_EX));
	age(7, ENDPOINT_HOLD);
	CHECK(seen(7, 2, 4000, 0) == NULL && entry->addr[15] == 2);
	CHECK(entry->flags == PEERMAP_UDP_EX);
	/* Forgotten, though not swept yet. */
	age(7, ENDPOINT_EXPIRE);
	CHECK(seen(7, 2, 4000, 0) == NULL && entry->flags == 0);
	tear_down();
}

static void
test_expires(void)
{
	CHECK(set_up() == 0);
	CHECK(seen(7, 1, 4000, 0) == NULL && seen(8, 1, 4000, 0) == NULL);
	age(7, ENDPOINT_EXPIRE);
	age(8, ENDPOINT_EXPIRE - 5);
	sweep_all();
	CHECK(pmap_find(&parent.map, 7) == PEERMAP_NONE);
	CHECK(pmap_find(&parent.map, 8) != PEERMAP_NONE);
	CHECK(parent.map.endpoints == 1);
	age(8, 5);
	CHECK(seen(8, 1, 4000, 0) == NULL);
	sweep_all();
	CHECK(pmap_find(&parent.map, 8) != PEERMAP_NONE);
	tear_down();
}

static void
test_session_is_left_alone(void)
{
	struct peermap_entry entry;
	uint32_t number;

	CHECK(set_up() == 0);
	number = pmap_add(&parent.map, 7, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = 1;
	pmap_store(&parent.map, number, &entry);
	CHECK(seen(7, 1, 4000, 0) == NULL);
	CHECK(pmap_entry(&parent.map, number)->port == 0);
	tear_down();
}

static void
test_limit_of_one_address(void)
{
	uint64_t refused;
	uint32_t i;

	CHECK(set_up() == 0);
	refused = counters_read(counters, COUNTER_ENDPOINT_SOURCE);
	/* Whatever the port. */
	for (i = 1; i <= 4096; i++)
		CHECK(seen(i, 1, 4000 + i % 64, 0) == NULL && known(i));
	CHECK(seen(i, 1, 4000, 0) == NULL && !known(i));
	CHECK(counters_read(counters, COUNTER_ENDPOINT_SOURCE) == refused + 1);
	/* Another address has its own, those that are known go on. */
	CHECK(seen(i, 2, 4000, 0) == NULL && known(i));
	CHECK(seen(7, 1, 4007, PEERMAP_UDP_EX) == NULL);
	CHECK(pmap_entry(&parent.map, pmap_find(&parent.map, 7))->flags ==
	      PEERMAP_UDP_EX);
	/* Nobody moves in, until somebody has left. */
	age(i, ENDPOINT_HOLD);
	CHECK(seen(i, 1, 4000, 0) == NULL);
	CHECK(
	    pmap_entry(&parent.map, pmap_find(&parent.map, i))->addr[15] == 2);
	age(7, ENDPOINT_EXPIRE);
	sweep_all();
	CHECK(!known(7) && seen(i, 1, 4000, 0) == NULL);
	CHECK(
	    pmap_entry(&parent.map, pmap_find(&parent.map, i))->addr[15] == 1);
	parent.conf->source_node_limit = 0;
	CHECK(seen(7, 1, 4000, 0) == NULL && known(7));
	tear_down();
}

/*
 * The table at its true size: one host with 64 ports makes up nodes, and then
 * many hosts do.  Who comes later is known all the same.
 */
static void
test_full_table(void)
{
	uint64_t evicted, full;
	uint32_t i;

	CHECK(set_up() == 0);
	full = counters_read(counters, COUNTER_ENDPOINT_FULL);
	evicted = counters_read(counters, COUNTER_ENDPOINT_EVICTED);
	for (i = 1; i <= 560000; i++)
		CHECK(seen(i, 1, 4000 + i % 64, 0) == NULL);
	CHECK(parent.map.endpoints == 4096);
	for (i = 1; i <= 560000; i++)
		CHECK(seen(i, 10 + i / 4096, 4000 + i % 64, 0) == NULL);
	CHECK(parent.map.endpoints == ENDPOINTS_MAX);
	CHECK(counters_read(counters, COUNTER_ENDPOINT_EVICTED) > evicted);
	for (i = 1000001; i <= 1001000; i++)
		CHECK(seen(i, i, 4000, 0) == NULL && known(i));
	for (i = 1000001; i <= 1001000; i++)
		CHECK(known(i));
	CHECK(parent.map.endpoints == ENDPOINTS_MAX);
	CHECK(counters_read(counters, COUNTER_ENDPOINT_FULL) == full);
	tear_down();
}

/* Room is made by the oldest of those that hold most. */
static void
test_room(void)
{
	uint32_t i;

	CHECK(set_up() == 0);
	parent.conf->source_node_limit = 0;
	for (i = 1; i <= ENDPOINTS_MAX; i++)
		CHECK(seen(i, i <= 10 ? 1 : 2, 4000, 0) == NULL);
	CHECK(seen(11, 2, 4000, 0) == NULL); /* a refresh */
	CHECK(seen(i, 3, 4000, 0) == NULL && known(i) && !known(12));
	for (i = 1; i <= 11; i++)
		CHECK(known(i));
	tear_down();
}

/* The map has no place, and nothing that can make room. */
static void
test_full_map(void)
{
	struct peermap_entry entry;
	uint64_t full;
	uint32_t number;

	CHECK(set_up() == 0);
	full = counters_read(counters, COUNTER_ENDPOINT_FULL);
	while (parent.map.live + PMAP_RESERVE_LOGIN < PEERMAP_NODES_MAX) {
		number = pmap_add(&parent.map, 1000000 + parent.map.live, 0);
		entry = *pmap_entry(&parent.map, number);
		entry.generation = 1;
		pmap_store(&parent.map, number, &entry);
	}
	CHECK(seen(1, 1, 4000, 0) == NULL && !known(1));
	CHECK(counters_read(counters, COUNTER_ENDPOINT_FULL) == full + 1);
	memset(&entry, 0, sizeof(entry));
	pmap_store(&parent.map, pmap_find(&parent.map, 1000000), &entry);
	CHECK(seen(1, 1, 4000, 0) == NULL && known(1));
	CHECK(seen(2, 1, 4000, 0) == NULL && known(2) && !known(1));
	tear_down();
}

static void
test_hostile_worker(void)
{
	CHECK(set_up() == 0);
	CHECK(seen(0, 1, 4000, 0) != NULL);
	CHECK(seen(7, 1, 0, 0) != NULL);
	CHECK(seen(7, 1, 65536, 0) != NULL);
	CHECK(seen(7, 1, 4000, 256) != NULL);
	CHECK(parent.map.live == 0);
	tear_down();
}

static void
ended(void *owner, const char *reason)
{
}

static int
open_channel(struct imsgbuf *end)
{
	static const struct channel_rule no_rules[1];
	int pair[2];

	worker->state = CHILD_RUNNING;
	if (channel_pair(pair) == -1 ||
	    channel_open(&worker->channel, parent.loop, pair[0], "test",
		no_rules, 0, ended, worker) == -1)
		return (-1);
	return (imsgbuf_init(end, pair[1]));
}

/* What the worker is told: 1 and the message, or 0. */
static int
told(struct imsgbuf *end, struct msg_endpoint *msg)
{
	struct imsg imsg;
	int r;

	if (channel_flush(&worker->channel) == -1)
		return (0);
	(void)imsgbuf_read(end);
	if (imsgbuf_get(end, &imsg) != 1)
		return (0);
	r = imsg_get_type(&imsg) == PW_ENDPOINT &&
	    imsg_get_data(&imsg, msg, sizeof(*msg)) == 0;
	imsg_free(&imsg);
	return (r);
}

/* The parent's word that the map has it; one is enough. */
static void
test_answer(void)
{
	struct msg_endpoint msg, got;
	struct imsgbuf end;

	CHECK(set_up() == 0);
	CHECK(open_channel(&end) == 0);
	memset(&msg, 0, sizeof(msg));
	msg.node = 7;
	msg.addr[10] = msg.addr[11] = 0xff;
	msg.port = 4000;
	CHECK(endpoint_seen(worker, &msg) == NULL && !told(&end, &got));
	msg.answer = 1;
	CHECK(endpoint_seen(worker, &msg) == NULL && told(&end, &got));
	CHECK(memcmp(&msg, &got, sizeof(msg)) == 0 && !told(&end, &got));
	/* Held: the map keeps the other address. */
	msg.port = 4001;
	CHECK(endpoint_seen(worker, &msg) == NULL && told(&end, &got));
	CHECK(got.port == 4001);
	/* Not noted: not answered. */
	parent.conf->source_node_limit = 1;
	msg.node = 8;
	CHECK(endpoint_seen(worker, &msg) == NULL && !told(&end, &got));
	msg.answer = 2;
	CHECK(endpoint_seen(worker, &msg) != NULL);
	channel_close(&worker->channel);
	(void)close(end.fd);
	imsgbuf_clear(&end);
	tear_down();
}

/* A worker that does not read for a while is not killed for it. */
static void
test_answers_that_wait_are_bounded(void)
{
	struct msg_endpoint msg;
	struct imsgbuf end;
	uint64_t unanswered;

	CHECK(set_up() == 0);
	CHECK(open_channel(&end) == 0);
	unanswered = counters_read(counters, COUNTER_ENDPOINT_UNANSWERED);
	parent.conf->source_node_limit = 0;
	memset(&msg, 0, sizeof(msg));
	msg.port = 4000;
	msg.answer = 1;
	for (msg.node = 1; msg.node <= 100000; msg.node++)
		CHECK(endpoint_seen(worker, &msg) == NULL);
	CHECK(parent.map.endpoints == 100000);
	CHECK(channel_queued(&worker->channel) < ANSWERS_QUEUE_MAX + 1000);
	CHECK(counters_read(counters, COUNTER_ENDPOINT_UNANSWERED) >
	      unanswered + 50000);
	CHECK(worker->state == CHILD_RUNNING && !worker->killed);
	channel_close(&worker->channel);
	(void)close(end.fd);
	imsgbuf_clear(&end);
	tear_down();
}

static void
restore(uint32_t node, uint32_t ago, uint32_t moved)
{
	struct msg_endpoint msg;

	memset(&msg, 0, sizeof(msg));
	msg.node = node;
	msg.addr[10] = msg.addr[11] = 0xff;
	msg.addr[15] = 1;
	msg.port = node == 9 ? 0 : 4000;
	msg.flags = PEERMAP_UDP_EX;
	endpoint_restore(&parent, &msg, ago, moved);
}

/* What another parent knew is as old here as it was there. */
static void
test_restored(void)
{
	const struct peermap_entry *entry;
	uint8_t addr[16];

	CHECK(set_up() == 0);
	blocks_node(addr, 8);
	CHECK(blocks_add(parent.blocks, addr, BLOCKS_NODE) != NULL);
	restore(7, 3, ENDPOINT_HOLD);
	restore(8, 3, 3);
	restore(9, 3, 3);
	restore(0, 3, 3);
	CHECK(known(7) && !known(8) && !known(9) && !known(0));
	entry = pmap_entry(&parent.map, pmap_find(&parent.map, 7));
	CHECK(entry->addr[15] == 1 && entry->flags == PEERMAP_UDP_EX);
	CHECK(clock_seconds() - entry->seen >= 3);
	CHECK(clock_seconds() - entry->seen < ENDPOINT_HOLD);
	/* It has not moved for long enough. */
	CHECK(seen(7, 2, 4000, 0) == NULL && entry->addr[15] == 2);
	CHECK(entry->flags == PEERMAP_UDP_EX);
	/* Its address counts for the bound that each has. */
	CHECK(
	    !holders_may_take(parent.holders, PEERMAP_NONE, entry->addr, 1));
	tear_down();
}

/* Nor longer ago than nodes are remembered, or in the time to come. */
static void
test_what_is_too_old_is_not_restored(void)
{
	CHECK(set_up() == 0);
	restore(10, ENDPOINT_EXPIRE - 1, ENDPOINT_EXPIRE);
	restore(11, ENDPOINT_EXPIRE, ENDPOINT_EXPIRE);
	restore(12, UINT32_MAX, UINT32_MAX);
	CHECK(known(10) && !known(11) && !known(12));
	age(10, 1);
	sweep_all();
	CHECK(!known(10) && parent.map.live == 0);
	tear_down();
}

int
main(void)
{
	RUN(test_recorded);
	RUN(test_moves_at_most_once_in_30_s);
	RUN(test_ex_stays_until_forgotten);
	RUN(test_expires);
	RUN(test_session_is_left_alone);
	RUN(test_limit_of_one_address);
	RUN(test_full_table);
	RUN(test_room);
	RUN(test_full_map);
	RUN(test_hostile_worker);
	RUN(test_answer);
	RUN(test_restored);
	RUN(test_what_is_too_old_is_not_restored);
	RUN(test_answers_that_wait_are_bounded);
	return (test_failed());
}
