/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/clock.h"
#include "parent/park.h"
#include "parent/park_file.h"
#include "parent/parent.h"

/*
 * What another parent is to know besides sessions, and would learn in minutes
 * only: where nodes are by UDP, and what other beacons have said.  A listener
 * has another number there, perhaps, but the same address.
 */

static void
park_map_listener(
    const struct parent *parent, uint32_t number, struct park_address *address)
{
	const struct listener *listener;

	memset(address, 0, sizeof(*address));
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind == LISTENER_UDP &&
		    listener->number == number)
			address->port =
			    address_of(&listener->ss, address->addr);
}

static int
park_map_node(struct parent *parent, const struct peermap_entry *entry)
{
	struct park_node node;
	struct iovec iov;
	uint32_t now;

	now = clock_seconds();
	memset(&node, 0, sizeof(node));
	node.node = entry->node;
	node.flags = entry->flags & PEERMAP_UDP_EX;
	node.seen = now - entry->seen;
	node.moved = now - entry->moved;
	memcpy(node.addr, entry->addr, sizeof(node.addr));
	peermap_near(&parent->map.view, entry->near, node.near);
	node.port = entry->port;
	park_map_listener(
	    parent, entry->flags >> PEERMAP_LISTENER_SHIFT, &node.listener);
	iov.iov_base = &node;
	iov.iov_len = sizeof(node);
	return (park_file_add(parent->park.file, PARK_NODE, &iov, 1));
}

static int
park_map_source(struct parent *parent, const struct source *source)
{
	struct park_sync sync;
	struct iovec iov[2];

	memset(&sync, 0, sizeof(sync));
	memcpy(sync.addr, source->addr, sizeof(sync.addr));
	memcpy(sync.near, source->near, sizeof(sync.near));
	sync.port = source->port;
	sync.beacon = source->beacon;
	sync.heard = clock_seconds() - source->heard;
	park_map_listener(parent, source->listener, &sync.listener);
	sync.count = source->nodes;
	iov[0].iov_base = &sync;
	iov[0].iov_len = sizeof(sync);
	iov[1].iov_base = source->ids;
	iov[1].iov_len = source->nodes * sizeof(*source->ids);
	return (park_file_add(parent->park.file, PARK_SYNC, iov, 2));
}

/* Returns 0, or -1 with the reason logged. */
int
park_map(struct parent *parent)
{
	const struct peermap_entry *entry;
	const struct source *source;
	uint32_t i, used;

	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (entry->node != 0 && entry->port != 0 &&
		    park_map_node(parent, entry) == -1)
			return (-1);
	}
	for (i = 0; i < parent->gossip.nsources; i++) {
		source = &parent->gossip.sources[i];
		if (source->port != 0 && source->heard != 0 &&
		    park_map_source(parent, source) == -1)
			return (-1);
	}
	return (0);
}
