/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/parts.h"

/* What time brings to whom. */

static int late; /* what registry_late() says */
#define NOT_ENDED ((enum registry_end)99)
static enum registry_end ended; /* with */
static int pumped, idled, enrolled, walked, told;
static struct registry_request request, *oldest;

int
registry_late(const struct registry *r)
{
	return (late);
}

void
from_registry_end(struct auth *of, enum registry_end end)
{
	ended = end;
}

void
registry_pump(struct registry *r, struct lookups *l)
{
	pumped++;
}

void
registry_idle(struct registry *r)
{
	idled++;
}

const struct registry_request *
registry_oldest(const struct registry *r)
{
	return (oldest);
}

void
enroll_turn(struct auth *of)
{
	enrolled++;
}

void
walk_slow(struct auth *of)
{
	walked++;
}

void
status_tell(struct auth *of)
{
	told++;
}

static void
no_work(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

static void
passes(ev_timer *timer)
{
	pumped = idled = enrolled = walked = told = 0;
	ev_feed_event(auth.loop, timer, EV_TIMER);
	ev_invoke_pending(auth.loop);
}

static void
test_the_pulse_lasts_as_long_as_something_waits(void)
{
	turn_pulse(&auth);
	auth.lookups.nwaiting = 1;
	passes(&auth.pulse);
	CHECK(pumped == 1 && ev_is_active(&auth.pulse));
	auth.lookups.nwaiting = 0;
	auth.lookups.count[LOOKUP_REFRESH] = 1;
	passes(&auth.pulse);
	CHECK(ev_is_active(&auth.pulse));
	auth.lookups.count[LOOKUP_REFRESH] = 0;
	oldest = &request;
	passes(&auth.pulse);
	CHECK(ev_is_active(&auth.pulse));
	oldest = NULL;
	passes(&auth.pulse);
	CHECK(!ev_is_active(&auth.pulse));
}

static void
test_a_registry_that_does_not_answer_in_time(void)
{
	ended = NOT_ENDED;
	passes(&auth.pulse);
	CHECK(ended == NOT_ENDED);
	late = 1;
	passes(&auth.pulse);
	CHECK(ended == REGISTRY_TIMEOUT);
	late = 0;
}

static void
test_who_is_ready_is_worked_off(void)
{
	passes(&auth.pulse);
	CHECK(!ev_is_active(&auth.work));
	auth.lookups.nready = 1;
	passes(&auth.pulse);
	CHECK(ev_is_active(&auth.work));
	auth.lookups.nready = 0;
	ev_idle_stop(auth.loop, &auth.work);
}

static void
test_each_second(void)
{
	auth.conf.rate = 10;
	turn_seconds(&auth);
	passes(&auth.second);
	CHECK(enrolled == 0 && walked == 0); /* not ready yet */
	CHECK(pumped == 1 && idled == 1 && told == 1);
	CHECK(ev_is_active(&auth.pulse) && ev_is_active(&auth.second));
	auth.ready = 1;
	passes(&auth.second);
	CHECK(enrolled == 1 && walked == 1);
}

/* With neither registry nor snapshot nothing gets older. */
static void
test_without_a_registry_it_stops(void)
{
	auth.conf.rate = 0;
	auth.store.written = 5;
	passes(&auth.second);
	CHECK(walked == 1 && ev_is_active(&auth.second));
	auth.store.written = 0;
	passes(&auth.second);
	CHECK(walked == 0 && told == 1 && !ev_is_active(&auth.second));
}

int
main(void)
{
	parts_loop();
	turn_init(&auth, no_work);
	turn_init_timers(&auth, timer_pulse, timer_second);
	RUN(test_the_pulse_lasts_as_long_as_something_waits);
	RUN(test_a_registry_that_does_not_answer_in_time);
	RUN(test_who_is_ready_is_worked_off);
	RUN(test_each_second);
	RUN(test_without_a_registry_it_stops);
	return (test_failed());
}
