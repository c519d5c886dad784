/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include "regress/unit/test.h"
#include "worker/beacon_table.h"
#include "worker/packet.h"
#include "worker/worker.h"

/*
 * The relay with neither sessions, workers nor sockets: what it hands to those
 * below it is kept here.
 */

enum node { NOBODY = 1, HERE, THERE, BY_UDP, BY_BEACON };

static struct worker w;
static struct beacon_table beacons;
static uint8_t room[RX_HEADROOM + 200];
static uint8_t *const packet = room + RX_HEADROOM;

/* What was handed down last. */
static const char *way;
static uint8_t got[200];
static size_t got_len;
static uint32_t got_slot, got_generation, got_worker, got_dest;
static struct path got_path;

static void
keep(const char *by, const uint8_t *bytes, size_t len)
{
	way = by;
	got_len = len;
	memcpy(got, bytes, len);
}

int
session_write_frame(struct worker *of, uint32_t slot, uint32_t generation,
    uint8_t *frame, size_t len)
{
	keep("session", frame, len);
	got_slot = slot;
	got_generation = generation;
	return (1);
}

int
route_packet(struct worker *of, uint32_t number, uint32_t dest, uint32_t sender,
    uint8_t *payload, size_t len)
{
	keep("worker", payload, len);
	got_worker = number;
	got_dest = dest;
	return (sender == 9);
}

void
udp_send(struct worker *of, const struct path *path, uint8_t *bytes, size_t len)
{
	keep("udp", bytes, len);
	got_path = *path;
}

uint8_t *
burst_own(struct worker *of)
{
	static uint8_t own[64];

	return (own + 16);
}

void
punch_request(struct worker *of, const struct path *from, int is_endpoint,
    const uint8_t *bytes, size_t len)
{
	keep(is_endpoint ? "punch, endpoint" : "punch", bytes, len);
	got_path = *from;
}

static struct peermap_entry *
know(uint32_t node)
{
	static uint8_t *base;
	struct peermap_entry *entry;
	uint32_t *index;

	if (base == NULL) {
		base = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		((struct peermap_header *)(void *)base)->index =
		    PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
		peermap_view(&w.map, (void *)base);
	}
	index = (void *)(base + PEERMAP_INDEX_OFF);
	index[peermap_hash(w.map.header, node) &
	      PEERMAP_INDEX_MASK(w.map.header->index)] = node + 1;
	entry = (void *)(base + PEERMAP_ENTRY_OFF);
	entry[node].node = node;
	return (&entry[node]);
}

static struct origin peer = { .node = 9,
	.slot = 3,
	.generation = 30,
	.hint = PEERMAP_NONE,
	.at = { { [10] = 0xff, 0xff, 192, 0, 2, 7 }, 4711 } };

/* A Relay of five bytes, in the name of sender, as peer's message. */
static void
relay(uint32_t sender, uint32_t dest)
{
	packet[0] = PACKET_RELAY;
	packet_put_u32(packet + 1, sender);
	packet_put_u32(packet + 5, dest);
	memcpy(packet + PACKET_RELAY_LEN, "hello", 5);
	way = "nowhere";
	relay_upper.frame(&w, &peer, packet, PACKET_RELAY_LEN + 5);
}

static uint32_t late; /* the generation that has just moved from here */

int
move_out_late(struct worker *of, uint32_t node, uint32_t generation,
    uint8_t *frame, size_t len)
{
	if (generation != late)
		return (0);
	way = "late";
	got_len = len;
	memcpy(got, frame, len);
	return (1);
}

static int
is_deliver(void)
{
	return (got_len == PACKET_DELIVER_LEN + 5 && got[0] == PACKET_DELIVER &&
		packet_u32(got + 1) == 9 && memcmp(got + 5, "hello", 5) == 0);
}

static void
test_to_a_session_of_ours(void)
{
	relay(9, HERE);
	CHECK(strcmp(way, "session") == 0 && is_deliver());
	CHECK(got_slot == 2 && got_generation == 20);
}

static void
test_to_another_worker(void)
{
	relay(9, THERE);
	CHECK(strcmp(way, "worker") == 0 && got_worker == 1);
	CHECK(got_dest == THERE && got_len == 5);
	CHECK(memcmp(got, "hello", 5) == 0);
}

