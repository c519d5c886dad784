/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/peermap_write.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/worker.h"

/*
 * Datagrams from anybody at a worker that stands alone: no parent, no auth, no
 * socket.  Node 1 is known by UDP, node 2 by WebSocket in another worker, node
 * 3 behind another beacon, 127.0.0.9.  Whatever comes, a counter tells, and
 * the peer map stays as it is.
 */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct worker worker;
static struct pmap map;
static const uint8_t beacon[16] = { [10] = 0xff, 0xff, 127, 0, 0, 9 };

static void
know(uint32_t node, uint16_t port, uint32_t generation, uint16_t source)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(&map, node, 0);
	entry = *pmap_entry(&map, number);
	memcpy(entry.addr, beacon, sizeof(entry.addr));
	entry.port = port;
	entry.seen = worker.now;
	entry.generation = generation;
	entry.worker = 1;
	entry.beacon = source;
	pmap_store(&map, number, &entry);
}

static void
prepare(void)
{
	struct path path;

	if (sodium_init() == -1 || pmap_create(&map) == -1 ||
	    peermap_open(&worker.map, dup(map.fd)) == -1)
		abort();
	worker.now = 1000;
	worker.settings.nworkers = 2;
	worker.head.upgrades = limit_new();
	worker.packets = limit_new();
	worker.news = limit_new();
	worker.punch.sources = limit_new();
	worker.gossip.sources = limit_new();
	worker.beacons = beacon_table_new();
	memset(&path, 0, sizeof(path));
	memcpy(path.far.addr, beacon, sizeof(path.far.addr));
	path.far.port = 9001;
	path.listener = UDP_LISTENER_ANY;
	beacon_table_set(worker.beacons, 0, &path);
	know(1, 5000, 0, 0);
	know(2, 0, 7, 0);
	know(3, 0, 0, 1);
}

static uint64_t
counted(void)
{
	uint64_t sum;
	size_t i;

	sum = 0;
	for (i = 0; i < COUNTER_MAX; i++)
		sum += counters->value[i];
	return (sum);
}

/* The first byte chooses the source and a setting, the rest is the packet. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct path path;
	uint64_t before;
	uint8_t *room;

	if (worker.packets == NULL)
		prepare();
	if (size == 0)
		return (0);
	memset(&path, 0, sizeof(path));
	memcpy(path.far.addr, beacon, sizeof(path.far.addr));
	path.far.addr[15] = data[0] & 0xf;
	path.far.port = 9001;
	worker.settings.require_punch_grant = (data[0] & 0x10) != 0;
	worker.settings.gossip_from_any = (data[0] & 0x20) != 0;
	room = malloc(RX_HEADROOM + size - 1);
	if (room == NULL)
		abort();
	if (size > 1)
		memcpy(room + RX_HEADROOM, data + 1, size - 1);
	before = counted();
	datagram(&worker, &path, room + RX_HEADROOM, size - 1);
	burst_end(&worker);
	route_flush(&worker);
	if (counted() == before || pmap_used(&map) != 3 || worker.load != 0)
		abort();
	free(room);
	return (0);
}
