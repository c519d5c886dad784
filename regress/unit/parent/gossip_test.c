/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>

#include "common/clock.h"
#include "parent/parent.h"
#include "regress/unit/test.h"

static struct parent parent;
static struct process worker;
static struct conf_address peer;
static const uint32_t nothing[1];
static int no_memory;

/* The daemon's, which lists of ids come from. */
void *
reallocarray(void *old, size_t count, size_t size)
{
	return (no_memory ? NULL : realloc(old, count * size));
}

/* One configured peer: 127.0.0.1 port 4001. */
static int
set_up(void)
{
	struct sockaddr_in *sin;

	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	parent.conf = conf_new();
	parent.nworkers = 2;
	memset(&worker, 0, sizeof(worker));
	worker.parent = &parent;
	worker.place = &parent.workers[0];
	memset(&peer, 0, sizeof(peer));
	peer.kind = CONF_PEER_BEACON;
	sin = (void *)&peer.ss;
	sin->sin_family = AF_INET;
	sin->sin_port = htons(4001);
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	TAILQ_INSERT_TAIL(&parent.conf->addresses, &peer, entry);
	if (pmap_create(&parent.map) == -1)
		return (-1);
	gossip_init(&parent);
	return (0);
}

static void
tear_down(void)
{
	uint32_t i;

	TAILQ_REMOVE(&parent.conf->addresses, &peer, entry);
	conf_free(parent.conf);
	for (i = 0; i < parent.gossip.nsources; i++)
		free(parent.gossip.sources[i].ids);
	free(parent.gossip.sources);
	gossip_forget(&worker);
	pmap_destroy(&parent.map);
}

static const char *
chunk(uint8_t host, uint16_t port, const uint32_t *ids, uint16_t count,
    int first, int last)
{
	struct msg_sync msg;

	memset(&msg, 0, sizeof(msg));
	msg.addr[10] = msg.addr[11] = 0xff;
	msg.addr[12] = 127;
	msg.addr[15] = host;
	msg.port = port;
	msg.beacon = 42;
	msg.count = count;
	msg.first = (uint32_t)first;
	msg.last = (uint32_t)last;
	return (gossip_chunk(&worker, &msg, (const void *)ids));
}

/* The source port that a node is known by; 0: none. */
static uint16_t
route(uint32_t node)
{
	struct peermap_entry entry;

	if (!peermap_lookup(&parent.map.view, node, &entry) ||
	    entry.beacon == 0)
		return (0);
	return (parent.gossip.sources[entry.beacon - 1].port);
}

static void
test_replaced_in_one_step(void)
{
	static const uint32_t one[] = { 30, 10, 20, 0, 10 };
	static const uint32_t two[] = { 40, 20 };

	CHECK(set_up() == 0);
	CHECK(chunk(1, 4001, one, 5, 1, 1) == NULL);
	CHECK(route(10) == 4001 && route(20) == 4001 && route(30) == 4001);
	CHECK(parent.map.live == 3 && gossip_heard(&parent) == 1);
	CHECK(chunk(1, 4001, two, 2, 1, 1) == NULL);
	CHECK(route(10) == 0 && route(20) == 4001 && route(40) == 4001);
	CHECK(parent.map.live == 2);
	CHECK(chunk(1, 4001, nothing, 0, 1, 1) == NULL && parent.map.live == 0);
	tear_down();
}

/* A beacon with many nodes tells of them from several ports. */
static void
test_each_port_for_itself(void)
{
	static const uint32_t one[] = { 10, 20 };
	static const uint32_t two[] = { 30 };

	CHECK(set_up() == 0);
	CHECK(chunk(1, 4001, one, 2, 1, 1) == NULL);
	CHECK(chunk(1, 9999, two, 1, 1, 1) == NULL);
	CHECK(route(10) == 4001 && route(30) == 9999);
	/* A node that moves to the other port is never without a route. */
	CHECK(chunk(1, 9999, one, 2, 1, 1) == NULL);
	CHECK(route(10) == 9999 && route(30) == 0);
	CHECK(chunk(1, 4001, two, 1, 1, 1) == NULL);
	CHECK(route(10) == 9999 && route(30) == 4001);
	tear_down();
}

static void
test_stranger(void)
{
	static const uint32_t ids[] = { 10 };
	uint64_t strangers;

	CHECK(set_up() == 0);
	strangers = counters_read(counters, COUNTER_SYNC_STRANGER);
	CHECK(chunk(2, 4001, ids, 1, 1, 1) == NULL && route(10) == 0);
	CHECK(counters_read(counters, COUNTER_SYNC_STRANGER) == strangers + 1);
	parent.conf->accept_gossip_from_any = 1;
	CHECK(chunk(2, 4002, ids, 1, 1, 1) == NULL && route(10) == 4002);
	/* No longer from anybody: what strangers said is forgotten. */
	parent.conf->accept_gossip_from_any = 0;
	gossip_reload(&parent);
	CHECK(route(10) == 0 && gossip_heard(&parent) == 0);
	tear_down();
}

