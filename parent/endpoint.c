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

static int
endpoint_is_new(
    const struct peermap_entry *entry, const struct msg_endpoint *seen)
{
	return (entry->port != seen->port ||
		memcmp(entry->addr, seen->addr, sizeof(entry->addr)) != 0);
}

static int
endpoint_is_known(const struct peermap_entry *entry, uint32_t now)
{
	return (
	    entry->port != 0 && (int32_t)(now - entry->seen) < ENDPOINT_EXPIRE);
}

/* Writes to the map what was seen of a node. */
static void
endpoint_store(
    struct parent *parent, uint32_t number, const struct msg_endpoint *seen)
{
	struct peermap_entry entry;
	uint32_t flags, now;

	now = clock_seconds();
	entry = *pmap_entry(&parent->map, number);
	/* A node that once sent DiscoverEx stays with it. */
	flags = seen->flags;
	if (endpoint_is_known(&entry, now))
		flags |= entry.flags & PEERMAP_UDP_EX;
	if (endpoint_is_new(&entry, seen)) {
		memcpy(entry.addr, seen->addr, sizeof(entry.addr));
		entry.port = (uint16_t)seen->port;
		entry.moved = now;
	}
	entry.flags = (uint8_t)flags;
	entry.near = pmap_near(&parent->map, seen->near);
	entry.seen = now;
	pmap_store(&parent->map, number, &entry);
	holders_take(parent->holders, number, entry.addr);
}

/* What another parent knew of a node; seen, moved: seconds ago. */
void
endpoint_restore(struct parent *parent, const struct msg_endpoint *endpoint,
    uint32_t seen, uint32_t moved)
{
	struct peermap_entry entry;
	uint32_t number;

	if (endpoint->node == 0 || endpoint->port == 0 ||
	    seen >= ENDPOINT_EXPIRE ||
	    blocks_has_node(parent->blocks, endpoint->node))
		return;
	number = pmap_add(&parent->map, endpoint->node, PMAP_RESERVE_LOGIN);
	if (number == PEERMAP_NONE)
		return;
	endpoint_store(parent, number, endpoint);
	entry = *pmap_entry(&parent->map, number);
	entry.seen -= seen;
	entry.moved -= moved;
	pmap_store(&parent->map, number, &entry);
}

static void
endpoint_forget(struct parent *parent, uint32_t number)
{
	struct peermap_entry entry;

	holders_drop(parent->holders, number);
	entry = *pmap_entry(&parent->map, number);
	memset(entry.addr, 0, sizeof(entry.addr));
	entry.port = 0;
	entry.flags = 0;
	entry.near = 0;
	entry.seen = 0;
	entry.moved = 0;
	pmap_store(&parent->map, number, &entry);
}

/* Returns 1, or 0 if there is nothing to forget. */
static int
endpoint_make_room(struct parent *parent)
{
	uint32_t number;

	number = holders_next_to_go(parent->holders);
	if (number == PEERMAP_NONE)
		return (0);
	endpoint_forget(parent, number);
	counters_add(COUNTER_ENDPOINT_EVICTED, 1);
	return (1);
}

/* Where the endpoint of node, which has none yet, can be; or PEERMAP_NONE. */
static uint32_t
endpoint_place(struct parent *parent, uint32_t node)
{
	uint32_t number;

	if (parent->map.endpoints >= ENDPOINTS_MAX &&
	    !endpoint_make_room(parent))
		return (PEERMAP_NONE);
	number = pmap_add(&parent->map, node, PMAP_RESERVE_LOGIN);
	if (number == PEERMAP_NONE && endpoint_make_room(parent))
		number = pmap_add(&parent->map, node, PMAP_RESERVE_LOGIN);
	return (number);
}

/* Is what was seen of this entry's node to change nothing? */
static int
endpoint_stays(
    const struct peermap_entry *entry, const struct msg_endpoint *seen)
{
	uint32_t now;

	/* It may have logged in while the worker's word was on its way. */
	if (entry->generation != 0)
		return (1);
	/* Or a stranger could lead a node's packets away. */
	now = clock_seconds();
	if (endpoint_is_new(entry, seen) && endpoint_is_known(entry, now) &&
	    now - entry->moved < ENDPOINT_HOLD) {
		counters_add(COUNTER_ENDPOINT_HELD, 1);
		return (1);
	}
	return (0);
}

