/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include "regress/unit/counted.h"
#include "regress/unit/test.h"
#include "worker/beacon_table.h"
#include "worker/packet.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * The relay with neither sessions, workers nor sockets: what it hands to those
 * below it is kept here.
 */

enum node { NOBODY = 1, HERE, THERE, BY_UDP, BY_BEACON, BY_LAST };

static struct worker w;
static struct beacon_table beacons;
static uint8_t room[RX_HEADROOM + PACKET_RELAY_LEN + PROTO_DELIVERY_MAX];
static uint8_t *const packet = room + RX_HEADROOM;

/* What was handed down last. */
static const char *way;
static uint8_t got[PROTO_DELIVERY_MAX];
static size_t got_len;
static uint32_t got_slot, got_generation, got_worker, got_dest;
static struct path got_path;
static int gone; /* boolean: sessions are, and ways to workers full */

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
	return (!gone);
}

int
route_packet(struct worker *of, uint32_t number, uint32_t dest, uint32_t sender,
    uint8_t *payload, size_t len)
{
	keep("worker", payload, len);
	got_worker = number;
	got_dest = dest;
	return (sender == 9 && !gone);
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

static uint32_t claimed; /* by a peer that was reported */

void
report_spoofed(enum event_kind kind, const struct endpoint *from, uint32_t node,
    uint32_t other)
{
	if (kind == EVENT_SPOOFED_PEER && from->port == 4711 && node == 9)
		claimed = other;
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

static void
compose(uint32_t sender, uint32_t dest)
{
	packet[0] = PACKET_RELAY;
	packet_put_u32(packet + 1, sender);
	packet_put_u32(packet + 5, dest);
	memcpy(packet + PACKET_RELAY_LEN, "hello", 5);
	way = "nowhere";
}

/* A Relay of five bytes, in the name of sender, as peer's message. */
static void
relay(uint32_t sender, uint32_t dest)
{
	compose(sender, dest);
	relay_upper.frame(&w, &peer, packet, PACKET_RELAY_LEN + 5);
}

/* Of so many bytes. */
static void
relay_len(uint32_t dest, size_t len)
{
	compose(9, dest);
	relay_upper.frame(&w, &peer, packet, PACKET_RELAY_LEN + len);
}

/* A datagram of 9, or of another beacon's. */
static void
relay_datagram(enum relay_source from, uint32_t dest)
{
	uint32_t hint = PEERMAP_NONE;

	compose(9, dest);
	relay_packet(&w, from, &hint, packet, PACKET_RELAY_LEN + 5);
}

/* Another kind of message of peer's, of len bytes. */
static void
message(enum packet_type type, size_t len)
{
	compose(9, BY_UDP);
	packet[0] = type;
	relay_upper.frame(&w, &peer, packet, len);
}

/* What worker says that `sender` sent to dest. */
static void
delivery(uint32_t worker, uint32_t dest, uint32_t sender)
{
	static uint8_t bytes[PACKET_DELIVER_LEN + 5] = "_____hello";

	way = "nowhere";
	relay_delivery(&w, worker, dest, sender, bytes + PACKET_DELIVER_LEN, 5);
}

/* Was it handed down that way, and only what is here counted? */
static int
went(const char *where, enum counter c)
{
	return (strcmp(way, where) == 0 && counted(c));
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
	CHECK(went("session", COUNTER_BRIDGE_WW) && is_deliver());
	CHECK(got_slot == 2 && got_generation == 20);
	relay_datagram(RELAY_FROM_UDP, HERE);
	CHECK(went("session", COUNTER_BRIDGE_UW) && is_deliver());
	gone = 1;
	relay(9, HERE);
	gone = 0;
	CHECK(counted(COUNTER_DROP_STALE));
}

static void
test_to_another_worker(void)
{
	relay(9, THERE);
	CHECK(went("worker", COUNTER_BRIDGE_WW) && got_worker == 1);
	CHECK(got_dest == THERE && got_len == 5);
	CHECK(memcmp(got, "hello", 5) == 0);
	gone = 1;
	relay(9, THERE);
	gone = 0;
	CHECK(counted_all());
}

static void
test_no_longer_than_a_message_may_be(void)
{
	relay_len(HERE, PROTO_DELIVERY_MAX - PACKET_DELIVER_LEN);
	CHECK(went("session", COUNTER_BRIDGE_WW));
	CHECK(got_len == PROTO_DELIVERY_MAX);
	relay_len(HERE, PROTO_DELIVERY_MAX - PACKET_DELIVER_LEN + 1);
	CHECK(went("nowhere", COUNTER_DROP_TOO_LARGE));
	relay_len(HERE, 0);
	CHECK(went("session", COUNTER_BRIDGE_WW));
	CHECK(got_len == PACKET_DELIVER_LEN);
}

static void
test_to_where_a_node_was_heard(void)
{
	/* From a listener, by way of which it never sent a DiscoverEx. */
	know(BY_UDP)->flags = 1 << PEERMAP_LISTENER_SHIFT;
	relay(9, BY_UDP);
	CHECK(went("udp", COUNTER_BRIDGE_WU) && is_deliver());
	CHECK(got_path.far.port == 1 && got_path.listener == 1);
	know(BY_UDP)->flags = PEERMAP_UDP_EX;
	relay_datagram(RELAY_FROM_BEACON, BY_UDP);
	CHECK(went("udp", COUNTER_BRIDGE_UU));
	CHECK(got[0] == PACKET_DELIVER_DEST);
	CHECK(packet_u32(got + 5) == BY_UDP);
	know(BY_UDP)->seen = w.now - ENDPOINT_EXPIRE + 1;
	relay(9, BY_UDP);
	CHECK(went("udp", COUNTER_BRIDGE_WU));
	know(BY_UDP)->seen = w.now - ENDPOINT_EXPIRE;
	relay(9, BY_UDP);
	CHECK(went("nowhere", COUNTER_DROP_NOT_FOUND));
	know(BY_UDP)->seen = w.now;
}

/* To the beacon with that number. */
static int
went_to_beacon(uint32_t port, uint32_t column)
{
	counted_page.beacon[BEACON_OUT][column]++;
	return (went("udp", COUNTER_TO_BEACONS) && got_path.far.port == port &&
		got_len == PACKET_RELAY_LEN + 5 && got[0] == PACKET_RELAY);
}

static void
test_to_the_beacon_that_has_announced_it(void)
{
	relay(9, BY_BEACON);
	CHECK(went_to_beacon(9001, 4));
	relay(9, BY_LAST);
	CHECK(went_to_beacon(9002, BEACON_OTHERS));
	/* What came from one goes to none. */
	relay_datagram(RELAY_FROM_BEACON, BY_BEACON);
	CHECK(went("nowhere", COUNTER_DROP_NOT_FOUND));
	relay_datagram(RELAY_FROM_UDP, BY_BEACON);
	CHECK(went_to_beacon(9001, 4));
}

static void
test_to_the_default_beacon(void)
{
	relay(9, NOBODY);
	CHECK(went("nowhere", COUNTER_DROP_NOT_FOUND));
	beacons.at[BEACON_DEFAULT].far.port = 9003;
	relay(9, NOBODY);
	CHECK(went_to_beacon(9003, BEACON_DEFAULT_COLUMN));
	beacons.at[BEACON_DEFAULT].far.port = 0;
}

static void
test_nobody_speaks_for_another(void)
{
	relay(HERE, HERE);
	CHECK(went("nowhere", COUNTER_DROP_SENDER) && claimed == HERE);
	compose(THERE, BY_UDP);
	packet[0] = PACKET_PUNCH_REQUEST;
	relay_upper.frame(&w, &peer, packet, PACKET_PUNCH_LEN);
	CHECK(went("nowhere", COUNTER_DROP_SENDER) && claimed == THERE);
}

static void
test_an_answer_goes_where_the_question_came_from(void)
{
	message(PACKET_DISCOVER, PACKET_DISCOVER_LEN);
	CHECK(went("session", COUNTER_DISCOVERS));
	CHECK(got_slot == 3 && got_generation == 30);
	CHECK(got[0] == PACKET_DISCOVER_REPLY && got_len == 8);
	CHECK(memcmp(got + 2, "\300\0\2\7", 4) == 0);
	message(PACKET_DISCOVER_EX, PACKET_DISCOVER_LEN);
	CHECK(went("session", COUNTER_DISCOVERS));
}

/* An address, but no endpoint that anything can be sent to. */
static void
test_a_punch_is_asked_for_without_a_port(void)
{
	message(PACKET_PUNCH_REQUEST, PACKET_PUNCH_LEN);
	CHECK(strcmp(way, "punch") == 0 && got_path.far.port == 0);
	CHECK(memcmp(got_path.far.addr, peer.at.addr, 16) == 0);
	CHECK(got_path.listener == UDP_LISTENER_ANY && counted_all());
}

static void
test_what_is_short_or_unknown(void)
{
	message(PACKET_SYNC, 0);
	CHECK(went("nowhere", COUNTER_DROP_SHORT));
	message(PACKET_RELAY, 1);
	CHECK(went("nowhere", COUNTER_DROP_SHORT));
	message(PACKET_RELAY, PACKET_RELAY_LEN - 1);
	CHECK(went("nowhere", COUNTER_DROP_SHORT));
	message(PACKET_DISCOVER, PACKET_DISCOVER_LEN - 1);
	CHECK(went("nowhere", COUNTER_DROP_SHORT));
	message(PACKET_PUNCH_REQUEST, PACKET_PUNCH_LEN - 1);
	CHECK(went("nowhere", COUNTER_DROP_SHORT));
	message(PACKET_SYNC, 100);
	CHECK(went("nowhere", COUNTER_DROP_TYPE));
	message(PACKET_SYNC, 1);
	CHECK(went("nowhere", COUNTER_DROP_TYPE));
}

/* From another worker, for a session that has gone to a third one. */
static void
test_what_comes_late_follows_a_session(void)
{
	delivery(1, THERE, 9);
	CHECK(went("nowhere", COUNTER_DROP_STALE));
	late = 21;
	delivery(1, THERE, 9);
	late = 0;
	CHECK(strcmp(way, "late") == 0 && is_deliver() && counted_all());
}

/* For those that the map gives to it, and for those without a session. */
static void
test_whom_a_worker_may_speak_for(void)
{
	delivery(1, HERE, THERE);
	CHECK(strcmp(way, "session") == 0 && counted_all());
	delivery(2, HERE, THERE);
	CHECK(went("nowhere", COUNTER_DROP_SENDER));
	know(THERE)->generation = 1;
	delivery(2, HERE, THERE);
	know(THERE)->generation = 21;
	CHECK(went("nowhere", COUNTER_DROP_SENDER));
	delivery(1, HERE, BY_UDP);
	CHECK(strcmp(way, "session") == 0 && counted_all());
	delivery(1, HERE, NOBODY);
	CHECK(strcmp(way, "session") == 0 && counted_all());
	/* And to sessions that there are. */
	delivery(1, BY_UDP, NOBODY);
	CHECK(went("nowhere", COUNTER_DROP_STALE));
	delivery(1, NOBODY, NOBODY);
	CHECK(went("nowhere", COUNTER_DROP_STALE));
	know(HERE)->generation = 1;
	delivery(1, HERE, NOBODY);
	know(HERE)->generation = 20;
	CHECK(strcmp(way, "session") == 0 && counted_all());
}

int
main(void)
{
	w.now = 1000;
	w.beacons = &beacons;
	beacons.at[4].far.port = 9001;
	beacons.at[PROTO_BEACONS_MAX - 1].far.port = 9002;
	know(HERE)->generation = 20;
	know(HERE)->slot = 2;
	know(THERE)->generation = 21;
	know(THERE)->worker = 1;
	know(BY_UDP)->port = 1;
	know(BY_UDP)->seen = w.now;
	know(BY_BEACON)->beacon = 5;
	know(BY_BEACON)->seen = w.now;
	know(BY_LAST)->beacon = PROTO_BEACONS_MAX;
	RUN(test_to_a_session_of_ours);
	RUN(test_to_another_worker);
	RUN(test_no_longer_than_a_message_may_be);
	RUN(test_to_where_a_node_was_heard);
	RUN(test_to_the_beacon_that_has_announced_it);
	RUN(test_to_the_default_beacon);
	RUN(test_nobody_speaks_for_another);
	RUN(test_an_answer_goes_where_the_question_came_from);
	RUN(test_a_punch_is_asked_for_without_a_port);
	RUN(test_what_is_short_or_unknown);
	RUN(test_what_comes_late_follows_a_session);
	RUN(test_whom_a_worker_may_speak_for);
	return (test_failed());
}
