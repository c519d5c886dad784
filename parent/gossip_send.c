/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"

/* What we tell other beacons, from the ports of gossip_ports.c. */
#define GOSSIP_INTERVAL  10. /* seconds, doc/protocol.md 4.4 */
#define GOSSIP_CUT_AGAIN 600 /* seconds, from one line about it to the next */

struct tally {
	uint32_t all;
	uint32_t nodes[SHARES_MAX];
	uint32_t sessions[SHARES_MAX]; /* of these: connected by WebSocket */
};

/* Do we serve the node ourselves? */
static int
gossip_is_ours(const struct peermap_entry *entry, uint32_t now)
{
	if (entry->node == 0)
		return (0);
	return (entry->generation != 0 ||
		(entry->port != 0 &&
		    (int32_t)(now - entry->seen) < ENDPOINT_EXPIRE));
}

static uint32_t
gossip_share_of(const struct parent *parent, uint32_t node)
{
	return (peermap_hash(parent->map.header, node) &
		(parent->gossip.shares - 1));
}

/* Counts the nodes that we serve, in each share. */
static void
gossip_tally(const struct parent *parent, uint32_t now, struct tally *tally)
{
	const struct peermap_entry *entry;
	uint32_t i, share, used;

	memset(tally, 0, sizeof(*tally));
	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (!gossip_is_ours(entry, now))
			continue;
		share = gossip_share_of(parent, entry->node);
		tally->all++;
		tally->nodes[share]++;
		tally->sessions[share] += entry->generation != 0;
	}
}

/* What is more than the shares hold is not told, and that is said. */
static void
gossip_report_cut(
    struct gossip *gossip, const struct tally *tally, uint32_t now, int error)
{
	uint32_t cut, i;

	for (cut = i = 0; i < gossip->shares; i++)
		if (tally->nodes[i] > PROTO_SYNC_MAX)
			cut += tally->nodes[i] - PROTO_SYNC_MAX;
	if (cut == 0)
		return;
	counters_add(COUNTER_GOSSIP_CUT, cut);
	if (gossip->cut_said != 0 && now - gossip->cut_said < GOSSIP_CUT_AGAIN)
		return;
	gossip->cut_said = now;
	log_warnx("%u of %u nodes are not told to other beacons: only %u of "
		  "our ports can be had (%s), see beacond(8)",
	    cut, tally->all, gossip->shares, strerror(error));
}

/*
 * Lists the nodes that we serve, share after share, those connected by
 * WebSocket first: who sends datagrams can invent any number of the others.
 */
static void
gossip_fill(struct parent *parent, uint32_t now, const struct tally *tally)
{
	uint32_t at[2][SHARES_MAX], i, share, used;
	const struct peermap_entry *entry;
	struct gossip *gossip;

	gossip = &parent->gossip;
	gossip->first[0] = 0;
	for (i = 0; i < gossip->shares; i++) {
		gossip->first[i + 1] = gossip->first[i] + tally->nodes[i];
		at[1][i] = gossip->first[i];
		at[0][i] = gossip->first[i] + tally->sessions[i];
	}
	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (!gossip_is_ours(entry, now))
			continue;
		share = gossip_share_of(parent, entry->node);
		gossip->ids[at[entry->generation != 0][share]++] = entry->node;
	}
}

/* What is to be told in this round.  Returns 0, or -1 without memory. */
static int
gossip_collect(struct parent *parent)
{
	struct gossip *gossip;
	struct tally tally;
	uint32_t now, shares;
	int error;

	error = 0;
	gossip = &parent->gossip;
	now = clock_seconds();
	gossip_tally(parent, now, &tally);
	shares = gossip->shares;
	if (gossip_ports_grow(parent, tally.all) == -1)
		error = errno;
	if (gossip->shares != shares)
		gossip_tally(parent, now, &tally);
	free(gossip->ids);
	gossip->ids = reallocarray(NULL, tally.all + 1, sizeof(*gossip->ids));
	if (gossip->ids == NULL) {
		counters_add(COUNTER_GOSSIP_CUT, tally.all);
		return (-1);
	}
	gossip_fill(parent, now, &tally);
	gossip_report_cut(gossip, &tally, now, error);
	return (0);
}

