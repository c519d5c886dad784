/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <time.h>

#include "common/clock.h"

#include "regress/unit/test.h"

static void
test_monotonic(void)
{
	uint64_t ns;
	uint32_t seconds;

	ns = clock_ns();
	seconds = clock_seconds();
	CHECK(clock_ns() >= ns);
	CHECK(seconds >= ns / CLOCK_SECOND);
	CHECK(seconds - ns / CLOCK_SECOND < 5);
	/* Windows and ages that begin with 0 are over. */
	CHECK(seconds > 3600);
}

static void
test_wall(void)
{
	uint32_t now;

	CHECK(llabs((long long)(clock_wall() - (uint64_t)time(NULL))) < 5);
	now = clock_seconds();
	CHECK(llabs((long long)(clock_wall_at(now) - clock_wall())) < 5);
	CHECK(llabs((long long)(clock_wall_at(now - 600) + 600 -
				clock_wall())) < 5);
	CHECK(llabs((
		  long long)((clock_ns() + clock_wall_offset()) / CLOCK_SECOND -
			     clock_wall())) < 5);
}

/* What other programs are told is the kernel's own, and not ours. */
static void
test_clock_of_the_kernel(void)
{
	struct timespec ts;
	uint64_t ns;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	ns = (uint64_t)ts.tv_sec * CLOCK_SECOND + (uint64_t)ts.tv_nsec;
	CHECK(clock_kernel_ns() >= ns);
	CHECK(clock_kernel_ns() - ns < 5 * CLOCK_SECOND);
}

/* A time in the past does not move when a second of either clock ends. */
static void
test_past_stands_still(void)
{
	uint64_t end, first;
	uint32_t then;

	then = clock_seconds() - 100;
	first = clock_wall_at(then);
	end = clock_ns() + CLOCK_SECOND * 5 / 4;
	while (clock_ns() < end)
		CHECK(clock_wall_at(then) == first);
}

int
main(void)
{
	RUN(test_monotonic);
	RUN(test_wall);
	RUN(test_clock_of_the_kernel);
	RUN(test_past_stands_still);
	return (test_failed());
}
