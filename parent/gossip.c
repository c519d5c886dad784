/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"
#include "parent/refusal.h"

#define GOSSIP_EXPIRE    90 /* seconds of silence, doc/protocol.md 4.4 */
#define GOSSIP_IDS_MAX   (UINT16_MAX / 4 + 1) /* more than any datagram has */
#define GOSSIP_RATE      1000000              /* ids taken per second */
#define GOSSIP_SYNC_COST 100                  /* of a Sync itself, in ids */

/*
 * Is addr that of a peer?  Returns GOSSIP_*.  Any port of it counts: a beacon
 * with many nodes sends from several.
 */
uint32_t
gossip_peer(const struct parent *parent, const uint8_t addr[16])
{
	const struct source *source;
	uint32_t i, peer;

	peer = 0;
	for (i = 0; i < parent->gossip.nsources; i++) {
		source = &parent->gossip.sources[i];
		if (source->peer != 0 && memcmp(source->addr, addr, 16) == 0)
			peer |= source->peer;
	}
	return (peer);
}

static int
gossip_trusts(const struct parent *parent, const uint8_t addr[16])
{
	return (parent->conf->accept_gossip_from_any ||
		gossip_peer(parent, addr) != 0);
}

/* Where the sources are, for a worker that was just started. */
void
gossip_introduce(struct process *worker)
{
	gossip_source_introduce(worker);
	if (place_share(worker->place) == 0)
		gossip_ports_introduce(worker);
}

static void
gossip_set(struct parent *parent, uint32_t node, uint16_t mark)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(&parent->map, node, PMAP_RESERVE_GOSSIP);
	if (number == PEERMAP_NONE) {
		counters_add(COUNTER_GOSSIP_FULL, 1);
		return;
	}
	entry = *pmap_entry(&parent->map, number);
	if (entry.beacon == mark)
		return;
	entry.beacon = mark;
	pmap_store(&parent->map, number, &entry);
}

static void
gossip_clear(struct parent *parent, uint32_t node, uint16_t mark)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_find(&parent->map, node);
	if (number == PEERMAP_NONE)
		return;
	entry = *pmap_entry(&parent->map, number);
	if (entry.beacon != mark)
		return;
	entry.beacon = 0;
	pmap_store(&parent->map, number, &entry);
}

static int
gossip_order(const void *a, const void *b)
{
	uint32_t x, y;

	x = *(const uint32_t *)a;
	y = *(const uint32_t *)b;
	return ((x > y) - (x < y));
}

/*
 * Puts ids (sorted; taken over) in the place of all that source `number` has
 * said before.  A node that stands in both lists is never without a route.
 */
static void
gossip_replace(
    struct parent *parent, uint32_t number, uint32_t *ids, uint32_t count)
{
	struct source *source;
	uint32_t i, j;
	uint16_t mark;

	source = &parent->gossip.sources[number];
	mark = (uint16_t)(number + 1);
	for (i = 0; i < count; i++)
		gossip_set(parent, ids[i], mark);
	for (i = j = 0; i < source->nodes; i++) {
		/* cppcheck-suppress nullPointer; count is 0 then */
		while (j < count && ids[j] < source->ids[i])
			j++;
		/* cppcheck-suppress nullPointer; likewise */
		if (j == count || ids[j] != source->ids[i])
			gossip_clear(parent, source->ids[i], mark);
	}
	free(source->ids);
	source->ids = ids;
	source->nodes = count;
}

/*
 * Sorting and entering ids costs time, which a stranger who forges a peer's
 * address must not be able to use up.
 */
static int
gossip_too_much(struct parent *parent, uint32_t count)
{
	struct gossip *gossip;
	uint32_t now;

	gossip = &parent->gossip;
	now = clock_seconds();
	if (gossip->second != now) {
		gossip->second = now;
		gossip->taken = 0;
	}
	gossip->taken += count + GOSSIP_SYNC_COST;
	return (gossip->taken > GOSSIP_RATE);
}