static void
test_silence(void)
{
	static const uint32_t ids[] = { 10 };
	struct source *source;

	CHECK(set_up() == 0);
	CHECK(chunk(1, 4001, ids, 1, 1, 1) == NULL);
	CHECK(chunk(1, 5000, ids, 1, 1, 1) == NULL);
	source = parent.gossip.sources;
	source[0].heard -= 89;
	source[1].heard -= 90;
	gossip_expire(&parent);
	CHECK(gossip_heard(&parent) == 1 && route(10) == 0);
	CHECK(source[1].port == 0);
	source[0].heard -= 1;
	gossip_expire(&parent);
	CHECK(gossip_heard(&parent) == 0 && parent.map.live == 0);
	/* A configured one keeps its place. */
	CHECK(source[0].port == 4001);
	tear_down();
}

static void
test_a_blocked_network_is_forgotten(void)
{
	static const uint32_t one[] = { 10 }, two[] = { 20 }, three[] = { 30 };
	struct block net;

	CHECK(set_up() == 0);
	parent.conf->accept_gossip_from_any = 1;
	CHECK(chunk(1, 4001, one, 1, 1, 1) == NULL && route(10) == 4001);
	CHECK(chunk(2, 4002, two, 1, 1, 1) == NULL && route(20) == 4002);
	CHECK(chunk(4, 4004, three, 1, 1, 1) == NULL && route(30) == 4004);
	memset(&net, 0, sizeof(net));
	CHECK(address_network_parse("127.0.0.0/30", net.addr, &net.prefix));
	gossip_block_network(&parent, &net);
	CHECK(route(10) == 0 && route(20) == 0 && route(30) == 4004);
	CHECK(gossip_heard(&parent) == 1);
	/* A configured one keeps its place. */
	CHECK(parent.gossip.sources[0].port == 4001);
	CHECK(parent.gossip.sources[1].port == 0);
	tear_down();
}

