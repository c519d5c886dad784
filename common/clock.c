/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <time.h>

#include "common/clock.h"

/*
 * Seconds on the clock when the machine started: 0 is long ago, so that it can
 * mean "never" and begin every window.
 */
#define CLOCK_BEFORE 86400U

static uint64_t
clock_wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ((uint64_t)ts.tv_sec * CLOCK_SECOND + (uint64_t)ts.tv_nsec);
}

/* CLOCK_MONOTONIC as it is, in nanoseconds: for other programs. */
uint64_t
clock_kernel_ns(void)
{
	struct timespec ts;

	/* Fails for no clock that every kernel has. */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * CLOCK_SECOND + (uint64_t)ts.tv_nsec);
}

/* Monotonic nanoseconds, from an arbitrary beginning. */
uint64_t
clock_ns(void)
{
	return (CLOCK_BEFORE * CLOCK_SECOND + clock_kernel_ns());
}

/* Monotonic seconds, by the same clock as clock_ns(). */
uint32_t
clock_seconds(void)
{
	return ((uint32_t)(clock_ns() / CLOCK_SECOND));
}

/* Unix seconds, for a peer or a person. */
uint64_t
clock_wall(void)
{
	return (clock_wall_ns() / CLOCK_SECOND);
}

/*
 * What clock_ns() lacks to the wall clock as it is set now, modulo 2^64: for
 * times that a peer reads, and that are to stay in step with each other.
 */
uint64_t
clock_wall_offset(void)
{
	return (clock_wall_ns() - clock_ns());
}

/*
 * When `then`, of clock_seconds(), was: unix seconds, by the wall clock as it
 * is set now.  The same whenever it is asked, as the two clocks' seconds do not
 * begin at the same moment.
 */
uint64_t
clock_wall_at(uint32_t then)
{
	return ((then * CLOCK_SECOND + clock_wall_offset()) / CLOCK_SECOND);
}

/* Nanoseconds of CPU that a process has used; 0: there is no such process. */
uint64_t
clock_cpu(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &ts) == -1)
		return (0);
	return ((uint64_t)ts.tv_sec * CLOCK_SECOND + (uint64_t)ts.tv_nsec);
}
