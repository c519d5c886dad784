/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FUZZ_INSTEAD_H
#define REGRESS_FUZZ_INSTEAD_H

/*
 * Included before all sources when they are built to be fuzzed.  The clocks
 * are the target's to move.  An end that is in order is not the end of the
 * fuzzer, and one that is not is a finding.
 */
#include <stdlib.h>
#include <time.h>

void fuzz_exit(int);
int fuzz_clock_gettime(clockid_t, struct timespec *);
time_t fuzz_time(time_t *);

#define exit(status)          fuzz_exit(status)
#define clock_gettime(id, ts) fuzz_clock_gettime(id, ts)
#define time(t)               fuzz_time(t)

#endif /* REGRESS_FUZZ_INSTEAD_H */
