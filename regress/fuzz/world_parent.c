/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/failures.h"
#include "regress/fuzz/world.h"

/* What a parent may say to its worker besides what a login asks for. */

/* What the map says of node; an empty entry: nothing. */
static void
map_set(uint32_t node, const struct peermap_entry *entry)
{
	uint32_t number;

	number = pmap_add(&world.map, node, 0);
	REQUIRE(number != PEERMAP_NONE);
	pmap_store(&world.map, number, entry);
}

static void
map_get(uint32_t node, struct peermap_entry *entry)
{
	uint32_t number;

	memset(entry, 0, sizeof(*entry));
	number = pmap_find(&world.map, node);
	if (number != PEERMAP_NONE)
		*entry = *pmap_entry(&world.map, number);
}

/* Who has the session of that entry has it no longer. */
static void
over(const struct peermap_entry *entry, uint32_t reason)
{
	struct msg_close msg;
	uint32_t i;

	if (entry->generation == 0 || entry->worker != 0)
		return;
	for (i = 0; i < world.nopened; i++)
		if (world.opened[i].msg.generation == entry->generation &&
		    world.opened[i].party != 0)
			ledger_silence(world.opened[i].party);
	msg.slot = entry->slot;
	msg.generation = entry->generation;
	msg.reason = reason;
	if (reason != 0)
		world_tell(PW_CLOSE, -1, &msg, sizeof(msg));
}

/* The node's session ends, or has moved to the other worker. */
static void
says_close(uint32_t node, uint8_t how)
{
	struct peermap_entry entry, old;

	map_get(node, &entry);
	old = entry;
	entry.generation = 0;
	if (how & 1) {
		entry.generation = pmap_next_generation(&world.map);
		entry.worker = 1;
		entry.slot = how;
	}
	map_set(node, &entry);
	/* Without a word, the worker must see it for itself. */
	over(&old, how & 2 ? 0 : how & 1 ? CLOSE_REPLACED : CLOSE_REVOKED);
}

static void
says_endpoint(uint32_t node, uint8_t how)
{
	struct peermap_entry entry;

	map_get(node, &entry);
	net_source(how, entry.addr, &entry.port);
	entry.flags = (uint8_t)((how >> 3 & 3) << PEERMAP_LISTENER_SHIFT |
				(how & 0x20 ? PEERMAP_UDP_EX : 0));
	entry.seen = entry.moved = clock_seconds();
	map_set(node, &entry);
}

static void
says_beacon(uint32_t node, uint8_t how)
{
	struct peermap_entry entry;

	map_get(node, &entry);
	entry.beacon = how & 3;
	map_set(node, &entry);
}

static void
says_stat(uint32_t number, uint8_t how)
{
	struct {
		struct msg_stat head;
		struct msg_stat_session of;
	} msg;

	msg.of.slot = how % SESSIONS;
	msg.of.generation = how;
	if (world.nopened > 0) {
		msg.of.slot = world.opened[number % world.nopened].msg.slot;
		msg.of.generation =
		    world.opened[number % world.nopened].msg.generation;
	}
	msg.head.request = number;
	msg.head.count = 1;
	world.stats++;
	world_tell(PW_STAT, -1, &msg, sizeof(msg));
}

static void
says_default_beacon(uint8_t how)
{
	struct msg_beacon msg;
	uint16_t port;

	memset(&msg, 0, sizeof(msg));
	msg.number = PROTO_BEACON_DEFAULT;
	msg.listener = how >> 1 & 1;
	if (how != 0) {
		net_source(SOURCE_BEACON + (how & 1), msg.addr, &port);
		msg.port = port;
	}
	world_tell(PW_BEACON, -1, &msg, sizeof(msg));
}