/* A whole Sync is here, of so many seconds ago. */
static void
gossip_take(struct parent *parent, struct sync *sync, uint32_t ago)
{
	struct source *source;
	uint32_t *ids;
	uint32_t number;

	if (!gossip_trusts(parent, sync->from.addr) ||
	    gossip_too_much(parent, sync->count)) {
		counters_add(COUNTER_SYNC_STRANGER, 1);
		return;
	}
	/* What it said from there before stands until it is silent. */
	if (!gossip_source_has_room(
		&parent->gossip, &sync->from, sync->count)) {
		counters_add(COUNTER_SYNC_CROWDED, 1);
		return;
	}
	number = gossip_source_find(
	    &parent->gossip, sync->from.addr, sync->from.port);
	if (number == GOSSIP_NO_SOURCE &&
	    !gossip_source_crowded(&parent->gossip, sync->from.addr))
		number =
		    gossip_source_new(parent, sync->from.addr, sync->from.port);
	if (number == GOSSIP_NO_SOURCE) {
		counters_add(COUNTER_SYNC_STRANGER, 1);
		return;
	}
	ids = reallocarray(NULL, sync->count + 1, sizeof(*ids));
	if (ids == NULL) {
		counters_add(COUNTER_SYNC_BUSY, 1);
		return;
	}
	memcpy(ids, sync->ids, sync->count * sizeof(*ids));
	qsort(ids, sync->count, sizeof(*ids), gossip_order);
	source = &parent->gossip.sources[number];
	source->beacon = sync->from.beacon;
	source->heard = clock_seconds() - ago;
	gossip_source_near(parent, number, &sync->from);
	gossip_replace(parent, number, ids, sync->count);
}

/* What another beacon has said to another parent, so many seconds ago. */
void
gossip_restore(struct parent *parent, struct sync *sync, uint32_t ago)
{
	if (ago < GOSSIP_EXPIRE)
		gossip_take(parent, sync, ago);
}

static int
gossip_continues(const struct sync *sync, const struct msg_sync *chunk)
{
	return (sync->open && sync->from.port == chunk->port &&
		sync->from.beacon == chunk->beacon &&
		memcmp(sync->from.addr, chunk->addr, sizeof(chunk->addr)) == 0);
}

/*
 * A worker hands on a piece of a Sync: chunk->count ids at `ids`.  Returns
 * NULL, or in what way the worker broke the rules.
 */
const char *
gossip_chunk(
    struct process *worker, const struct msg_sync *chunk, const uint8_t *ids)
{
	struct sync *sync;

	sync = &worker->sync;
	if (chunk->port == 0)
		return ("sync from nowhere");
	if (!steer_reaches(worker, chunk->addr, 0))
		return ("sync from who cannot reach it");
	if (chunk->first) {
		/* What the worker could not send to the end is void. */
		gossip_forget(worker);
		sync->ids =
		    reallocarray(NULL, GOSSIP_IDS_MAX, sizeof(*sync->ids));
		if (sync->ids == NULL)
			counters_add(COUNTER_SYNC_BUSY, 1);
		sync->from = *chunk;
		sync->open = 1;
	} else if (!gossip_continues(sync, chunk))
		return ("sync without a beginning");
	if (chunk->count > GOSSIP_IDS_MAX - sync->count)
		return ("sync too long");
	if (sync->ids != NULL)
		memcpy(sync->ids + sync->count, ids,
		    chunk->count * sizeof(*sync->ids));
	sync->count += chunk->count;
	if (chunk->last) {
		if (sync->ids != NULL)
			gossip_take(worker->parent, sync, 0);
		gossip_forget(worker);
	}
	return (NULL);
}

/* Lets go of what a worker has begun to hand on. */
void
gossip_forget(struct process *worker)
{
	free(worker->sync.ids);
	worker->sync.ids = NULL;
	worker->sync.open = 0;
	worker->sync.count = 0;
}

static void
gossip_drop(struct parent *parent, uint32_t number)
{
	struct source *source;

	source = &parent->gossip.sources[number];
	gossip_replace(parent, number, NULL, 0);
	source->port = 0;
	source->heard = 0;
	gossip_source_tell_all(parent, number);
}

/* What it said is no more; a peer keeps its number. */
static void
gossip_silence(struct parent *parent, uint32_t number)
{
	struct source *source;

	source = &parent->gossip.sources[number];
	if (source->peer == 0) {
		gossip_drop(parent, number);
		return;
	}
	gossip_replace(parent, number, NULL, 0);
	source->heard = 0;
}

