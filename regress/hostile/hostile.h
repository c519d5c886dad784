/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_HOSTILE_HOSTILE_H
#define REGRESS_HOSTILE_HOSTILE_H

/* The first byte that each connection to the test begins with. */
#define HOSTILE_PUPPET 0 /* the test is to decide what becomes of the place */
#define HOSTILE_TAKEN  1 /* a child is at work, and in the test's hands */

/* Boolean: the real program runs, and does what the test orders. */
extern int hostile_is_taken;

int hostile_connect(void);

#endif /* REGRESS_HOSTILE_HOSTILE_H */