/* Who is connected here stays so, whatever others say. */
static void
test_never_displaces(void)
{
	static const uint32_t ids[] = { 10 };
	struct peermap_entry entry;
	uint32_t number;

	CHECK(set_up() == 0);
	number = pmap_add(&parent.map, 10, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = 3;
	entry.slot = 4;
	pmap_store(&parent.map, number, &entry);
	CHECK(chunk(1, 4001, ids, 1, 1, 1) == NULL);
	CHECK(peermap_lookup(&parent.map.view, 10, &entry) == 1);
	CHECK(entry.generation == 3 && entry.slot == 4);
	CHECK(chunk(1, 4001, nothing, 0, 1, 1) == NULL);
	CHECK(peermap_lookup(&parent.map.view, 10, &entry) == 1);
	CHECK(entry.generation == 3 && entry.beacon == 0);
	tear_down();
}

static void
test_chunks(void)
{
	static uint32_t ids[PROTO_SYNC_MAX + 100];
	uint32_t i, n;

	CHECK(set_up() == 0);
	for (i = 0; i < PROTO_SYNC_MAX; i++)
		ids[i] = i + 1;
	for (i = 0; i < PROTO_SYNC_MAX; i += n) {
		n = PROTO_SYNC_MAX - i;
		if (n > PROTO_SYNC_CHUNK)
			n = PROTO_SYNC_CHUNK;
		CHECK(parent.map.live == 0);
		CHECK(chunk(1, 4001, ids + i, (uint16_t)n, i == 0,
			  i + n == PROTO_SYNC_MAX) == NULL);
	}
	CHECK(parent.map.live == PROTO_SYNC_MAX);
	CHECK(route(1) == 4001 && route(PROTO_SYNC_MAX) == 4001);
	/* One that broke off is void. */
	CHECK(chunk(1, 4001, ids, 5, 1, 0) == NULL);
	CHECK(chunk(1, 4001, ids, 2, 1, 1) == NULL);
	CHECK(parent.map.live == 2);
	tear_down();
}

static void
test_hostile_worker(void)
{
	static const uint32_t ids[PROTO_SYNC_CHUNK];
	uint32_t i;

	CHECK(set_up() == 0);
	CHECK(chunk(1, 4001, ids, 1, 0, 1) != NULL);
	CHECK(chunk(1, 0, ids, 1, 1, 1) != NULL);
	CHECK(chunk(1, 4001, ids, 1, 1, 0) == NULL);
	CHECK(chunk(1, 4002, ids, 1, 0, 1) != NULL);
	CHECK(chunk(1, 4001, ids, PROTO_SYNC_CHUNK, 1, 0) == NULL);
	for (i = 1; i < 8; i++)
		CHECK(chunk(1, 4001, ids, PROTO_SYNC_CHUNK, 0, 0) == NULL);
	CHECK(chunk(1, 4001, ids, PROTO_SYNC_CHUNK, 0, 0) != NULL);
	tear_down();
}

/* Who has no memory for a Sync lives on, and so does who sent it. */
static void
test_no_memory(void)
{
	static const uint32_t one[] = { 10, 20 };
	static const uint32_t two[] = { 30 };
	uint64_t busy;

	CHECK(set_up() == 0);
	CHECK(chunk(1, 4001, one, 2, 1, 1) == NULL && route(10) == 4001);
	busy = counters_read(counters, COUNTER_SYNC_BUSY);
	no_memory = 1;
	CHECK(chunk(1, 4001, two, 1, 1, 1) == NULL);
	CHECK(counters_read(counters, COUNTER_SYNC_BUSY) == busy + 1);
	CHECK(chunk(1, 4001, two, 1, 1, 0) == NULL);
	no_memory = 0;
	CHECK(chunk(1, 4001, two, 1, 0, 0) == NULL);
	CHECK(chunk(1, 4001, two, 1, 0, 1) == NULL);
	CHECK(counters_read(counters, COUNTER_SYNC_BUSY) == busy + 2);
	CHECK(route(10) == 4001 && route(30) == 0);
	/* It is over. */
	CHECK(chunk(1, 4001, two, 1, 0, 1) != NULL);
	CHECK(chunk(1, 4001, two, 1, 1, 0) == NULL);
	no_memory = 1;
	CHECK(chunk(1, 4001, two, 1, 0, 1) == NULL);
	no_memory = 0;
	CHECK(counters_read(counters, COUNTER_SYNC_BUSY) == busy + 3);
	CHECK(chunk(1, 4001, two, 1, 1, 1) == NULL && route(30) == 4001);
	tear_down();
}

/* Forged Syncs without end must not cost more than so much. */
static void
test_bounded(void)
{
	static uint32_t ids[1];
	uint32_t i;

	CHECK(set_up() == 0);
	parent.conf->accept_gossip_from_any = 1;
	for (i = 0; i < 2 * PROTO_BEACONS_MAX; i++) {
		ids[0] = i + 1;
		CHECK(chunk((uint8_t)(1 + i / SHARES_MAX),
			  (uint16_t)(10000 + i % SHARES_MAX), ids, 1, 1,
			  1) == NULL);
		parent.gossip.taken = 0;
	}
	CHECK(parent.gossip.nsources == PROTO_BEACONS_MAX);
	CHECK(parent.map.live == PROTO_BEACONS_MAX - 1);
	parent.gossip.taken = 1000000;
	ids[0] = 1000000;
	CHECK(chunk(1, 4001, ids, 1, 1, 1) == NULL && route(1000000) == 0);
	tear_down();
}

/* A forger of a peer's address does not take the numbers of all others. */
static void
test_ports_of_one_host(void)
{
	uint32_t i, id;

	CHECK(set_up() == 0);
	for (i = 0; i < 1000; i++) {
		id = i + 1;
		CHECK(chunk(1, (uint16_t)(10000 + i), &id, 1, 1, 1) == NULL);
	}
	CHECK(parent.gossip.nsources == SHARES_MAX + 1);
	id = 5000;
	CHECK(chunk(1, 10000, &id, 1, 1, 1) == NULL && route(5000) != 0);
	tear_down();
}

/* A whole Sync of as many nodes as there can be, from `first` on. */
static void
full(uint8_t host, uint16_t port, uint32_t first)
{
	static uint32_t ids[PROTO_SYNC_MAX];
	uint32_t i, n;

	for (i = 0; i < PROTO_SYNC_MAX; i++)
		ids[i] = first + i;
	for (i = 0; i < PROTO_SYNC_MAX; i += n) {
		n = PROTO_SYNC_MAX - i;
		if (n > PROTO_SYNC_CHUNK)
			n = PROTO_SYNC_CHUNK;
		CHECK(chunk(host, port, ids + i, (uint16_t)n, i == 0,
			  i + n == PROTO_SYNC_MAX) == NULL);
	}
	parent.gossip.taken = 0;
}

/* However many ports it speaks by. */
static void
test_one_beacon_leaves_room_for_others(void)
{
	uint64_t crowded;
	uint32_t i, id;

	CHECK(set_up() == 0);
	parent.conf->accept_gossip_from_any = 1;
	crowded = counters_read(counters, COUNTER_SYNC_CROWDED);
	for (i = 0; i <= SHARES_MAX; i++)
		full(1, (uint16_t)(4001 + i), 1000000 * (i + 1));
	CHECK(parent.map.live == 24 * PROTO_SYNC_MAX);
	CHECK(counters_read(counters, COUNTER_SYNC_CROWDED) ==
	      crowded + SHARES_MAX + 1 - 24);
	/* Who was refused has no number either. */
	CHECK(parent.gossip.nsources == 24);
	/* What it has it may change. */
	full(1, 4001, 500000);
	CHECK(route(500000) == 4001 && route(1000000) == 0);
	id = 7;
	CHECK(chunk(2, 9, &id, 1, 1, 1) == NULL && route(7) == 9);
	tear_down();
}

/* Those of the registry's list are heard for as long as they stand there. */
static void
test_registered(void)
{
	static const uint32_t ids[] = { 10 };
	uint8_t addr[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0,
		0, 2 };
	uint32_t i;

	CHECK(set_up() == 0);
	gossip_register_begin(&parent);
	gossip_register(&parent, addr, 4001);
	gossip_register_end(&parent);
	CHECK(gossip_peer(&parent, addr) == GOSSIP_REGISTERED);
	CHECK(chunk(2, 4001, ids, 1, 1, 1) == NULL && route(10) == 4001);
	/* A reload has nothing to say about them. */
	gossip_reload(&parent);
	CHECK(gossip_peer(&parent, addr) == GOSSIP_REGISTERED);
	CHECK(route(10) == 4001);
	/* A list without it. */
	gossip_register_begin(&parent);
	addr[15] = 1;
	gossip_register(&parent, addr, 4001);
	gossip_register_end(&parent);
	CHECK(gossip_peer(&parent, addr) ==
	      (GOSSIP_CONFIGURED | GOSSIP_REGISTERED));
	CHECK(route(10) == 0);
	CHECK(chunk(2, 4001, ids, 1, 1, 1) == NULL && route(10) == 0);
	gossip_register_begin(&parent);
	gossip_register_end(&parent);
	CHECK(gossip_peer(&parent, addr) == GOSSIP_CONFIGURED);
	/* There is an end to them. */
	gossip_register_begin(&parent);
	for (i = 0; i <= PROTO_BEACONS_MAX; i++) {
		addr[14] = (uint8_t)(i >> 8);
		addr[13] = 9;
		addr[15] = (uint8_t)i;
		gossip_register(&parent, addr, 4001);
	}
	gossip_register_end(&parent);
	CHECK(parent.gossip.nsources == PROTO_BEACONS_MAX);
	tear_down();
}

static void
restore(uint8_t host, uint16_t port, uint32_t id, uint32_t ago)
{
	struct sync sync;

	memset(&sync, 0, sizeof(sync));
	sync.from.addr[10] = sync.from.addr[11] = 0xff;
	sync.from.addr[12] = 127;
	sync.from.addr[15] = host;
	sync.from.port = port;
	sync.from.beacon = 42;
	sync.from.listener = PROTO_LISTENER_ANY;
	sync.ids = &id;
	sync.count = 1;
	gossip_restore(&parent, &sync, ago);
}

/* What another parent has heard is as old here as it was there. */
static void
test_restored(void)
{
	const struct source *source;

	CHECK(set_up() == 0);
	restore(1, 4001, 10, 60);
	restore(1, 5000, 20, 89);
	restore(1, 5001, 30, 90);
	restore(1, 5002, 30, UINT32_MAX);
	restore(2, 4001, 40, 1);
	source = parent.gossip.sources;
	CHECK(route(10) == 4001 && route(20) == 5000 && route(30) == 0);
	CHECK(route(40) == 0 && gossip_heard(&parent) == 2);
	CHECK(clock_seconds() - source[0].heard >= 60);
	CHECK(clock_seconds() - source[0].heard < 80);
	CHECK(source[0].beacon == 42);
	/* What it says itself is new. */
	CHECK(chunk(1, 4001, nothing, 0, 1, 1) == NULL && route(10) == 0);
	CHECK(clock_seconds() - source[0].heard < 30);
	tear_down();
}

/* A peer is not heard by what could not be taken of it. */
static void
test_what_is_not_restored_is_not_heard(void)
{
	CHECK(set_up() == 0);
	no_memory = 1;
	restore(1, 4001, 10, 60);
	no_memory = 0;
	CHECK(gossip_heard(&parent) == 0 && route(10) == 0);
	tear_down();
}

int
main(void)
{
	RUN(test_ports_of_one_host);
	RUN(test_replaced_in_one_step);
	RUN(test_each_port_for_itself);
	RUN(test_stranger);
	RUN(test_silence);
	RUN(test_a_blocked_network_is_forgotten);
	RUN(test_registered);
	RUN(test_one_beacon_leaves_room_for_others);
	RUN(test_never_displaces);
	RUN(test_chunks);
	RUN(test_hostile_worker);
	RUN(test_no_memory);
	RUN(test_bounded);
	RUN(test_restored);
	RUN(test_what_is_not_restored_is_not_heard);
	return (test_failed());
}
