/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <fcntl.h>

#include "regress/unit/parent/parts.h"

/* New workers beside the old ones, all of them or none. */

#define NEW (&parent.workers[PROTO_WORKERS_MAX])

static int begun, retired, left, published;
static int answer;       /* the last of control_renewed() */
static int no_programs;  /* boolean: there are no such programs */
static int opened, kept; /* spawn_settle(): the last; -1: none */

void
supervise_worker(struct parent *of, struct place *place, int candidate)
{
	place->parent = of;
	place->role = parent.workers[0].role;
	place->candidate = candidate;
	begun++;
}

void
supervise_retire(struct place *place)
{
	place->candidate = place->retired = 0;
	place->role = NULL;
	retired++;
}

void
places_leave(struct place *place)
{
	left++;
}

static int shown; /* to a router */

void
router_introduce(struct process *p)
{
	shown++;
}

static int settled; /* how often it was asked whether all have moved */

void
places_moved(struct parent *of)
{
	settled += !of->places.renewal.taking_over;
}

void
control_renewed(struct parent *of, int error)
{
	answer = error;
}

void
metrics_publish_loads(struct parent *of)
{
	published++;
}

int
spawn_open_again(struct parent *of)
{
	opened++;
	return (no_programs ? -1 : 0);
}

void
spawn_settle(struct parent *of, int keep)
{
	kept = keep;
}

static int no_keys; /* boolean: there is no key file, or nothing in it */

int
keys_open(const char *path, uint32_t had)
{
	return (no_keys && had == parent.keys
		    ? -1
		    : open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static int beside, taken, ended; /* auth and metrics, likewise */
static int others;               /* boolean: of before are still there */

void
beside_begin(struct parent *of)
{
	beside++;
}

int
beside_is_busy(const struct parent *of)
{
	return (others);
}

void
beside_take_over(struct parent *of)
{
	taken++;
}

void
beside_end(struct parent *of)
{
	ended++;
}

static void
begin(void)
{
	uint32_t i;

	ev_timer_stop(parent.loop, &parent.places.renewal.timer);
	memset(&parent.places.renewal, 0, sizeof(parent.places.renewal));
	parent.stopping = 0;
	parent.places.leaving = 0;
	for (i = 0; i < PROTO_WORKERS_MAX; i++) {
		memset(&NEW[i], 0, sizeof(NEW[i]));
		NEW[i].number = PROTO_WORKERS_MAX + i;
	}
	beside = taken = ended = others = 0;
	begun = retired = left = published = opened = no_programs = 0;
	answer = kept = -1;
}

static void
is_ready(struct place *place)
{
	struct process p = { .parent = &parent, .place = place };

	renew_ready(&p);
}

static void
test_one_is_replaced(void)
{
	begin();
	parent.workers[1].restarts = 3;
	CHECK(renew_worker(&parent, 1) == 0 && begun == 1);
	CHECK(
	    NEW[1].candidate && NEW[1].restarts == 3 && renew_is_busy(&parent));
	/* One that comes back meanwhile is none of these. */
	is_ready(&parent.workers[0]);
	CHECK(NEW[1].candidate && left == 0);
	/* A router hears of one that is there to stay. */
	shown = 0;
	is_ready(&NEW[1]);
	CHECK(shown == 1);
	CHECK(!NEW[1].candidate && left == 1 && published == 1);
	CHECK(!ev_is_active(&parent.places.renewal.timer) && answer == -1);
	CHECK(settled == 1);
}

static void
test_who_may_not_be_replaced(void)
{
	begin();
	CHECK(renew_worker(&parent, 2) == ENOENT);
	CHECK(renew_worker(&parent, UINT32_MAX) == ENOENT);
	parent.stopping = 1;
	CHECK(renew_worker(&parent, 0) == EBUSY);
	CHECK(renew_all(&parent) == EBUSY);
	/* Nor while they go to another parent. */
	begin();
	parent.park.stage = PARK_LISTENERS;
	CHECK(renew_worker(&parent, 0) == EBUSY && renew_is_busy(&parent));
	parent.park.stage = PARK_NOT;
	CHECK(!renew_is_busy(&parent));
	begin();
	parent.stopping = 0;
	parent.places.leaving = 1;
	CHECK(renew_worker(&parent, 0) == EBUSY && begun == 0);
	CHECK(renew_all(&parent) == EBUSY && opened == 0);
	parent.places.leaving = 0;
	others = 1;
	CHECK(renew_worker(&parent, 0) == EBUSY);
	others = 0;
	CHECK(renew_worker(&parent, 0) == 0);
	CHECK(renew_worker(&parent, 1) == EBUSY && begun == 1);
}

static void
test_all_are_replaced_at_once(void)
{
	begin();
	no_programs = 1;
	CHECK(renew_all(&parent) == ENOEXEC && begun == 0);
	no_programs = 0;
	CHECK(renew_all(&parent) == 0 && begun == 2 && beside == 1);
	CHECK(parent.places.renewal.upgrade);
	is_ready(&NEW[0]);
	CHECK(left == 0);
	is_ready(&NEW[1]);
	CHECK(left == 2 && kept == -1 && taken == 1);
	CHECK(ended == 1); /* as nobody leaves */
}

static void
test_not_in_time(void)
{
	begin();
	CHECK(renew_all(&parent) == 0);
	parent.auth_beside.candidate = 1;
	parent.auth_beside.role = parent.workers[0].role;
	is_ready(&NEW[0]);
	ev_feed_event(parent.loop, &parent.places.renewal.timer, EV_TIMER);
	ev_invoke_pending(parent.loop);
	CHECK(answer == ETIME && kept == 0 && left == 0 && retired == 3);
	CHECK(!renew_is_busy(&parent) && !parent.places.renewal.upgrade);
	/* Of the end of one of them nobody hears a second time. */
	answer = -1;
	renew_failed(&parent, "one has died");
	CHECK(answer == -1);
}

/* The one that runs has read them: a new one could not. */
static void
test_not_without_the_key_file(void)
{
	begin();
	parent.keys = 32;
	no_keys = 1;
	CHECK(renew_all(&parent) == 0);
	begin();
	(void)strlcpy(
	    parts_conf.keys_file, "keys", sizeof(parts_conf.keys_file));
	CHECK(renew_all(&parent) == ENOKEY && opened == 0 && begun == 0);
	CHECK(renew_worker(&parent, 0) == 0);
	begin();
	no_keys = 0;
	CHECK(renew_all(&parent) == 0 && begun == 2);
}

/* What was called off has its place until it is dead. */
static void
test_one_that_dies_slowly(void)
{
	struct process p = { .parent = &parent, .place = &NEW[0] };

	begin();
	CHECK(renew_worker(&parent, 0) == 0);
	NEW[0].child = &p;
	renew_failed(&parent, "not ready");
	CHECK(retired == 0 && answer == ETIME);
	CHECK(renew_is_busy(&parent));
	CHECK(renew_worker(&parent, 0) == EBUSY);
	CHECK(renew_all(&parent) == EBUSY && opened == 0);
	supervise_retire(&NEW[0]);
	CHECK(renew_worker(&parent, 0) == 0 && begun == 2);
	NEW[0].child = NULL;
}

int
main(void)
{
	parts_init();
	RUN(test_one_is_replaced);
	RUN(test_who_may_not_be_replaced);
	RUN(test_all_are_replaced_at_once);
	RUN(test_not_in_time);
	RUN(test_not_without_the_key_file);
	RUN(test_one_that_dies_slowly);
	return (test_failed());
}
