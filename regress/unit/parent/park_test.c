/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>

#include "parent/control.h"
#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/* All sessions come to rest and are kept, one step after the other; or not. */

#define WORKERS 2

static uint32_t loads;  /* connections of each worker */
static int busy;        /* boolean: a renewal is under way */
static int paused;      /* boolean: the operators are */
static int asked, over; /* worker that tells, + 1; boolean: of all */
static uint32_t most;   /* of how many sessions, at rest; 0: of all */
static int checked;     /* those of before; -1: they cannot be */
static int forgotten;
static int cannot_map;
static int at_rest, resumed, written, cannot_write; /* of entrust.c */
static int called, result;                          /* done */

/* ---- in the place of what it calls ---- */

uint32_t
metrics_load(const struct process *p)
{
	return (loads);
}

int
renew_is_busy(const struct parent *of)
{
	return (busy);
}

void
control_pause(struct parent *of)
{
	paused = 1;
}

void
control_resume(struct parent *of)
{
	paused = 0;
}

int
park_told_begin(struct process *p, uint32_t of)
{
	asked = (int)p->place->number + 1;
	most = of;
	over = 0;
	return (0);
}

int
park_told_is_over(const struct parent *of)
{
	return (over);
}

void
park_told_end(struct parent *of)
{
	asked = 0;
}

int
park_ahead_check(struct parent *of)
{
	return (checked == -1 ? -1 : (checked++, 0));
}

void
park_ahead_free(struct parent *of)
{
	forgotten++;
}

int
park_map(struct parent *of)
{
	return (cannot_map ? -1 : 0);
}

int
entrust_rests(struct parent *of)
{
	return (at_rest);
}

void
entrust_undo(struct parent *of)
{
	resumed++;
}

int
entrust_write(struct parent *of)
{
	written++;
	return (cannot_write ? -1 : 0);
}

static void
done(struct parent *of, int ok)
{
	called++;
	result = ok;
}

/* ---- */

static void
turns(uint32_t n)
{
	while (n-- > 0) {
		ev_feed_event(parent.loop, &parent.park.timer, EV_TIMER);
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
	}
}

/* Do both workers hear that, and nothing else? */
static int
both_hear(enum still_stage stage)
{
	struct msg_still msg;
	uint32_t i;

	for (i = 1; i <= WORKERS; i++)
		if (parts_told(i, PW_STILL, &msg, sizeof(msg)) != 1 ||
		    msg.stage != stage || msg.ticket != parent.park.ticket)
			return (0);
	return (1);
}

static const char *
is_still(uint32_t i, enum still_stage stage, uint32_t ticket)
{
	struct msg_still msg = { stage, ticket };

	return (park_is_still(parent.workers[i].child, &msg));
}

static void
quiet(void)
{
	struct msg_still msg;
	uint32_t i;

	park_undo(&parent);
	for (i = 0; i < WORKERS; i++) {
		parent.workers[i].child->state = CHILD_RUNNING;
		parent.workers[i].child->sessions = 5;
		parent.workers[i].child->move = NULL;
		while (parts_told(i + 1, PW_STILL, &msg, sizeof(msg)) != -1)
			;
	}
	loads = 5;
	parent.ready = 1;
	parent.max_files = UINT64_MAX;
	parent.stopping = parent.reloading = 0;
	at_rest = resumed = written = cannot_write = 0;
	busy = cannot_map = called = over = checked = forgotten = 0;
	result = -1;
}

static int
begin(void)
{
	quiet();
	return (park_begin(&parent, done));
}

/* So far that all stand still. */
static int
begin_still(void)
{
	if (begin() != 0 || !both_hear(STILL_LISTENERS))
		return (-1);
	turns(1);
	return (
	    parent.park.stage == PARK_STILL && both_hear(STILL_ALL) ? 0 : -1);
}

/* And that the first worker tells. */
static int
begin_told(void)
{
	if (begin_still() == -1)
		return (-1);
	for (uint32_t i = 0; i < WORKERS; i++)
		if (is_still(i, STILL_ALL, parent.park.ticket) != NULL)
			return (-1);
	return (parent.park.stage == PARK_TOLD && asked == 1 ? 0 : -1);
}

/* All goes on, and whoever has asked has heard of it, once. */
static int
all_go_on(void)
{
	return (parent.park.stage == PARK_NOT && called == 1 && result == 0 &&
		!paused && !parent.auth.child->channel.paused &&
		parent.park.file == NULL && asked == 0 &&
		!ev_is_active(&parent.park.timer) && both_hear(STILL_NOT));
}

