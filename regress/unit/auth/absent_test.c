/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/absent.h"

#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

static struct absent absent;

static void
test_for_its_time_only(void)
{
	CHECK(!absent_has(&absent, 7, clock_ns()));
	absent_add(&absent, 7, clock_ns());
	CHECK(absent_has(&absent, 7, clock_ns()));
	CHECK(!absent_has(&absent, 8, clock_ns()));
	still_pass(1.999);
	CHECK(absent_has(&absent, 7, clock_ns()));
	still_pass(0.001);
	CHECK(!absent_has(&absent, 7, clock_ns()));
	/* And anew. */
	absent_add(&absent, 7, clock_ns());
	still_pass(1);
	absent_add(&absent, 7, clock_ns());
	still_pass(1.5);
	CHECK(absent_has(&absent, 7, clock_ns()));
}

static void
test_removed(void)
{
	absent_add(&absent, 9, clock_ns());
	absent_remove(&absent, 9);
	CHECK(!absent_has(&absent, 9, clock_ns()));
	absent_remove(&absent, 10);
	/* Node 0 is not what a free place says. */
	CHECK(!absent_has(&absent, 0, clock_ns()));
}

/* A fair number of places is in use before any is taken from a node. */
static void
test_a_flood(void)
{
	uint32_t kept, node;

	still_pass(10);
	for (node = 1; node <= ABSENT_PLACES / 4; node++)
		absent_add(&absent, node, clock_ns());
	for (kept = 0, node = 1; node <= ABSENT_PLACES / 4; node++)
		kept += (uint32_t)absent_has(&absent, node, clock_ns());
	CHECK(kept > ABSENT_PLACES / 4 * 99 / 100);
	for (node = 1; node <= 3000000; node++)
		absent_add(&absent, node, clock_ns());
	for (kept = 0, node = 1; node <= 3000000; node++)
		kept += (uint32_t)absent_has(&absent, node, clock_ns());
	CHECK(kept == ABSENT_PLACES);
}

int
main(void)
{
	if (sodium_init() == -1 || absent_init(&absent, 2 * CLOCK_SECOND) == -1)
		return (1);
	RUN(test_for_its_time_only);
	RUN(test_removed);
	RUN(test_a_flood);
	absent_free(&absent);
	return (test_failed());
}
