/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/worker.h"

/*
 * Discovers, doc/protocol.md 4.2: where a node is.  The parent alone writes it
 * to the map.  A node is answered when the map has it, and not at all if it
 * could not be noted: then it asks again, or elsewhere.
 */

enum discover_report { DISCOVER_NEWS, DISCOVER_REFRESH };

/*
 * Budgets: a flood of made-up nodes is not to be the parent's, or auth's, and
 * leaves room for the refreshes of those that are known.  Nor does one address
 * use up the room for new ones, though many may be behind it: as many as it may
 * have in all come up within a second.  A parent that does not read for a while
 * is not to be ours.
 */
static int
discover_may_report(
    struct worker *w, enum discover_report kind, const uint8_t addr[16])
{
	if (tell_has_room(w) &&
	    (kind != DISCOVER_NEWS ||
		limit_customer(w->news, addr, w->now, NEWS_PER_SOURCE)) &&
	    persecond_take(&w->reports[kind], w->now, 1, REPORTS_MAX))
		return (1);
	counters_add(COUNTER_ENDPOINT_RATE, 1);
	return (0);
}

/* Tells the parent.  Returns 0, or -1: it will not know. */
static int
discover_report(
    struct worker *w, enum discover_report kind, const struct msg_endpoint *msg)
{
	if (!tell_may_have_heard(w, msg->addr, msg->port) ||
	    !discover_may_report(w, kind, msg->addr))
		return (-1);
	if (channel_send(&w->parent, WP_ENDPOINT, 0, -1, msg, sizeof(*msg)) ==
	    -1) {
		counters_add(COUNTER_ENDPOINT_RATE, 1);
		return (-1);
	}
	return (0);
}

/*
 * node was heard by that path; entry is what the map has of it, ex is
 * PEERMAP_UDP_EX or 0.  Tells the parent, unless the map says so already, and
 * asks it to have the node answered if that must wait for the map.
 */
enum noted
discover_note(struct worker *w, uint32_t node, const struct path *path,
    const struct peermap_entry *entry, uint32_t ex, int answer)
{
	struct msg_endpoint msg;
	uint8_t near[16];
	int known, same;

	msg.node = node;
	msg.flags = path->listener << PEERMAP_LISTENER_SHIFT | ex;
	memcpy(msg.addr, path->far.addr, sizeof(msg.addr));
	memcpy(msg.near, path->near, sizeof(msg.near));
	msg.port = path->far.port;
	known =
	    entry->port != 0 && worker_age(w, entry->seen) < ENDPOINT_EXPIRE;
	if (known)
		msg.flags |= entry->flags & PEERMAP_UDP_EX;
	same = known && entry->port == msg.port &&
	       memcmp(entry->addr, msg.addr, sizeof(msg.addr)) == 0;
	if (known && !same && worker_age(w, entry->moved) < ENDPOINT_HOLD) {
		counters_add(COUNTER_ENDPOINT_HELD, 1);
		return (NOTED_HELD);
	}
	peermap_near(&w->map, entry->near, near);
	if (!same || entry->flags != msg.flags ||
	    memcmp(near, msg.near, sizeof(near)) != 0) {
		msg.answer = answer != 0;
		return (discover_report(w, DISCOVER_NEWS, &msg) == -1
			    ? NOTED_NOT
			    : NOTED_SOON);
	}
	if (worker_age(w, entry->seen) < ENDPOINT_FRESH)
		return (NOTED);
	msg.answer = 0;
	return (discover_report(w, DISCOVER_REFRESH, &msg) == -1 ? NOTED_NOT
								 : NOTED);
}

/* A DiscoverReply to whoever is at the other end of that path. */
void
discover_answer(struct worker *w, const struct path *path)
{
	uint8_t *packet;
	size_t len;

	counters_add(COUNTER_DISCOVERS, 1);
	packet = burst_own(w);
	len = packet_address(
	    packet, PACKET_DISCOVER_REPLY, path->far.addr, path->far.port);
	udp_send(w, path, packet, len);
}

static void
discover_first_key(struct worker *w, const struct msg_first_key *msg)
{
	(void)channel_send(&w->auth, WA_FIRST_KEY, 0, -1, msg, sizeof(*msg));
}

/*
 * The key of a Discover, for punch grants: told for a node that the map has at
 * that address, or who names nodes that are not noted could fill auth with
 * their keys.  One that has lost its place to another's before the map has it
 * is told with the next refresh.
 */
static void
discover_key(struct worker *w, uint32_t node, const struct path *path,
    const uint8_t *bytes, enum noted noted)
{
	struct first_key key;

	key.at = path->far;
	key.msg.node = node;
	memcpy(key.msg.key, bytes, sizeof(key.msg.key));
	if (noted == NOTED_SOON)
		w->first_keys[node % FIRST_KEYS_MAX] = key;
	else if (noted == NOTED)
		discover_first_key(w, &key.msg);
}

/* The map has node, perhaps there: a key that came from there is told. */
static void
discover_key_noted(
    struct worker *w, uint32_t node, const struct endpoint *there)
{
	struct peermap_entry entry;
	struct first_key *key;

	key = &w->first_keys[node % FIRST_KEYS_MAX];
	if (key->msg.node != node ||
	    memcmp(&key->at, there, sizeof(*there)) != 0)
		return;
	if (peermap_lookup(&w->map, node, &entry) &&
	    entry.port == there->port &&
	    memcmp(entry.addr, there->addr, sizeof(entry.addr)) == 0)
		discover_first_key(w, &key->msg);
	key->msg.node = 0;
}

/* PW_ENDPOINT: the map has what we asked the parent to note. */
void
discover_noted(struct worker *w, const struct msg_endpoint *msg)
{
	struct path path;

	memcpy(path.far.addr, msg->addr, sizeof(path.far.addr));
	path.far.port = (uint16_t)msg->port;
	memcpy(path.near, msg->near, sizeof(path.near));
	path.listener = msg->flags >> PEERMAP_LISTENER_SHIFT;
	discover_key_noted(w, msg->node, &path.far);
	discover_answer(w, &path);
}

/*
 * A Discover of at least PACKET_DISCOVER_LEN bytes, of a node that is not
 * connected by WebSocket; entry is what the map has of it.
 */
void
discover(struct worker *w, const struct path *path,
    const struct peermap_entry *entry, const uint8_t *packet, size_t len)
{
	enum noted noted;
	uint32_t ex, node;

	node = packet_u32(packet + 1);
	ex = packet[0] == PACKET_DISCOVER_EX ? PEERMAP_UDP_EX : 0;
	noted = discover_note(w, node, path, entry, ex, 1);
	/* Told once, and not with each Discover. */
	if (len >= PACKET_DISCOVER_KEY_LEN &&
	    (noted == NOTED_SOON ||
		worker_age(w, entry->seen) >= ENDPOINT_FRESH))
		discover_key(
		    w, node, path, packet + PACKET_DISCOVER_LEN, noted);
	if (noted == NOTED || noted == NOTED_HELD)
		discover_answer(w, path);
}
