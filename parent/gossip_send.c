/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"

/*
 * What we tell other beacons.  A receiver takes each Sync for the whole truth
 * about its source port, and one holds PROTO_SYNC_MAX nodes: so the nodes are
 * spread over as many ports ("shares") as it takes.  Share 0 is the listening
 * port.  The number of shares is a power of two and never shrinks; when it is
 * doubled, nodes move only to shares with a higher number, and those are sent
 * first: no node is left out in between.
 */
#define GOSSIP_INTERVAL   10.   /* seconds, PROTOCOL.md 4 */
#define GOSSIP_SHARE_FILL 14000 /* nodes a share on average, at most */

/* Worker 0 alone has the ports of the other shares. */
static struct process *
gossip_sender(struct parent *parent)
{
	return (&parent->workers[0]);
}

static void
gossip_send_share(
    struct process *worker, const struct listener *listener, uint32_t share)
{
	struct msg_udp udp;
	int fd;

	fd = fcntl(listener->shares[share], F_DUPFD_CLOEXEC, 0);
	if (fd == -1) {
		log_warn("port for gossip");
		return;
	}
	udp.kind = UDP_SHARE;
	udp.number = share;
	supervise_send(worker, PW_UDP, fd, &udp, sizeof(udp));
}

/* The ports of all further shares, for worker 0 that was just started. */
void
gossip_send_shares(struct process *worker)
{
	struct listener *listener;
	uint32_t i;

	TAILQ_FOREACH(listener, &worker->parent->listeners, entry)
		for (i = 1; i < listener->nshares; i++)
			gossip_send_share(worker, listener, i);
}

/* One address of each family is enough to reach everybody. */
static int
gossip_leaves_from(const struct parent *parent, const struct listener *listener)
{
	const struct listener *first;

	TAILQ_FOREACH(first, &parent->listeners, entry)
		if (first->kind == LISTENER_UDP &&
		    first->ss.ss_family == listener->ss.ss_family)
			return (first == listener);
	return (0);
}

/* Opens port `share`.  Returns 0 or -1. */
static int
gossip_open_share(struct parent *parent, uint32_t share)
{
	struct listener *listener;
	int fd;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (!gossip_leaves_from(parent, listener) ||
		    listener->nshares > share)
			continue;
		fd = listen_udp_share(listener);
		if (fd == -1) {
			log_warn("port for gossip");
			return (-1);
		}
		listener->shares[share] = fd;
		listener->nshares = share + 1;
		gossip_send_share(gossip_sender(parent), listener, share);
	}
	return (0);
}

/* Enough shares for so many nodes, as far as ports can be had. */
static void
gossip_grow(struct parent *parent, uint32_t nodes)
{
	struct gossip *gossip;
	uint32_t i;

	gossip = &parent->gossip;
	while (gossip->shares < SHARES_MAX &&
	       nodes > gossip->shares * GOSSIP_SHARE_FILL) {
		for (i = gossip->shares; i < gossip->shares * 2; i++)
			if (gossip_open_share(parent, i) == -1)
				return;
		gossip->shares *= 2;
	}
}

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

/* How many nodes we serve; in each share, if `count` is given. */
static uint32_t
gossip_count(const struct parent *parent, uint32_t *count)
{
	const struct peermap_entry *entry;
	uint32_t i, n, now, used;

	now = clock_seconds();
	used = pmap_used(&parent->map);
	for (i = n = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (!gossip_is_ours(entry, now))
			continue;
		n++;
		if (count != NULL)
			count[gossip_share_of(parent, entry->node)]++;
	}
	return (n);
}

/* Lists the nodes that we serve, share after share. */
static int
gossip_collect(struct parent *parent)
{
	uint32_t at[SHARES_MAX], i, now, used;
	const struct peermap_entry *entry;
	struct gossip *gossip;

	gossip = &parent->gossip;
	gossip_grow(parent, gossip_count(parent, NULL));
	memset(at, 0, sizeof(at));
	free(gossip->ids);
	gossip->ids = reallocarray(
	    NULL, gossip_count(parent, at) + 1, sizeof(*gossip->ids));
	if (gossip->ids == NULL)
		return (-1);
	gossip->first[0] = 0;
	for (i = 0; i < gossip->shares; i++) {
		gossip->first[i + 1] = gossip->first[i] + at[i];
		at[i] = gossip->first[i];
	}
	now = clock_seconds();
	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (gossip_is_ours(entry, now))
			gossip
			    ->ids[at[gossip_share_of(parent, entry->node)]++] =
			    entry->node;
	}
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
	supervise_send(worker, PW_SYNC, -1, data,
	    sizeof(*msg) + msg->count * sizeof(*ids));
	msg->first = 0;
}

/* One share to one peer. */
static void
gossip_send(
    struct parent *parent, const struct conf_address *peer, uint32_t share)
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
	listen_address(&peer->ss, msg.addr, &msg.port);
	msg.beacon = parent->conf->beacon_id;
	msg.share = share;
	msg.first = 1;
	do {
		gossip_send_chunk(
		    gossip_sender(parent), &msg, gossip->ids + at, end - at);
		at += msg.count;
	} while (!msg.last);
}

/* The n-th peer of the configuration, or NULL; *count is their number. */
static const struct conf_address *
gossip_peer(const struct parent *parent, uint32_t n, uint32_t *count)
{
	const struct conf_address *address, *found;

	*count = 0;
	found = NULL;
	TAILQ_FOREACH(address, &parent->conf->addresses, entry) {
		if (address->kind != CONF_PEER_BEACON)
			continue;
		if ((*count)++ == n)
			found = address;
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
	const struct conf_address *peer;
	struct gossip *gossip;
	struct parent *parent;
	uint32_t peers;

	(void)revents;
	parent = w->data;
	gossip = &parent->gossip;
	peer = gossip_peer(parent, gossip->peer, &peers);
	if (parent->stopping || peers == 0)
		goto done;
	if (peer == NULL)
		gossip_next_round(gossip);
	if (gossip->ids == NULL && gossip_collect(parent) == -1)
		goto done;
	if (gossip_sender(parent)->state != CHILD_RUNNING ||
	    channel_queued(&gossip_sender(parent)->channel) > CHANNEL_LIMIT / 4)
		goto done;
	if (peer == NULL)
		peer = gossip_peer(parent, 0, &peers);
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

/* If there is a port to send from. */
void
gossip_send_start(struct parent *parent)
{
	const struct listener *listener;
	int udp;

	udp = 0;
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		udp |= listener->kind == LISTENER_UDP;
	if (!udp)
		return;
	parent->gossip.shares = 1;
	ev_timer_init(&parent->gossip.tick, gossip_step, 1., GOSSIP_INTERVAL);
	parent->gossip.tick.data = parent;
	ev_timer_start(parent->loop, &parent->gossip.tick);
}
