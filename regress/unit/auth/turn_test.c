/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/parts.h"

static int works, pulses, seconds;

static void
work(struct ev_loop *loop, ev_idle *idle, int revents)
{
	works++;
}

static void
pulse(struct ev_loop *loop, ev_timer *timer, int revents)
{
	pulses++;
	ev_timer_stop(loop, timer);
}

static void
second(struct ev_loop *loop, ev_timer *timer, int revents)
{
	seconds++;
}

static void
test_each_turn_until_it_is_stopped(void)
{
	ev_run(auth.loop, EVRUN_NOWAIT);
	CHECK(works == 0);
	turn_wake(&auth);
	ev_run(auth.loop, EVRUN_NOWAIT);
	ev_run(auth.loop, EVRUN_NOWAIT);
	CHECK(works == 2);
	ev_idle_stop(auth.loop, &auth.work);
	ev_run(auth.loop, EVRUN_NOWAIT);
	CHECK(works == 2);
}

/* Nothing wakes it before the parent has had its time. */
static void
test_the_parent_is_waited_for(void)
{
	works = 0;
	turn_wake(&auth);
	turn_wait(&auth);
	turn_wake(&auth);
	CHECK(!ev_is_active(&auth.work) && ev_is_active(&auth.drain));
	while (works == 0)
		ev_run(auth.loop, EVRUN_ONCE);
	CHECK(!ev_is_active(&auth.drain));
	ev_idle_stop(auth.loop, &auth.work);
}

static void
test_two_clocks(void)
{
	turn_pulse(&auth);
	turn_pulse(&auth);
	while (pulses == 0)
		ev_run(auth.loop, EVRUN_ONCE);
	CHECK(pulses == 1 && seconds == 0);
	turn_seconds(&auth);
	CHECK(ev_timer_remaining(auth.loop, &auth.second) > 0.9);
	ev_feed_event(auth.loop, &auth.second, EV_TIMER);
	ev_invoke_pending(auth.loop);
	CHECK(seconds == 1 && ev_is_active(&auth.second));
}

int
main(void)
{
	parts_loop();
	turn_init(&auth, work);
	turn_init_timers(&auth, pulse, second);
	RUN(test_each_turn_until_it_is_stopped);
	RUN(test_the_parent_is_waited_for);
	RUN(test_two_clocks);
	return (test_failed());
}
