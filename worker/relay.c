/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <string.h>

#include "worker/beacon_table.h"
#include "worker/lookup.h"
#include "worker/packet.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * The relay, doc/protocol.md 4.1: knows packets, not how they travel.  The
 * bytes before each may be written into (worker/headroom.h).
 */

/* Delivers to the WebSocket session that entry names. */
static int
relay_to_session(struct worker *w, const struct peermap_entry *entry,
    uint32_t sender, uint8_t *payload, size_t len)
{
	uint8_t *frame;

	if (len + PACKET_DELIVER_LEN > PROTO_DELIVERY_MAX) {
		counters_add(COUNTER_DROP_TOO_LARGE, 1);
		return (0);
	}
	if (entry->worker != w->hello.worker)
		return (route_packet(
		    w, entry->worker, entry->node, sender, payload, len));
	frame = packet_deliver(payload, sender);
	if (!session_write_frame(w, entry->slot, entry->generation, frame,
		len + PACKET_DELIVER_LEN)) {
		counters_add(COUNTER_DROP_STALE, 1);
		return (0);
	}
	return (1);
}

static void
relay_to_endpoint(struct worker *w, const struct peermap_entry *entry,
    uint32_t sender, uint32_t dest, uint8_t *payload, size_t len)
{
	struct path path;
	uint8_t *packet;

	path_to(w, &path, entry);
	packet = (entry->flags & PEERMAP_UDP_EX) != 0
		     ? packet_deliver_dest(payload, sender, dest)
		     : packet_deliver(payload, sender);
	udp_send(w, &path, packet, len + (size_t)(payload - packet));
}

/*
 * To the peer beacon that announced the node, or else to the default one.  What
 * came from a beacon goes to none, or two that are wrong about a node would
 * pass its packets to and fro for ever.
 */
static void
relay_to_beacon(struct worker *w, enum relay_source from,
    const struct peermap_entry *entry, uint8_t *packet, size_t len)
{
	const struct path *path;
	uint32_t number;

	number = BEACON_DEFAULT;
	if (entry != NULL && entry->beacon != 0 &&
	    entry->beacon <= PROTO_BEACONS_MAX)
		number = entry->beacon - 1U;
	path = &w->beacons->at[number];
	if (from == RELAY_FROM_BEACON || path->far.port == 0) {
		counters_add(COUNTER_DROP_NOT_FOUND, 1);
		return;
	}
	counters_add(COUNTER_TO_BEACONS, 1);
	counters_beacon(BEACON_OUT, beacon_table_column(number));
	udp_send(w, path, packet, len);
}

/*
 * One Relay of at least PACKET_RELAY_LEN bytes, whose sender has been checked:
 * WebSocket first, UDP second, peer beacon third.  *hint is where the entry of
 * its destination was last.
 */
void
relay_packet(struct worker *w, enum relay_source from, uint32_t *hint,
    uint8_t *packet, size_t len)
{
	struct peermap_entry entry;
	uint32_t dest, sender;
	uint8_t *payload;
	int found;

	sender = packet_u32(packet + 1);
	dest = packet_u32(packet + 5);
	payload = packet + PACKET_RELAY_LEN;
	found = lookup_at(w, dest, hint, &entry);
	if (found && entry.generation != 0) {
		if (relay_to_session(
			w, &entry, sender, payload, len - PACKET_RELAY_LEN))
			counters_add(from == RELAY_FROM_WSS ? COUNTER_BRIDGE_WW
							    : COUNTER_BRIDGE_UW,
			    1);
	} else if (found && entry.port != 0 &&
		   worker_age(w, entry.seen) < ENDPOINT_EXPIRE) {
		relay_to_endpoint(
		    w, &entry, sender, dest, payload, len - PACKET_RELAY_LEN);
		counters_add(from == RELAY_FROM_WSS ? COUNTER_BRIDGE_WU
						    : COUNTER_BRIDGE_UU,
		    1);
	} else
		relay_to_beacon(w, from, found ? &entry : NULL, packet, len);
}

/* A packet of a WebSocket peer that names another node as its sender. */
static void
relay_spoofed(const struct origin *peer, const uint8_t *packet)
{
	counters_add(COUNTER_DROP_SENDER, 1);
	report_spoofed(
	    EVENT_SPOOFED_PEER, &peer->at, peer->node, packet_u32(packet + 1));
}

