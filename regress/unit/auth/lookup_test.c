/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/counters.h"

#include "auth/lookup.h"

#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

static struct lookups l;
static struct lookup_login login;
static enum lookup_outcome outcome;

static int
want_by(uint32_t node, uint32_t slot, uint32_t worker)
{
	struct lookup_login who;

	memset(&who, 0, sizeof(who));
	who.worker = worker;
	who.msg.node = node;
	who.msg.slot = slot;
	return (lookup_wait(&l, &who, clock_ns()));
}

static int
want(uint32_t node, uint32_t slot)
{
	return (want_by(node, slot, 3));
}

static int
ready(uint32_t node, uint32_t slot, enum lookup_outcome how)
{
	return (lookup_ready(&l, &login, &outcome) && login.msg.node == node &&
		login.msg.slot == slot && outcome == how);
}

static int
nothing(void)
{
	return (!lookup_ready(&l, &login, &outcome) && lookup_idle(&l) &&
		l.count[LOOKUP_SENT] == 0);
}

static void
test_many_waiters_one_request(void)
{
	uint64_t shared;
	uint32_t i;

	shared = counters_read(counters, COUNTER_LOOKUP_SHARED);
	for (i = 0; i < 500; i++)
		CHECK(want(7, i) == 0);
	CHECK(lookup_next(&l) == 7);
	for (; i < 1000; i++)
		CHECK(want(7, i) == 0);
	CHECK(lookup_next(&l) == 0);
	CHECK(counters_read(counters, COUNTER_LOOKUP_SHARED) == shared + 999);
	CHECK(l.nwaiting == 1000 && l.nready == 0);
	lookup_answered(&l, 7, LOOKUP_ANSWERED);
	CHECK(l.nwaiting == 0 && l.nready == 1000);
	for (i = 0; i < 1000; i++)
		CHECK(ready(7, i, LOOKUP_ANSWERED));
	CHECK(nothing());
	lookup_answered(&l, 7, LOOKUP_ANSWERED);
	CHECK(nothing());
}

/* By deadline; what nobody waits for comes last, until somebody does. */
static void
test_order(void)
{
	CHECK(lookup_refresh(&l, 1) == 0);
	CHECK(lookup_refresh(&l, 2) == 0);
	CHECK(lookup_refresh(&l, 2) == 0);
	CHECK(want(10, 0) == 0);
	CHECK(want(11, 1) == 0);
	CHECK(want(10, 2) == 0);
	CHECK(want(2, 3) == 0);
	CHECK(lookup_refresh(&l, 11) == 0);
	CHECK(lookup_queued(&l) == 4);
	CHECK(lookup_next(&l) == 10);
	CHECK(lookup_next(&l) == 11);
	CHECK(lookup_next(&l) == 2);
	CHECK(lookup_next(&l) == 1);
	CHECK(lookup_next(&l) == 0);
	lookup_answered(&l, 2, LOOKUP_ANSWERED);
	lookup_answered(&l, 1, LOOKUP_ANSWERED);
	lookup_answered(&l, 11, LOOKUP_UNANSWERED);
	lookup_answered(&l, 10, LOOKUP_ANSWERED);
	CHECK(ready(2, 3, LOOKUP_ANSWERED));
	CHECK(ready(11, 1, LOOKUP_UNANSWERED));
	CHECK(ready(10, 0, LOOKUP_ANSWERED));
	CHECK(ready(10, 2, LOOKUP_ANSWERED));
	CHECK(nothing());
}

static void
test_deadlines(void)
{
	CHECK(want(1, 0) == 0);
	still_pass(1);
	CHECK(want(2, 1) == 0);
	CHECK(want(1, 2) == 0);
	still_pass(1.5);
	lookup_expire(&l, clock_ns());
	CHECK(l.nready == 0);
	still_pass(0.5);
	lookup_expire(&l, clock_ns());
	CHECK(ready(1, 0, LOOKUP_UNANSWERED));
	CHECK(l.nwaiting == 2 && l.nready == 0);
	CHECK(lookup_next(&l) == 1);
	still_pass(1);
	lookup_expire(&l, clock_ns());
	CHECK(ready(2, 1, LOOKUP_UNANSWERED));
	CHECK(ready(1, 2, LOOKUP_UNANSWERED));
	/* Nobody waits for 2 any more: no request.  That for 1 is out. */
	CHECK(lookup_next(&l) == 0);
	CHECK(l.count[LOOKUP_SENT] == 1);
	CHECK(want(1, 4) == 0);
	CHECK(lookup_next(&l) == 0);
	lookup_answered(&l, 1, LOOKUP_ANSWERED);
	CHECK(ready(1, 4, LOOKUP_ANSWERED));
	CHECK(nothing());
}

