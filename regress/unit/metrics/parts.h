/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_METRICS_PARTS_H
#define REGRESS_UNIT_METRICS_PARTS_H

#include <stdlib.h>

#include "metrics/metrics.h"
#include "regress/unit/test.h"

/* A metrics process, and as much of it as a test needs. */
static struct metrics m;
static struct sums parts_sums;

#define COUNTED(counter) counters_read(counters, COUNTER_##counter)

static inline void
parts_loop(void)
{
	m.loop = ev_loop_new(EVFLAG_NOENV);
	if (m.loop == NULL)
		abort();
}

/* So many peers are in what the parent tells. */
static inline void
parts_tell(uint64_t peers)
{
	static struct sums_data data;

	data.gauge[GAUGE_PEERS] = peers;
	sums_write(&parts_sums, &data);
	m.sums = &parts_sums;
}

#endif /* REGRESS_UNIT_METRICS_PARTS_H */
