/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/metrics/parts.h"

/* The loop's clock says when; what is taken is the ring's. */

static int taken;

void
ring_add(struct ring *ring, const struct sums_data *data)
{
	if (ring == &m.ring && data->gauge[GAUGE_PEERS] == 7)
		taken++;
}

static void
test_the_first_at_once_and_then_by_the_clock(void)
{
	parts_tell(7);
	sample_start(&m);
	CHECK(taken == 1 && ev_is_active(&m.sample));
	CHECK(ev_timer_remaining(m.loop, &m.sample) > RING_SECONDS - 1.);
	ev_feed_event(m.loop, &m.sample, EV_TIMER);
	ev_invoke_pending(m.loop);
	CHECK(taken == 2);
}

/* The parent has told nothing yet, or is in the middle of it. */
static void
test_none_where_there_is_nothing(void)
{
	taken = 0;
	parts_sums.seq = 0;
	ev_feed_event(m.loop, &m.sample, EV_TIMER);
	ev_invoke_pending(m.loop);
	parts_sums.seq = 3;
	ev_feed_event(m.loop, &m.sample, EV_TIMER);
	ev_invoke_pending(m.loop);
	CHECK(taken == 0);
}

int
main(void)
{
	parts_loop();
	RUN(test_the_first_at_once_and_then_by_the_clock);
	RUN(test_none_where_there_is_nothing);
	return (test_failed());
}
