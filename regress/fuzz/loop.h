/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FUZZ_LOOP_H
#define REGRESS_FUZZ_LOOP_H

#include <ev.h>
#include <stdint.h>

/*
 * A loop in the place of libev's, one turn at a time: the order of events and
 * the time are the target's to choose, and a turn is one system call.
 */
int loop_turn(void);
void loop_quiet(int);
void loop_order(uint32_t);
void loop_ready(int, int);
void loop_real(int);
int loop_reap(int, int);
void loop_signal(int);
int loop_over(void);
void loop_forget(void);
void *loop_owner(int);
unsigned loop_watchers(void);

/* What a role's ev_run(3) does; NULL: it returns at once. */
extern void (*loop_run)(void);

#endif /* REGRESS_FUZZ_LOOP_H */
