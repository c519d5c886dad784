/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/worker.h"

/*
 * Datagrams, PROTOCOL.md 4.  Anybody can send them and claim anything, so what
 * counts is the source that was observed, and a node that is connected by
 * WebSocket has nothing to say here.
 */

/* Is the node connected by WebSocket?  Fills in its entry, if there is one. */
static int
datagram_entry(struct worker *w, uint32_t node, struct peermap_entry *entry)
{
	if (!relay_find(w, node, entry))
		memset(entry, 0, sizeof(*entry));
	return (entry->generation != 0);
}

/* A budget: a flood of made-up nodes is not to be the parent's, or auth's. */
static int
datagram_may_report(struct worker *w)
{
	if (w->report_second != w->now) {
		w->report_second = w->now;
		w->report_count = 0;
	}
	if (w->report_count >= REPORTS_MAX) {
		counters_add(COUNTER_ENDPOINT_RATE, 1);
		return (0);
	}
	w->report_count++;
	return (1);
}

/*
 * node was heard at source: tells the parent, unless the map says so already.
 * Returns 0 if the node's address changed only just now and stays, else 1.
 */
static int
datagram_endpoint(struct worker *w, uint32_t node, uint32_t flags,
    const struct endpoint *source, const struct peermap_entry *entry)
{
	struct msg_endpoint msg;
	int known, same;

	known =
	    entry->port != 0 && worker_age(w, entry->seen) < ENDPOINT_EXPIRE;
	if (known)
		flags |= entry->flags & PEERMAP_UDP_EX;
	same = entry->port == source->port &&
	       memcmp(entry->addr, source->addr, sizeof(entry->addr)) == 0;
	if (same && entry->flags == flags &&
	    worker_age(w, entry->seen) < ENDPOINT_FRESH)
		return (1);
	if (!same && known && worker_age(w, entry->moved) < ENDPOINT_HOLD) {
		counters_add(COUNTER_ENDPOINT_HELD, 1);
		return (0);
	}
	if (!datagram_may_report(w))
		return (1);
	msg.node = node;
	msg.flags = flags;
	memcpy(msg.addr, source->addr, sizeof(msg.addr));
	msg.port = source->port;
	/* A full channel loses it; the node will say it again. */
	if (channel_send(&w->parent, WP_ENDPOINT, 0, -1, &msg, sizeof(msg)) ==
	    -1)
		counters_add(COUNTER_ENDPOINT_RATE, 1);
	return (1);
}

/* A key for punch grants, told once per endpoint and not with each refresh. */
static void
datagram_first_key(struct worker *w, uint32_t node, const uint8_t *key)
{
	struct msg_first_key msg;

	msg.node = node;
	memcpy(msg.key, key, sizeof(msg.key));
	(void)channel_send(&w->auth, WA_FIRST_KEY, 0, -1, &msg, sizeof(msg));
}

static void
datagram_discover(struct worker *w, uint32_t listener,
    const struct endpoint *source, const uint8_t *packet, size_t len)
{
	struct peermap_entry entry;
	uint32_t flags, node;
	uint8_t *answer;
	size_t n;

	node = packet_u32(packet + 1);
	counters_add(COUNTER_DISCOVERS, 1);
	if (node != 0 && !datagram_entry(w, node, &entry)) {
		flags = listener << PEERMAP_LISTENER_SHIFT;
		if (packet[0] == PACKET_DISCOVER_EX)
			flags |= PEERMAP_UDP_EX;
		if (len >= PACKET_DISCOVER_KEY_LEN &&
		    worker_age(w, entry.seen) >= ENDPOINT_FRESH &&
		    datagram_may_report(w))
			datagram_first_key(
			    w, node, packet + PACKET_DISCOVER_LEN);
		(void)datagram_endpoint(w, node, flags, source, &entry);
	}
	answer = gather_own(w);
	n = packet_address(
	    answer, PACKET_DISCOVER_REPLY, source->addr, source->port);
	udp_send(w, listener, source, answer, n);
}

static void
datagram_punch(struct worker *w, uint32_t listener,
    const struct endpoint *source, const uint8_t *packet, size_t len)
{
	struct peermap_entry entry;
	uint32_t requester;
	int is_endpoint;

	requester = packet_u32(packet + 1);
	if (requester == 0 || datagram_entry(w, requester, &entry)) {
		counters_add(COUNTER_DROP_SENDER, 1);
		return;
	}
	is_endpoint = datagram_endpoint(
	    w, requester, listener << PEERMAP_LISTENER_SHIFT, source, &entry);
	punch_request(w, source, listener, is_endpoint, packet, len);
}

static void
datagram_relay(struct worker *w, const struct endpoint *source, uint8_t *packet,
    size_t len)
{
	struct peermap_entry entry;

	if (datagram_entry(w, packet_u32(packet + 1), &entry)) {
		counters_add(COUNTER_DROP_SENDER, 1);
		return;
	}
	relay_packet(w,
	    beacons_known(w, source, 1) ? RELAY_FROM_BEACON : RELAY_FROM_UDP,
	    relay_hint(w, packet_u32(packet + 5)), packet, len);
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

/*
 * One datagram that came in by listener from source.  Its bytes may be written
 * into, RX_HEADROOM before them too, and stay until gather_flush().
 */
void
datagram(struct worker *w, uint32_t listener, const struct endpoint *source,
    uint8_t *packet, size_t len)
{
	size_t min;

	/* Nothing can be sent there, and to the parent it means nowhere. */
	if (source->port == 0) {
		counters_add(COUNTER_DROP_SENDER, 1);
		return;
	}
	if (!limit_source(w->packets, source->addr, source->port, w->now,
		w->settings.source_packet_limit) &&
	    !beacons_known(w, source, 1)) {
		counters_add(COUNTER_DROP_RATE, 1);
		return;
	}
	min = len == 0 ? 1 : datagram_min(packet[0]);
	if (min == 0 || len < min) {
		counters_add(
		    min == 0 ? COUNTER_DROP_TYPE : COUNTER_DROP_SHORT, 1);
		return;
	}
	switch (packet[0]) {
	case PACKET_DISCOVER:
	case PACKET_DISCOVER_EX:
		datagram_discover(w, listener, source, packet, len);
		break;
	case PACKET_PUNCH_REQUEST:
		datagram_punch(w, listener, source, packet, len);
		break;
	case PACKET_RELAY:
		datagram_relay(w, source, packet, len);
		break;
	default:
		beacons_sync(w, source, packet, len);
		break;
	}
}