/* Who waits is asked for once more, in the old order and before the rest. */
static void
test_connection_lost(void)
{
	CHECK(want(1, 0) == 0);
	CHECK(want(2, 1) == 0);
	CHECK(lookup_refresh(&l, 9) == 0);
	CHECK(lookup_next(&l) == 1 && lookup_next(&l) == 2);
	CHECK(lookup_next(&l) == 9);
	CHECK(want(3, 2) == 0);
	lookup_lost(&l);
	CHECK(l.nready == 0 && l.nwaiting == 3);
	CHECK(lookup_next(&l) == 1 && lookup_next(&l) == 2);
	lookup_answered(&l, 1, LOOKUP_ANSWERED);
	CHECK(ready(1, 0, LOOKUP_ANSWERED));
	CHECK(lookup_next(&l) == 3);
	lookup_lost(&l);
	CHECK(ready(2, 1, LOOKUP_UNANSWERED));
	CHECK(lookup_next(&l) == 3);
	lookup_lost(&l);
	CHECK(ready(3, 2, LOOKUP_UNANSWERED));
	CHECK(nothing());
}

static void
test_forget(void)
{
	CHECK(want(1, 0) == 0);
	CHECK(want(2, 1) == 0);
	CHECK(lookup_refresh(&l, 9) == 0);
	CHECK(lookup_next(&l) == 1);
	lookup_forget(&l);
	CHECK(ready(2, 1, LOOKUP_UNANSWERED));
	CHECK(ready(1, 0, LOOKUP_UNANSWERED));
	CHECK(nothing());
}

static void
test_bounds(void)
{
	uint64_t full;
	uint32_t i, node, worker;

	full = counters_read(counters, COUNTER_LOOKUP_FULL);
	for (i = 0; i < LOOKUP_REFRESHES; i++)
		CHECK(lookup_refresh(&l, 1 + i) == 0);
	CHECK(lookup_refresh(&l, 1 + i) == -1);
	CHECK(lookup_refresh(&l, 1) == 0);
	/* One worker does not get all places for itself. */
	for (i = 0; i < LOOKUP_WORKER; i++)
		CHECK(want_by(100000 + i, i, 0) == 0);
	CHECK(want_by(99999, 0, 0) == -1);
	CHECK(want_by(99999, 0, 1) == 0);
	for (node = 200000; want_by(node, 0, 1) == 0; node++)
		continue;
	CHECK(lookup_queued(&l) == LOOKUP_MAX);
	/* A node that is asked for anyway may still be waited for. */
	for (worker = 2; worker < PROTO_WORKERS_MAX; worker++)
		while (want_by(99999, 0, worker) == 0)
			continue;
	CHECK(l.nwaiting == LOOKUP_WAITERS);
	CHECK(counters_read(counters, COUNTER_LOOKUP_FULL) > full);
	still_pass(3);
	lookup_expire(&l, clock_ns());
	CHECK(want_by(99999, 0, 1) == -1);
	for (i = 0; lookup_ready(&l, &login, &outcome); i++)
		CHECK(outcome == LOOKUP_UNANSWERED);
	CHECK(i == LOOKUP_WAITERS);
	CHECK(lookup_queued(&l) == LOOKUP_REFRESHES);
	lookup_forget(&l);
	CHECK(nothing());
	for (worker = 0; worker < PROTO_WORKERS_MAX; worker++)
		CHECK(l.of[worker] == 0);
	CHECK(want_by(99999, 0, 0) == 0);
	lookup_forget(&l);
	CHECK(ready(99999, 0, LOOKUP_UNANSWERED));
	CHECK(nothing());
}

int
main(void)
{
	if (sodium_init() == -1 || lookup_init(&l) == -1)
		return (1);
	RUN(test_many_waiters_one_request);
	RUN(test_order);
	RUN(test_deadlines);
	RUN(test_connection_lost);
	RUN(test_forget);
	RUN(test_bounds);
	lookup_free(&l);
	return (test_failed());
}
