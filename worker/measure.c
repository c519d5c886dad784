/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/clock.h"
#include "worker/worker.h"

/*
 * How long packets take.  A turn of the loop begins when it wakes up because
 * packets came, and ends when all of them are handed on, to the kernel or a
 * queue: what a turn takes is the most that relaying has added to a packet.
 * The watchers for it run in each turn until one has relayed, and then not
 * before the next tick, so that packets pay nothing.  What a router is given is
 * not of it.
 */

static uint64_t
measure_relayed(void)
{
	return (counters_read(counters, COUNTER_FRAMES_OUT) +
		counters_read(counters, COUNTER_BRIDGE_WW) +
		counters_read(counters, COUNTER_BRIDGE_WU) +
		counters_read(counters, COUNTER_BRIDGE_UW) +
		counters_read(counters, COUNTER_BRIDGE_UU) +
		counters_read(counters, COUNTER_TO_BEACONS));
}

/* The loop has waked up, and nothing of what came is dealt with yet. */
static void
measure_begin(struct ev_loop *loop, ev_check *check, int revents)
{
	struct worker *w;

	w = check->data;
	w->measure.began = clock_ns();
	w->measure.relayed = measure_relayed();
	ev_prepare_start(loop, &w->measure.end);
}

/* After turn_end(): another turn is taken if nothing was relayed in this. */
static void
measure_end(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct worker *w;

	w = prepare->data;
	ev_prepare_stop(loop, prepare);
	if (measure_relayed() == w->measure.relayed)
		return;
	counters_observe(HISTOGRAM_RELAY, clock_ns() - w->measure.began);
	ev_check_stop(loop, &w->measure.begin);
}

/* The next turn that relays packets is measured. */
void
measure_next(struct worker *w)
{
	ev_check_start(w->loop, &w->measure.begin);
}

void
measure_init(struct worker *w)
{
	ev_check_init(&w->measure.begin, measure_begin);
	ev_set_priority(&w->measure.begin, EV_MAXPRI);
	w->measure.begin.data = w;
	ev_prepare_init(&w->measure.end, measure_end);
	ev_set_priority(&w->measure.end, EV_MINPRI);
	w->measure.end.data = w;
}
