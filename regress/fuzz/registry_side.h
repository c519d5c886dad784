/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FUZZ_REGISTRY_SIDE_H
#define REGRESS_FUZZ_REGISTRY_SIDE_H

#include <stddef.h>
#include <stdint.h>

#include "regress/fuzz/fuzz.h"

/*
 * The registry's side of a connection, which says what the input wants, in the
 * framing that auth has begun with; and what it was asked, which is never more
 * than the budget allows.
 */
#define SIDE_NODES 8U
#define SIDE_RATE  80
#define SIDE_BURST 100

extern const uint8_t *side_keys[2];
/* Booleans: it has said in this run that the node has that key. */
extern uint8_t side_said[SIDE_NODES + 1][2];

int side_dial(void);
void side_close(void);
void side_shut(void);
void side_begin(void);
void side_hear(void);
void side_say(const void *, size_t);
void side_found(uint32_t, const uint8_t *, uint8_t, int);
void side_answer(struct input *);

/* The target's: lets auth hear what has been said so far. */
void side_wait(void);

#endif /* REGRESS_FUZZ_REGISTRY_SIDE_H */
