/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/metrics.h"

static void
sample_take(struct ev_loop *loop, ev_timer *w, int revents)
{
	static struct sums_data data;
	struct metrics *m;

	m = w->data;
	if (sums_read(m->sums, &data) == 0)
		ring_add(&m->ring, &data);
}

/* From now on the last minutes are remembered. */
void
sample_start(struct metrics *m)
{
	ev_timer_init(&m->sample, sample_take, RING_SECONDS, RING_SECONDS);
	m->sample.data = m;
	ev_timer_start(m->loop, &m->sample);
	sample_take(m->loop, &m->sample, 0);
}