/* A network is blocked: what beacons there said is forgotten. */
void
gossip_block_network(struct parent *parent, const struct block *net)
{
	const struct source *source;
	uint32_t i;

	for (i = 0; i < parent->gossip.nsources; i++) {
		source = &parent->gossip.sources[i];
		if (source->port != 0 &&
		    address_within(source->addr, net->addr, net->prefix))
			gossip_silence(parent, i);
	}
}

/* Once a second: what beacons said that have fallen silent. */
void
gossip_expire(struct parent *parent)
{
	uint32_t heard, i, now;

	now = clock_seconds();
	for (i = 0; i < parent->gossip.nsources; i++) {
		heard = parent->gossip.sources[i].heard;
		if (heard != 0 && (int32_t)(now - heard) >= GOSSIP_EXPIRE)
			gossip_silence(parent, i);
	}
}

/* Beacons heard within the time after which they are forgotten. */
uint32_t
gossip_heard(const struct parent *parent)
{
	uint32_t i, n;

	n = 0;
	for (i = 0; i < parent->gossip.nsources; i++)
		n += parent->gossip.sources[i].heard != 0;
	return (n);
}

/* A peer has a number while it is one.  Returns 0, or -1: too many. */
static int
gossip_add_peer(
    struct parent *parent, const uint8_t addr[16], uint16_t port, uint32_t why)
{
	uint32_t number;

	number = gossip_source_find(&parent->gossip, addr, port);
	if (number == GOSSIP_NO_SOURCE)
		number = gossip_source_new(parent, addr, port);
	if (number == GOSSIP_NO_SOURCE)
		return (-1);
	parent->gossip.sources[number].peer |= why;
	return (0);
}

static void
gossip_configure(struct parent *parent)
{
	const struct conf_address *address;
	uint8_t addr[16];
	uint16_t port;

	TAILQ_FOREACH(address, &parent->conf->addresses, entry) {
		if (address->kind != CONF_PEER_BEACON)
			continue;
		port = address_of(&address->ss, addr);
		if (gossip_add_peer(parent, addr, port, GOSSIP_CONFIGURED) ==
		    -1)
			log_warnx("%s:%d: too many beacons", address->file,
			    address->line);
	}
}

/* Once, before workers are started. */
void
gossip_init(struct parent *parent)
{
	parent->gossip.sources =
	    calloc(PROTO_BEACONS_MAX, sizeof(*parent->gossip.sources));
	if (parent->gossip.sources == NULL)
		fatal("gossip");
	gossip_configure(parent);
}

static void
gossip_no_peers(struct parent *parent, uint32_t why)
{
	uint32_t i;

	for (i = 0; i < parent->gossip.nsources; i++)
		parent->gossip.sources[i].peer &= ~why;
}

/* Who is no peer any more is forgotten, and gossip begins with the first. */
static void
gossip_peers_changed(struct parent *parent)
{
	struct source *source;
	uint32_t i;

	for (i = 0; i < parent->gossip.nsources; i++) {
		source = &parent->gossip.sources[i];
		if (source->port != 0 && !gossip_trusts(parent, source->addr))
			gossip_drop(parent, i);
	}
	gossip_send_reload(parent);
}

/* The registry's list: begin, one each, end. */
void
gossip_register_begin(struct parent *parent)
{
	gossip_no_peers(parent, GOSSIP_REGISTERED);
}

void
gossip_register(struct parent *parent, const uint8_t addr[16], uint16_t port)
{
	if (gossip_add_peer(parent, addr, port, GOSSIP_REGISTERED) == -1)
		refusal_log(EVENT_BEACON_FULL, 0, addr, port, NULL);
}

void
gossip_register_end(struct parent *parent)
{
	gossip_peers_changed(parent);
}

/* The configuration has changed: who is a peer, and the default beacon. */
void
gossip_reload(struct parent *parent)
{
	uint32_t i;

	gossip_no_peers(parent, GOSSIP_CONFIGURED);
	gossip_configure(parent);
	gossip_peers_changed(parent);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			gossip_source_tell_default(parent->workers[i].child);
}
