/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/clock.h"
#include "parent/parent.h"

static int
endpoint_is_new(
    const struct peermap_entry *entry, const struct msg_endpoint *seen)
{
	return (entry->port != seen->port ||
		memcmp(entry->addr, seen->addr, sizeof(entry->addr)) != 0);
}

/* Writes to the map what was seen of a node, unless that must wait. */
static void
endpoint_store(struct parent *parent, uint32_t number,
    struct peermap_entry *entry, const struct msg_endpoint *seen)
{
	uint32_t flags, now;
	int known;

	now = clock_seconds();
	known =
	    entry->port != 0 && (int32_t)(now - entry->seen) < ENDPOINT_EXPIRE;
	/* A node that once sent DiscoverEx stays with it. */
	flags = seen->flags | (known ? entry->flags & PEERMAP_UDP_EX : 0);
	if (endpoint_is_new(entry, seen)) {
		/* Or a stranger could lead a node's packets away. */
		if (known && now - entry->moved < ENDPOINT_HOLD) {
			counters_add(COUNTER_ENDPOINT_HELD, 1);
			return;
		}
		memcpy(entry->addr, seen->addr, sizeof(entry->addr));
		entry->port = (uint16_t)seen->port;
		entry->moved = now;
	}
	entry->flags = (uint8_t)flags;
	entry->near = pmap_near(&parent->map, seen->near);
	entry->seen = now;
	pmap_store(&parent->map, number, entry);
}

/* Returns 1, or 0 if there is no place for what was seen. */
static int
endpoint_note(struct parent *parent, const struct msg_endpoint *seen)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_find(&parent->map, seen->node);
	if (parent->map.endpoints >= ENDPOINTS_MAX &&
	    (number == PEERMAP_NONE ||
		pmap_entry(&parent->map, number)->port == 0)) {
		counters_add(COUNTER_ENDPOINT_FULL, 1);
		return (0);
	}
	number = pmap_add(&parent->map, seen->node, PMAP_RESERVE_LOGIN);
	if (number == PEERMAP_NONE) {
		counters_add(COUNTER_ENDPOINT_FULL, 1);
		return (0);
	}
	entry = *pmap_entry(&parent->map, number);
	/* It may have logged in while the worker's word was on its way. */
	if (entry.generation == 0)
		endpoint_store(parent, number, &entry, seen);
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

static void
endpoint_expire(struct parent *parent, uint32_t number, uint32_t now)
{
	struct peermap_entry entry;

	entry = *pmap_entry(&parent->map, number);
	if (entry.port == 0 || (int32_t)(now - entry.seen) < ENDPOINT_EXPIRE)
		return;
	memset(entry.addr, 0, sizeof(entry.addr));
	entry.port = 0;
	entry.flags = 0;
	entry.near = 0;
	entry.seen = 0;
	entry.moved = 0;
	pmap_store(&parent->map, number, &entry);
}

/* Once a second: looks at the next part of the map. */
void
endpoint_sweep(struct parent *parent)
{
	uint32_t left, now, used;

	now = clock_seconds();
	used = pmap_used(&parent->map);
	for (left = used / SWEEP_SECONDS + 1; left > 0; left--) {
		if (parent->sweep >= used) {
			parent->sweep = 0;
			break;
		}
		endpoint_expire(parent, parent->sweep++, now);
	}
}
