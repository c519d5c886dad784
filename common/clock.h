/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <sys/types.h>

#include <stdint.h>

/*
 * Two clocks.  Ages, budgets and deadlines are of the monotonic one, which all
 * processes of the machine share and nobody sets; wall time is for what a peer
 * or a person reads.  No other file asks the system for the time of day: a
 * clock that is set must cost nothing.
 */
#define CLOCK_SECOND 1000000000ULL /* of clock_ns() */

uint64_t clock_kernel_ns(void);
uint64_t clock_ns(void);
uint32_t clock_seconds(void);
uint64_t clock_wall(void);
uint64_t clock_wall_at(uint32_t);
uint64_t clock_wall_offset(void);
uint64_t clock_cpu(pid_t);

#endif /* COMMON_CLOCK_H */