static void
gossip_send_chunk(struct process *worker, struct msg_sync *msg,
    const uint32_t *ids, uint32_t left)
{
	uint8_t data[sizeof(*msg) + PROTO_SYNC_CHUNK * sizeof(*ids)];

	msg->count =
	    left < PROTO_SYNC_CHUNK ? (uint16_t)left : PROTO_SYNC_CHUNK;
	msg->last = msg->count == left;
	memcpy(data, msg, sizeof(*msg));
	memcpy(data + sizeof(*msg), ids, msg->count * sizeof(*ids));
	process_send(worker, PW_SYNC, -1, data,
	    sizeof(*msg) + msg->count * sizeof(*ids));
	msg->first = 0;
}

/* One share to one peer. */
static void
gossip_send(struct parent *parent, const struct source *peer, uint32_t share)
{
	const struct gossip *gossip;
	struct msg_sync msg;
	uint32_t at, end;

	gossip = &parent->gossip;
	at = gossip->first[share];
	end = gossip->first[share + 1];
	if (end - at > PROTO_SYNC_MAX)
		end = at + PROTO_SYNC_MAX;
	memset(&msg, 0, sizeof(msg));
	memcpy(msg.addr, peer->addr, sizeof(msg.addr));
	msg.port = peer->port;
	gossip_source_path(parent, &msg);
	msg.beacon = parent->conf->beacon_id;
	msg.share = share;
	msg.first = 1;
	do {
		gossip_send_chunk(gossip_ports_owner(parent), &msg,
		    gossip->ids + at, end - at);
		at += msg.count;
	} while (!msg.last);
}

/* The n-th peer, or NULL; *count is their number. */
static const struct source *
gossip_nth_peer(const struct parent *parent, uint32_t n, uint32_t *count)
{
	const struct source *found, *source;
	uint32_t i;

	*count = 0;
	found = NULL;
	for (i = 0; i < parent->gossip.nsources; i++) {
		source = &parent->gossip.sources[i];
		if (source->port == 0 || source->peer == 0)
			continue;
		if ((*count)++ == n)
			found = source;
	}
	return (found);
}

static void
gossip_next_round(struct gossip *gossip)
{
	gossip->peer = 0;
	gossip->left = 0;
	free(gossip->ids);
	gossip->ids = NULL;
}

/*
 * One share to one peer at a time, so that a large mesh is a steady trickle
 * and not a flood each ten seconds.
 */
static void
gossip_step(struct ev_loop *loop, ev_timer *w, int revents)
{
	const struct source *peer;
	struct gossip *gossip;
	struct parent *parent;
	struct process *owner;
	uint32_t peers;

	parent = w->data;
	if (parent->park.stage == PARK_ENTRUSTED)
		return;
	gossip = &parent->gossip;
	peer = gossip_nth_peer(parent, gossip->peer, &peers);
	if (peer == NULL) {
		gossip_next_round(gossip);
		peer = gossip_nth_peer(parent, 0, &peers);
	}
	if (parent->stopping || peer == NULL)
		goto done;
	if (gossip->ids == NULL && gossip_collect(parent) == -1)
		goto done;
	owner = gossip_ports_owner(parent);
	if (owner == NULL || owner->state != CHILD_RUNNING ||
	    channel_queued(&owner->channel) > CHANNEL_LIMIT / 4)
		goto done;
	if (gossip->left == 0)
		gossip->left = gossip->shares;
	gossip_send(parent, peer, --gossip->left);
	if (gossip->left == 0)
		gossip->peer++;
done:
	w->repeat = GOSSIP_INTERVAL;
	if (peers != 0)
		w->repeat /= peers * gossip->shares;
	ev_timer_again(loop, w);
}

/* The peers have changed: begin with the first. */
void
gossip_send_reload(struct parent *parent)
{
	gossip_next_round(&parent->gossip);
}

/* If there is a port to send from now, and was none before. */
void
gossip_send_start(struct parent *parent)
{
	const struct listener *listener;
	int udp;

	udp = 0;
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		udp |= listener->kind == LISTENER_UDP;
	if (!udp || parent->gossip.shares != 0)
		return;
	parent->gossip.shares = 1;
	ev_timer_init(&parent->gossip.tick, gossip_step, 1., GOSSIP_INTERVAL);
	parent->gossip.tick.data = parent;
	ev_timer_start(parent->loop, &parent->gossip.tick);
}