static void
says_exempt(uint8_t how)
{
	struct msg_address msg;

	memset(&msg, 0, sizeof(msg));
	if (how != 0) {
		net_source(how, msg.addr, &msg.port);
		msg.prefix = how % 129;
		msg.port = 0;
		world_tell(PW_EXEMPT, -1, &msg, sizeof(msg));
	}
	msg.prefix = PROTO_PREFIX_NONE;
	world_tell(PW_EXEMPT, -1, &msg, sizeof(msg));
}

/* A Sync of `count` ids for a beacon, in chunks. */
static void
says_sync(uint32_t count, uint8_t how)
{
	static uint8_t
	    data[sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t)];
	struct msg_sync msg;

	memset(&msg, 0, sizeof(msg));
	net_source(SOURCE_BEACON + (how & 1), msg.addr, &msg.port);
	msg.beacon = 1;
	msg.share = how >> 1 & 1;
	msg.listener = how >> 2 & 1;
	msg.first = 1;
	do {
		msg.count =
		    (uint16_t)(count < PROTO_SYNC_CHUNK ? count
							: PROTO_SYNC_CHUNK);
		count -= msg.count;
		msg.last = count == 0;
		memcpy(data, &msg, sizeof(msg));
		world_tell(PW_SYNC, -1, data,
		    sizeof(msg) + msg.count * sizeof(uint32_t));
		msg.first = 0;
	} while (!msg.last);
}

/* Answers to what is long over, or never was asked. */
static void
says_stale(uint32_t number, uint8_t how)
{
	struct msg_refused refused;
	struct msg_granted granted;
	struct msg_refuse refuse;
	struct msg_close close;

	refused.slot = refuse.slot = close.slot = how % (SESSIONS + 1);
	refused.serial = refuse.serial = close.generation = number;
	refused.reason = 1 + how % (REFUSED_MAX - 1);
	refuse.reason = REFUSE_FLAPPING;
	close.reason = CLOSE_REVOKED;
	granted.request = number;
	granted.ok = how & 1;
	world_auth_tell(AW_REFUSED, &refused, sizeof(refused));
	world_auth_tell(AW_GRANTED, &granted, sizeof(granted));
	world_tell(PW_REFUSE, -1, &refuse, sizeof(refuse));
	world_tell(PW_CLOSE, -1, &close, sizeof(close));
}

void
world_parent_says(struct input *input)
{
	uint32_t node;
	uint8_t how, what;

	what = input_u8(input);
	how = input_u8(input);
	node = 1 + (what >> 4) % NODES;
	switch (what & 0xf) {
	case 0:
	case 1:
		says_close(node, how);
		break;
	case 2:
	case 3:
		says_endpoint(node, how);
		break;
	case 4:
		says_beacon(node, how);
		break;
	case 5:
		says_stat(what >> 4, how);
		break;
	case 6:
		world.pings++;
		world_tell(PW_PING, -1, NULL, 0);
		break;
	case 7:
		world_settings(how);
		break;
	case 8:
		says_default_beacon(how);
		break;
	case 9:
		says_exempt(how);
		break;
	case 10:
		says_sync((uint32_t)(how * (what >> 4) * 4), how);
		break;
	case 11:
		says_stale(what >> 4, how);
		break;
	case 12:
		pmap_load(&world.map, 1, how);
		break;
	case 13:
		world_auth_anew();
		break;
	case 14:
		sibling_spoil();
		sibling_anew();
		break;
	default:
		if (how != 0xff) {
			world_still_says(how);
			break;
		}
		world_still_over();
		world_tell(PW_SHUTDOWN, -1, NULL, 0);
		break;
	}
}

/* A run is over: what was said in it is taken back. */
void
world_map_clear(void)
{
	static const struct peermap_entry nothing;
	uint32_t i;

	for (i = 0; i < pmap_used(&world.map); i++)
		if (pmap_entry(&world.map, i)->node != 0)
			pmap_store(&world.map, i, &nothing);
	REQUIRE(world.map.live == 0);
	pmap_load(&world.map, 1, UINT32_MAX);
	says_default_beacon(0);
	says_exempt(0);
}
