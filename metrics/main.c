/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/child.h"
#include "common/loop.h"

#include "metrics/metrics.h"
#include "metrics/sandbox.h"

int
main(int argc, char **argv)
{
	static struct metrics metrics;
	struct child child;

	child_start(&child, argc, argv, "beacond-metrics");
	metrics.loop = loop_open(0);
	serve_init(&metrics);
	child_confine(&child);
	metrics_sandbox();

	channel_loop_init(metrics.loop);
	from_parent_open(&metrics, CHILD_PARENT_FD);
	(void)ev_run(metrics.loop, 0);
	fatalx("nothing left to wait for");
}
