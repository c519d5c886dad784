/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/parts.h"

/* A turn's share of everybody, and when there is no turn. */

static int keys, logins, resumed, inits;
static int more_keys, more_logins; /* boolean: what they say */

#define INIT(name)                 \
	void name(struct auth *of) \
	{                          \
		inits++;           \
	}
INIT(keys_init)
INIT(keys_snapshot_init)
INIT(keys_cache_init)
INIT(walk_init)
INIT(from_registry_init)

void
wire_init(void)
{
	inits++;
}

int
lookup_init(struct lookups *l)
{
	inits++;
	return (0);
}

void
timer_pulse(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

void
timer_second(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

int
keys_work(struct auth *of)
{
	keys++;
	return (more_keys);
}

int
login_work(struct auth *of)
{
	logins++;
	return (more_logins);
}

void
from_worker_resume_all(struct auth *of)
{
	resumed++;
}

static void
turn(void)
{
	keys = logins = resumed = 0;
	ev_run(auth.loop, EVRUN_NOWAIT);
}

static void
test_all_is_set_up(void)
{
	work_init(&auth);
	CHECK(inits == 7);
	turn();
	CHECK(keys == 0);
}

static void
test_until_nobody_has_more(void)
{
	turn_wake(&auth);
	more_keys = 1;
	turn();
	CHECK(keys == 1 && logins == 1);
	more_keys = 0;
	more_logins = 1;
	turn();
	CHECK(keys == 1 && logins == 1);
	more_logins = 0;
	turn();
	CHECK(keys == 1);
	turn();
	CHECK(keys == 0);
}

/* Before the keys are read, nobody is answered. */
static void
test_workers_wait_until_it_is_ready(void)
{
	turn_wake(&auth);
	turn();
	CHECK(resumed == 0);
	auth.ready = 1;
	turn_wake(&auth);
	turn();
	CHECK(resumed == 1);
}

static void
test_nothing_while_the_parent_is_behind(void)
{
	static uint8_t bytes[8000];

	while (!tell_congested(&auth))
		tell_parent(&auth, AP_KEYS, bytes, sizeof(bytes));
	turn_wake(&auth);
	keys = 0;
	work_turn(auth.loop, &auth.work, 0);
	CHECK(keys == 0 && !ev_is_active(&auth.work));
	CHECK(ev_is_active(&auth.drain));
}

int
main(void)
{
	parts_loop();
	RUN(test_all_is_set_up);
	RUN(test_until_nobody_has_more);
	RUN(test_workers_wait_until_it_is_ready);
	RUN(test_nothing_while_the_parent_is_behind);
	return (test_failed());
}