static void
test_to_where_a_node_was_heard(void)
{
	relay(9, BY_UDP);
	CHECK(strcmp(way, "udp") == 0 && is_deliver());
	CHECK(got_path.far.port == 4000);
	know(BY_UDP)->seen = w.now - ENDPOINT_EXPIRE;
	relay(9, BY_UDP);
	CHECK(strcmp(way, "nowhere") == 0);
	know(BY_UDP)->seen = w.now;
}

static void
test_to_the_beacon_that_has_announced_it(void)
{
	relay(9, BY_BEACON);
	CHECK(strcmp(way, "udp") == 0 && got_path.far.port == 9001);
	CHECK(got_len == PACKET_RELAY_LEN + 5 && got[0] == PACKET_RELAY);
}

static void
test_nobody_speaks_for_another(void)
{
	uint64_t refused;

	refused = counters_read(counters, COUNTER_DROP_SENDER);
	relay(HERE, HERE);
	CHECK(strcmp(way, "nowhere") == 0);
	CHECK(counters_read(counters, COUNTER_DROP_SENDER) == refused + 1);
	relay(9, NOBODY);
	CHECK(strcmp(way, "nowhere") == 0);
}

static void
test_an_answer_goes_where_the_question_came_from(void)
{
	packet[0] = PACKET_DISCOVER;
	relay_upper.frame(&w, &peer, packet, PACKET_DISCOVER_LEN);
	CHECK(strcmp(way, "session") == 0);
	CHECK(got_slot == 3 && got_generation == 30);
	CHECK(got[0] == PACKET_DISCOVER_REPLY && got_len == 8);
	CHECK(memcmp(got + 2, "\300\0\2\7", 4) == 0);
}

/* An address, but no endpoint that anything can be sent to. */
static void
test_a_punch_is_asked_for_without_a_port(void)
{
	packet[0] = PACKET_PUNCH_REQUEST;
	packet_put_u32(packet + 1, 9);
	packet_put_u32(packet + 5, BY_UDP);
	relay_upper.frame(&w, &peer, packet, PACKET_PUNCH_LEN);
	CHECK(strcmp(way, "punch") == 0 && got_path.far.port == 0);
	CHECK(memcmp(got_path.far.addr, peer.at.addr, 16) == 0);
}

/* From another worker, for a session that has gone to a third one. */
static void
test_what_comes_late_follows_a_session(void)
{
	uint8_t bytes[PACKET_DELIVER_LEN + 5] = "_____hello";
	uint64_t stale;

	stale = counters_read(counters, COUNTER_DROP_STALE);
	way = "";
	relay_delivery(&w, 1, THERE, 9, bytes + PACKET_DELIVER_LEN, 5);
	CHECK(strcmp(way, "") == 0 &&
	      counters_read(counters, COUNTER_DROP_STALE) == stale + 1);
	late = 21;
	relay_delivery(&w, 1, THERE, 9, bytes + PACKET_DELIVER_LEN, 5);
	CHECK(strcmp(way, "late") == 0 && is_deliver());
	CHECK(counters_read(counters, COUNTER_DROP_STALE) == stale + 1);
	late = 0;
}

int
main(void)
{
	w.now = 1000;
	w.beacons = &beacons;
	beacons.at[4].far.port = 9001;
	know(HERE)->generation = 20;
	know(HERE)->slot = 2;
	know(THERE)->generation = 21;
	know(THERE)->worker = 1;
	know(BY_UDP)->port = 4000;
	know(BY_UDP)->seen = w.now;
	know(BY_BEACON)->beacon = 5;
	RUN(test_to_a_session_of_ours);
	RUN(test_to_another_worker);
	RUN(test_to_where_a_node_was_heard);
	RUN(test_to_the_beacon_that_has_announced_it);
	RUN(test_nobody_speaks_for_another);
	RUN(test_an_answer_goes_where_the_question_came_from);
	RUN(test_a_punch_is_asked_for_without_a_port);
	RUN(test_what_comes_late_follows_a_session);
	return (test_failed());
}