static void
test_one_step_after_the_other(void)
{
	CHECK(begin() == 0 && parent.park.stage == PARK_LISTENERS);
	CHECK(both_hear(STILL_LISTENERS) && !paused);
	turns(1);
	CHECK(parent.park.stage == PARK_STILL && both_hear(STILL_ALL));
	CHECK(paused && parent.auth.child->channel.paused);
	CHECK(is_still(1, STILL_ALL, parent.park.ticket) == NULL);
	turns(3);
	CHECK(parent.park.stage == PARK_STILL);
	CHECK(is_still(0, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(parent.park.stage == PARK_TOLD && asked == 1);
	turns(3);
	CHECK(asked == 1);
	over = 1;
	turns(1);
	CHECK(asked == 2 && called == 0);
	over = 1;
	turns(1);
	CHECK(parent.park.stage == PARK_WHOLE && called == 1 && result == 1);
	CHECK(parent.park.file != NULL && parent.park.file->fd != -1);
	/* Whoever takes them ends us, or all goes on after all. */
	park_undo(&parent);
	CHECK(parent.park.stage == PARK_NOT && !paused && called == 1);
	CHECK(both_hear(STILL_NOT) && parent.park.file == NULL);
	park_undo(&parent);
	CHECK(!both_hear(STILL_NOT));
}

static void
test_not_just_now(void)
{
	CHECK(begin() == 0 && park_begin(&parent, done) == EBUSY);
	park_undo(&parent);
	parent.ready = 0;
	CHECK(park_begin(&parent, done) == EBUSY);
	parent.ready = 1;
	busy = 1;
	CHECK(park_begin(&parent, done) == EBUSY);
	busy = 0;
	parent.reloading = 1;
	CHECK(park_begin(&parent, done) == EBUSY);
	parent.reloading = 0;
	parent.stopping = 1;
	CHECK(park_begin(&parent, done) == EBUSY);
	parent.stopping = 0;
	parent.workers[1].child->state = CHILD_STARTING;
	CHECK(park_begin(&parent, done) == EBUSY);
	parent.workers[1].child->state = CHILD_RUNNING;
	CHECK(park_begin(&parent, done) == 0);
	CHECK(parent.park.stage == PARK_LISTENERS && called == 0);
}

/* Who logs in is waited for, but not for long. */
static void
test_logins_are_waited_for(void)
{
	CHECK(begin() == 0);
	loads = 6;
	turns(90);
	CHECK(parent.park.stage == PARK_LISTENERS);
	loads = 5;
	turns(1);
	CHECK(parent.park.stage == PARK_STILL);
	CHECK(begin() == 0);
	loads = 6;
	turns(110);
	CHECK(parent.park.stage == PARK_STILL);
}

static void
test_moves_are_waited_for(void)
{
	static struct move move;

	CHECK(begin() == 0 && both_hear(STILL_LISTENERS));
	parent.workers[1].child->move = &move;
	turns(300);
	CHECK(parent.park.stage == PARK_LISTENERS);
	parent.workers[1].child->move = NULL;
	turns(1);
	CHECK(parent.park.stage == PARK_STILL);
	CHECK(begin() == 0 && both_hear(STILL_LISTENERS));
	parent.workers[1].child->move = &move;
	turns(410);
	CHECK(all_go_on());
	parent.workers[1].child->move = NULL;
}

/* In each step. */
static void
test_late(void)
{
	CHECK(begin_still() == 0);
	turns(210);
	CHECK(all_go_on());
	CHECK(begin_told() == 0);
	turns(410);
	CHECK(all_go_on());
	/* Whole, but nobody takes them: it was said that they are. */
	CHECK(begin_told() == 0);
	over = 1;
	turns(1);
	over = 1;
	turns(1);
	CHECK(called == 1 && result == 1);
	called = 0;
	turns(1010);
	CHECK(all_go_on());
}

static void
test_a_worker_that_dies(void)
{
	CHECK(begin() == 0 && both_hear(STILL_LISTENERS));
	park_lost(parent.workers[0].child);
	CHECK(all_go_on());
	CHECK(begin_still() == 0);
	park_lost(parent.workers[0].child);
	CHECK(all_go_on());
	CHECK(begin_told() == 0);
	park_lost(parent.workers[1].child);
	CHECK(all_go_on());
	/* And later it is nobody's matter. */
	park_lost(parent.workers[1].child);
	CHECK(called == 1);
}

/* Peers get their goodbye from who is told to say it. */
static void
test_all_are_to_end(void)
{
	CHECK(begin_still() == 0);
	parent.stopping = 1;
	turns(1);
	CHECK(all_go_on());
	parent.stopping = 0;
	CHECK(begin_told() == 0);
	parent.drain.phase = DRAIN_UNHEALTHY;
	turns(1);
	CHECK(all_go_on());
	parent.drain.phase = DRAIN_NOT;
}

/* All workers tell, each of so many at rest, and so many are kept. */
static int
tell_ahead(uint32_t first, uint32_t second)
{
	called = 0;
	if (park_some(&parent, done) != 0 || parent.park.stage != PARK_AHEAD)
		return (-1);
	turns(1);
	if (asked != 1 || most != PARK_ROUND)
		return (-1);
	parent.park.file->sessions = first;
	over = 1;
	turns(1);
	if (first < PARK_ROUND) {
		if (asked != 2 || most != PARK_ROUND - first)
			return (-1);
		parent.park.file->sessions += second;
		over = 1;
		turns(1);
	}
	return (parent.park.stage == PARK_AWAY && called == 1 && result == 1 &&
			parent.park.file == NULL
		    ? 0
		    : -1);
}

/* Nobody stands still for it, as often as that is, and then all do. */
static void
test_some_are_told_of_ahead(void)
{
	quiet();
	parent.max_files = 100;
	CHECK(park_some(&parent, done) == 0);
	turns(1);
	CHECK(asked == 1 && most == 50);
	park_undo(&parent);
	quiet();
	CHECK(tell_ahead(PARK_ROUND, 0) == 0);
	CHECK(tell_ahead(7, 5) == 0);
	CHECK(!both_hear(STILL_LISTENERS) && !paused && checked == 0);
	/* Nothing else may begin meanwhile, but that may. */
	busy = 1;
	CHECK(tell_ahead(0, 0) == 0);
	called = 0;
	CHECK(park_begin(&parent, done) == 0);
	CHECK(park_some(&parent, done) == EBUSY);
	CHECK(both_hear(STILL_LISTENERS));
	turns(1);
	CHECK(both_hear(STILL_ALL) && checked == 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		CHECK(is_still(i, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(checked == 1 && asked == 1 && most == 0 && forgotten == 0);
	over = 1;
	turns(1);
	over = 1;
	turns(1);
	CHECK(parent.park.stage == PARK_WHOLE && called == 1 && result == 1);
	park_undo(&parent);
	CHECK(forgotten == 1 && both_hear(STILL_NOT));
}

/* The other parent is waited for, neither for ever nor as often as it likes. */
static void
test_what_goes_wrong_ahead(void)
{
	uint32_t i;

	quiet();
	parent.ready = 0;
	CHECK(park_some(&parent, done) == EBUSY);
	parent.ready = 1;
	CHECK(park_some(&parent, done) == 0);
	turns(1);
	turns(410);
	CHECK(all_go_on() && forgotten == 1);
	quiet();
	CHECK(tell_ahead(1, 1) == 0);
	called = 0;
	turns(1010);
	CHECK(all_go_on());
	quiet();
	CHECK(tell_ahead(1, 1) == 0);
	called = 0;
	park_lost(parent.workers[1].child);
	CHECK(all_go_on());
	/* Ends of connections wait for the other one. */
	quiet();
	for (i = 0; i < 7; i++) {
		CHECK(tell_ahead(1, 1) == 0);
		turns(900);
	}
	CHECK(parent.park.stage == PARK_NOT && result == 0);
	CHECK(both_hear(STILL_NOT));
	quiet();
	for (i = 0; i < PARK_ROUNDS_MAX; i++)
		CHECK(tell_ahead(1, 1) == 0);
	/* It gets nobody then, and whoever is left when all stand still. */
	asked = 0;
	CHECK(park_some(&parent, done) == 0);
	turns(1);
	CHECK(asked == 0 && parent.park.stage == PARK_AWAY && result == 1);
	CHECK(park_begin(&parent, done) == 0);
	park_undo(&parent);
	CHECK(park_some(&parent, done) == 0);
	turns(1);
	CHECK(asked == 1);
	/* Without memory for what was told of before. */
	quiet();
	CHECK(begin_still() == 0);
	checked = -1;
	for (i = 0; i < WORKERS; i++)
		CHECK(is_still(i, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(all_go_on());
}

static void
test_no_other_stillness(void)
{
	CHECK(begin_still() == 0);
	CHECK(is_still(1, STILL_NOT, parent.park.ticket) != NULL);
	CHECK(is_still(1, STILL_LISTENERS, parent.park.ticket) != NULL);
	CHECK(parent.park.stage == PARK_STILL && parent.park.awaited == 2);
}

static void
test_still_twice_is_a_lie(void)
{
	CHECK(begin_still() == 0);
	CHECK(is_still(1, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(is_still(1, STILL_ALL, parent.park.ticket) != NULL);
	CHECK(parent.park.stage == PARK_STILL && parent.park.awaited == 1);
}

/* What is said of another time, before it was asked or after, is no news. */
static void
test_still_at_another_time(void)
{
	CHECK(begin() == 0);
	CHECK(is_still(0, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(is_still(1, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(parent.park.stage == PARK_LISTENERS);
	CHECK(begin_still() == 0);
	CHECK(is_still(0, STILL_ALL, parent.park.ticket - 1) == NULL);
	CHECK(is_still(1, STILL_ALL, parent.park.ticket - 1) == NULL);
	CHECK(parent.park.stage == PARK_STILL && parent.park.awaited == 2);
	CHECK(begin_told() == 0);
	CHECK(is_still(0, STILL_ALL, parent.park.ticket) == NULL);
	CHECK(parent.park.stage == PARK_TOLD);
}

static void
test_what_cannot_be_written(void)
{
	CHECK(begin_told() == 0);
	parent.park.wrong = "what it is";
	turns(1);
	CHECK(all_go_on() && parent.park.wrong == NULL);
	CHECK(begin_told() == 0);
	cannot_map = 1;
	over = 1;
	turns(1);
	over = 1;
	turns(1);
	CHECK(all_go_on());
}

static int
begin_children(void)
{
	quiet();
	return (park_children(&parent, done));
}

/* Our children go as they are, as soon as they are at rest. */
static void
test_children_are_entrusted(void)
{
	struct park_header header;

	parent.map.generation = 77;
	CHECK(begin_children() == 0 && both_hear(STILL_LISTENERS));
	turns(3);
	CHECK(parent.park.stage == PARK_ENTRUST && called == 0 && !paused);
	at_rest = 1;
	turns(1);
	CHECK(parent.park.stage == PARK_ENTRUSTED && called == 1 && result);
	CHECK(paused && written == 1);
	CHECK(pread(parent.park.file->fd, &header, sizeof(header), 0) ==
	      sizeof(header));
	CHECK(header.generation == 77 && header.tickets == parent.tickets);
	/* The other one does not want them. */
	turns(1001);
	CHECK(parent.park.stage == PARK_NOT && called == 2 && !result);
	CHECK(resumed == 1 && !paused && both_hear(STILL_NOT));
	CHECK(parent.park.file == NULL);
}

static void
test_children_that_do_not_rest(void)
{
	CHECK(begin_children() == 0 && both_hear(STILL_LISTENERS));
	turns(401);
	CHECK(all_go_on() && resumed == 0 && written == 0);
	CHECK(begin_children() == 0 && both_hear(STILL_LISTENERS));
	parent.stopping = 1;
	turns(1);
	CHECK(all_go_on());
}

static void
test_children_that_cannot_be_written(void)
{
	CHECK(begin_children() == 0 && both_hear(STILL_LISTENERS));
	at_rest = cannot_write = 1;
	turns(1);
	CHECK(all_go_on() && resumed == 1);
	CHECK(begin_children() == 0 && both_hear(STILL_LISTENERS));
	at_rest = cannot_map = 1;
	turns(1);
	CHECK(all_go_on() && resumed == 1);
}

static void
test_children_without_auth(void)
{
	struct process *auth;

	quiet();
	auth = parent.auth.child;
	parent.auth.child = NULL;
	CHECK(park_children(&parent, done) == EBUSY);
	parent.auth.child = auth;
	busy = 1;
	CHECK(park_children(&parent, done) == EBUSY);
}

int
main(void)
{
	parts_init();
	RUN(test_one_step_after_the_other);
	RUN(test_not_just_now);
	RUN(test_logins_are_waited_for);
	RUN(test_moves_are_waited_for);
	RUN(test_late);
	RUN(test_a_worker_that_dies);
	RUN(test_all_are_to_end);
	RUN(test_some_are_told_of_ahead);
	RUN(test_what_goes_wrong_ahead);
	RUN(test_no_other_stillness);
	RUN(test_still_twice_is_a_lie);
	RUN(test_still_at_another_time);
	RUN(test_what_cannot_be_written);
	RUN(test_children_are_entrusted);
	RUN(test_children_that_do_not_rest);
	RUN(test_children_that_cannot_be_written);
	RUN(test_children_without_auth);
	return (test_failed());
}
