/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/lookup.h"
#include "worker/packet.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * Datagrams, doc/protocol.md 4.  Anybody can send them and claim anything, so
 * what counts is the source that was observed, and a node that is connected by
 * WebSocket has nothing to say here.
 */

/* Is the node connected by WebSocket?  Fills in its entry, if there is one. */
static int
datagram_entry(struct worker *w, uint32_t node, struct peermap_entry *entry)
{
	if (!lookup(w, node, entry))
		memset(entry, 0, sizeof(*entry));
	return (entry->generation != 0);
}

static void
datagram_discover(struct worker *w, const struct path *path,
    const uint8_t *packet, size_t len)
{
	struct peermap_entry entry;
	uint32_t node;

	node = packet_u32(packet + 1);
	if (node == 0 || datagram_entry(w, node, &entry))
		discover_answer(w, path);
	else
		discover(w, path, &entry, packet, len);
}

/* It names a node that is connected by WebSocket, or none, as its sender. */
static void
datagram_spoofed(const struct endpoint *source, uint32_t claimed)
{
	counters_add(COUNTER_DROP_SENDER, 1);
	report_spoofed(EVENT_SPOOFED_DATAGRAM, source, 0, claimed);
}

static void
datagram_punch(struct worker *w, const struct path *path, const uint8_t *packet,
    size_t len)
{
	struct peermap_entry entry;
	uint32_t requester;
	int held;

	requester = packet_u32(packet + 1);
	if (requester == 0 || datagram_entry(w, requester, &entry)) {
		datagram_spoofed(&path->far, requester);
		return;
	}
	held = discover_note(w, requester, path, &entry, 0, 0) == NOTED_HELD;
	punch_request(w, path, !held, packet, len);
}

static void
datagram_relay(struct worker *w, const struct endpoint *source, uint8_t *packet,
    size_t len)
{
	struct peermap_entry entry;
	uint32_t beacon;

	if (datagram_entry(w, packet_u32(packet + 1), &entry)) {
		datagram_spoofed(source, packet_u32(packet + 1));
		return;
	}
	beacon = beacons_known(w, source, 1);
	if (beacon != 0)
		counters_beacon(BEACON_IN, beacon_table_column(beacon - 1));
	relay_packet(w, beacon != 0 ? RELAY_FROM_BEACON : RELAY_FROM_UDP,
	    lookup_hint(w, packet_u32(packet + 5)), packet, len);
}

/* Bytes that a packet of this type has at least; 0: no type of ours. */
static size_t
datagram_min(uint8_t type)
{
	switch (type) {
	case PACKET_DISCOVER:
	case PACKET_DISCOVER_EX:
		return (PACKET_DISCOVER_LEN);
	case PACKET_PUNCH_REQUEST:
		return (PACKET_PUNCH_LEN);
	case PACKET_RELAY:
		return (PACKET_RELAY_LEN);
	case PACKET_SYNC:
		return (PACKET_SYNC_LEN);
	default:
		return (0);
	}
}

/* Is the source not blocked, and within its limits? */
static int
datagram_may_come(struct worker *w, const struct endpoint *source, size_t len)
{
	enum limit_excess excess;

	if (blocked(w, source->addr)) {
		counters_add(COUNTER_DROP_BLOCKED, 1);
		return (0);
	}
	excess = limit_packet(w->packets, source, w->now, len, &w->settings);
	if (excess == LIMIT_WITHIN || beacons_known(w, source, 1))
		return (1);
	counters_add(excess == LIMIT_PACKETS ? COUNTER_DROP_RATE
					     : COUNTER_DROP_BYTE_RATE,
	    1);
	return (0);
}

/*
 * One datagram that came in by that path.  Its bytes may be written into,
 * RX_HEADROOM before them too, and stay until burst_end().
 */
void
datagram(struct worker *w, const struct path *path, uint8_t *packet, size_t len)
{
	const struct endpoint *source;
	size_t min;

	source = &path->far;
	/* Nothing can be sent there, and to the parent it means nowhere. */
	if (source->port == 0) {
		counters_add(COUNTER_DROP_SENDER, 1);
		return;
	}
	if (!datagram_may_come(w, source, len))
		return;
	min = len == 0 ? 1 : datagram_min(packet[0]);
	if (min == 0 || len < min) {
		counters_add(
		    min == 0 ? COUNTER_DROP_TYPE : COUNTER_DROP_SHORT, 1);
		return;
	}
	switch (packet[0]) {
	case PACKET_DISCOVER:
	case PACKET_DISCOVER_EX:
		datagram_discover(w, path, packet, len);
		break;
	case PACKET_PUNCH_REQUEST:
		datagram_punch(w, path, packet, len);
		break;
	case PACKET_RELAY:
		datagram_relay(w, source, packet, len);
		break;
	default:
		beacons_sync(w, path, packet, len);
		break;
	}
}
