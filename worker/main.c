/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdlib.h>

#include "common/child.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/sandbox.h"
#include "worker/worker.h"

/*
 * beacond-worker: faces the network.  Owns WebSocket sessions and UDP sockets;
 * opens nothing, sees no key, and speaks for no node that auth did not admit.
 */
int
main(int argc, char **argv)
{
	static struct worker worker;
	struct child child;

	child_start(&child, argc, argv, "beacond-worker");
	if (sodium_init() == -1)
		fatalx("sodium_init: libsodium does not start");
	worker.loop = loop_open(0);
	worker.head.upgrades = limit_new();
	worker.packets = limit_new();
	worker.news = limit_new();
	worker.punch.sources = limit_new();
	worker.gossip.sources = limit_new();
	worker.beacons = beacon_table_new();
	timer_init(&worker);
	turn_init(&worker);
	measure_init(&worker);
	channel_loop_init(worker.loop);
	child_confine(&child);
	worker_sandbox();
	from_parent_init(&worker);
	ev_run(worker.loop, 0);
	return (0);
}