/* Returns 1, or 0 if there is no place for what was seen. */
static int
endpoint_note(struct parent *parent, const struct msg_endpoint *seen)
{
	uint32_t number;

	if (blocks_has_node(parent->blocks, seen->node)) {
		counters_add(COUNTER_ENDPOINT_BLOCKED, 1);
		return (0);
	}
	number = pmap_find(&parent->map, seen->node);
	if (number != PEERMAP_NONE &&
	    endpoint_stays(pmap_entry(&parent->map, number), seen))
		return (1);
	if (!holders_may_take(parent->holders, number, seen->addr,
		parent->conf->source_node_limit)) {
		counters_add(COUNTER_ENDPOINT_SOURCE, 1);
		refusal_log(EVENT_DISCOVER_SOURCE, seen->node, seen->addr,
		    seen->port, NULL);
		return (0);
	}
	if (number == PEERMAP_NONE ||
	    pmap_entry(&parent->map, number)->port == 0)
		number = endpoint_place(parent, seen->node);
	if (number == PEERMAP_NONE) {
		counters_add(COUNTER_ENDPOINT_FULL, 1);
		refusal_log(EVENT_DISCOVER_FULL, seen->node, seen->addr,
		    seen->port, NULL);
		return (0);
	}
	endpoint_store(parent, number, seen);
	return (1);
}

/* The map is written, so the node can be reached: it is told so only now. */
static void
endpoint_answer(struct process *worker, const struct msg_endpoint *seen)
{
	if (channel_queued(&worker->channel) > ANSWERS_QUEUE_MAX)
		counters_add(COUNTER_ENDPOINT_UNANSWERED, 1);
	else
		process_send(worker, PW_ENDPOINT, -1, seen, sizeof(*seen));
}

/*
 * A worker has heard a node at this address (doc/protocol.md 4.2).  Returns
 * NULL, or in what way the worker broke the rules.
 */
const char *
endpoint_seen(struct process *worker, const struct msg_endpoint *seen)
{
	if (seen->node == 0 || seen->port == 0 || seen->port > UINT16_MAX)
		return ("endpoint of nobody or nowhere");
	if (seen->flags > UINT8_MAX || seen->answer > 1)
		return ("endpoint with unknown flags");
	if (!steer_reaches(worker, seen->addr, seen->port))
		return ("endpoint that cannot reach it");
	if (endpoint_note(worker->parent, seen) && seen->answer)
		endpoint_answer(worker, seen);
	return (NULL);
}

/* The networks for which the limit of one address does not hold. */
void
endpoint_exempt(struct parent *parent)
{
	const struct conf_address *address;
	struct network *nets;
	uint32_t n;

	n = 0;
	TAILQ_FOREACH(address, &parent->conf->addresses, entry)
		n += address->kind == CONF_SOURCE_EXEMPT;
	nets = calloc(n + 1, sizeof(*nets));
	if (nets == NULL) {
		log_warn("source exempt: those from before stay");
		return;
	}
	n = 0;
	TAILQ_FOREACH(address, &parent->conf->addresses, entry)
		if (address->kind == CONF_SOURCE_EXEMPT) {
			nets[n].prefix = listen_network(address, nets[n].addr);
			n++;
		}
	holders_exempt(parent->holders, nets, n);
}

/* A node is blocked: where it was heard is forgotten. */
void
endpoint_block_node(struct parent *parent, uint32_t node)
{
	uint32_t number;

	number = pmap_find(&parent->map, node);
	if (number != PEERMAP_NONE &&
	    pmap_entry(&parent->map, number)->port != 0)
		endpoint_forget(parent, number);
}

/* A network is: so is what was heard from it. */
void
endpoint_block_network(struct parent *parent, const struct block *net)
{
	const struct peermap_entry *entry;
	uint32_t i, used;

	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (entry->port != 0 &&
		    address_within(entry->addr, net->addr, net->prefix))
			endpoint_forget(parent, i);
	}
}

/* Once a second: looks at the next part of the map. */
void
endpoint_sweep(struct parent *parent)
{
	const struct peermap_entry *entry;
	uint32_t left, now, used;

	now = clock_seconds();
	used = pmap_used(&parent->map);
	for (left = used / SWEEP_SECONDS + 1; left > 0; left--) {
		if (parent->sweep >= used) {
			parent->sweep = 0;
			break;
		}
		entry = pmap_entry(&parent->map, parent->sweep);
		if (entry->port != 0 && !endpoint_is_known(entry, now))
			endpoint_forget(parent, parent->sweep);
		parent->sweep++;
	}
}
