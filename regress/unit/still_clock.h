/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_STILL_CLOCK_H
#define REGRESS_UNIT_STILL_CLOCK_H

#include "common/clock.h"

/* Takes the place of common/clock.c: time that passes when a test says so. */
static uint64_t still_ns = 1000000 * 1000000000ULL;

uint64_t
clock_kernel_ns(void)
{
	return (still_ns);
}

uint64_t
clock_ns(void)
{
	return (still_ns);
}

uint32_t
clock_seconds(void)
{
	return ((uint32_t)(still_ns / 1000000000));
}

uint64_t
clock_wall(void)
{
	return (1700000000U + clock_seconds());
}

uint64_t
clock_wall_at(uint32_t then)
{
	return (1700000000U + then);
}

uint64_t
clock_wall_offset(void)
{
	return (1700000000 * CLOCK_SECOND);
}

static inline void
still_pass(double seconds)
{
	still_ns += (uint64_t)(seconds * 1e9);
}

uint64_t
clock_cpu(pid_t pid)
{
	return (0);
}

#endif /* REGRESS_UNIT_STILL_CLOCK_H */
