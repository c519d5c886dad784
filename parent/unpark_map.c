/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "parent/parent.h"
#include "parent/unpark.h"

/* What another parent knew besides sessions, see park_map.c. */

/* The number here of a listener that was at that address. */
static uint32_t
unpark_map_listener(
    const struct parent *parent, const struct park_address *address)
{
	const struct listener *listener;
	uint8_t addr[16];

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind == LISTENER_UDP && address->port != 0 &&
		    address_of(&listener->ss, addr) == address->port &&
		    memcmp(addr, address->addr, sizeof(addr)) == 0)
			return (listener->number);
	return (PROTO_LISTENER_ANY);
}

static void
unpark_map_node(struct parent *parent, const struct park_node *node)
{
	struct msg_endpoint endpoint;
	uint32_t listener;

	listener = unpark_map_listener(parent, &node->listener);
	if (listener == PROTO_LISTENER_ANY || node->port > UINT16_MAX)
		return;
	memset(&endpoint, 0, sizeof(endpoint));
	endpoint.node = node->node;
	endpoint.flags =
	    (node->flags & PEERMAP_UDP_EX) | listener << PEERMAP_LISTENER_SHIFT;
	memcpy(endpoint.addr, node->addr, sizeof(endpoint.addr));
	memcpy(endpoint.near, node->near, sizeof(endpoint.near));
	endpoint.port = node->port;
	endpoint_restore(parent, &endpoint, node->seen, node->moved);
}

static void
unpark_map_sync(
    struct parent *parent, const struct park_sync *from, const void *ids)
{
	struct sync sync;

	if (from->port == 0 || from->port > UINT16_MAX)
		return;
	memset(&sync, 0, sizeof(sync));
	memcpy(sync.from.addr, from->addr, sizeof(sync.from.addr));
	memcpy(sync.from.near, from->near, sizeof(sync.from.near));
	sync.from.listener = unpark_map_listener(parent, &from->listener);
	sync.from.port = (uint16_t)from->port;
	sync.from.beacon = from->beacon;
	sync.ids = (uint32_t *)(uintptr_t)ids;
	sync.count = from->count;
	gossip_restore(parent, &sync, from->heard);
}

/* A record that is of no session; one that we do not know is passed over. */
void
unpark_map(struct parent *parent, const struct unpark_record *r)
{
	const struct park_gone *gone;
	const struct park_sync *sync;

	sync = r->data;
	gone = r->data;
	if (r->type == PARK_GONE && r->len >= sizeof(*gone))
		unpark_ahead_gone(parent, gone->ahead);
	else if (r->type == PARK_NODE && r->len >= sizeof(struct park_node))
		unpark_map_node(parent, r->data);
	else if (r->type == PARK_SYNC && r->len >= sizeof(*sync) &&
		 sync->count <= PROTO_SYNC_MAX &&
		 r->len == sizeof(*sync) + sync->count * sizeof(uint32_t))
		unpark_map_sync(parent, sync, sync + 1);
}