/* A Relay from a WebSocket peer, which may speak for its own node only. */
static void
relay_from_peer(
    struct worker *w, struct origin *peer, uint8_t *packet, size_t len)
{
	if (len < PACKET_RELAY_LEN) {
		counters_add(COUNTER_DROP_SHORT, 1);
		return;
	}
	if (packet_u32(packet + 1) != peer->node) {
		relay_spoofed(peer, packet);
		return;
	}
	relay_packet(w, RELAY_FROM_WSS, &peer->hint, packet, len);
}

/* Answered over the session it came by; the UDP table is not touched. */
static void
relay_discover(struct worker *w, const struct origin *peer, size_t len)
{
	uint8_t *answer;
	size_t n;

	if (len < PACKET_DISCOVER_LEN) {
		counters_add(COUNTER_DROP_SHORT, 1);
		return;
	}
	counters_add(COUNTER_DISCOVERS, 1);
	answer = burst_own(w);
	n = packet_address(
	    answer, PACKET_DISCOVER_REPLY, peer->at.addr, peer->at.port);
	(void)session_write_frame(w, peer->slot, peer->generation, answer, n);
}

/* A WebSocket peer may ask for itself only; it has no address to update. */
static void
relay_punch(struct worker *w, const struct origin *peer, const uint8_t *packet,
    size_t len)
{
	struct path path;

	if (len < PACKET_PUNCH_LEN) {
		counters_add(COUNTER_DROP_SHORT, 1);
		return;
	}
	if (packet_u32(packet + 1) != peer->node) {
		relay_spoofed(peer, packet);
		return;
	}
	memset(&path, 0, sizeof(path));
	memcpy(path.far.addr, peer->at.addr, sizeof(path.far.addr));
	path.listener = UDP_LISTENER_ANY;
	punch_request(w, &path, 0, packet, len);
}

/* One binary message of an authenticated peer, see struct upper. */
static void
relay_frame(struct worker *w, struct origin *peer, uint8_t *packet, size_t len)
{
	if (len == 0) {
		counters_add(COUNTER_DROP_SHORT, 1);
		return;
	}
	switch (packet[0]) {
	case PACKET_RELAY:
		relay_from_peer(w, peer, packet, len);
		break;
	case PACKET_DISCOVER:
	case PACKET_DISCOVER_EX:
		relay_discover(w, peer, len);
		break;
	case PACKET_PUNCH_REQUEST:
		relay_punch(w, peer, packet, len);
		break;
	default:
		counters_add(COUNTER_DROP_TYPE, 1);
		break;
	}
}

/* Who comes and goes stands in the peer map, and that is all it needs. */
static void
relay_peer(struct worker *w, const struct origin *peer, int came)
{
}

const struct upper relay_upper = { relay_frame, relay_peer };

/* For a session that has just moved from here.  Returns 0 if it has not. */
static int
relay_late(struct worker *w, const struct peermap_entry *entry, uint32_t sender,
    uint8_t *payload, size_t len)
{
	return (move_out_late(w, entry->node, entry->generation,
	    packet_deliver(payload, sender), len + PACKET_DELIVER_LEN));
}

/*
 * A packet that another worker says its peer `sender` sent to a node here.
 * A worker is believed for nodes that the map gives to it, and for nodes that
 * are no WebSocket peers at all.
 */
void
relay_delivery(struct worker *w, uint32_t worker, uint32_t dest,
    uint32_t sender, uint8_t *payload, size_t len)
{
	struct peermap_entry entry;

	if (lookup(w, sender, &entry) && entry.generation != 0 &&
	    entry.worker != worker) {
		counters_add(COUNTER_DROP_SENDER, 1);
		return;
	}
	if (!lookup(w, dest, &entry) || entry.generation == 0 ||
	    (entry.worker != w->hello.worker &&
		!relay_late(w, &entry, sender, payload, len))) {
		counters_add(COUNTER_DROP_STALE, 1);
		return;
	}
	if (entry.worker == w->hello.worker)
		(void)relay_to_session(w, &entry, sender, payload, len);
}
