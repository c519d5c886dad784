/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_BENCH_INSTRUCTIONS_H
#define REGRESS_BENCH_INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <valgrind/callgrind.h>

#include "worker/worker.h"

#define ROUNDS 8 /* that are counted; one more comes before them */
#define NOW    1700000000U

/* What is run between two of these is counted; all else is not. */
#define COUNT CALLGRIND_TOGGLE_COLLECT

extern struct worker workers[2];

int connection(struct worker *, struct session **);
void wake(struct worker *, ev_io *);
void report(const char *, uint32_t);

/* instructions_login.c */
void run_login_worker(void);
void run_login_auth(void);

#endif /* REGRESS_BENCH_INSTRUCTIONS_H */
