/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_DRAIN_H
#define PARENT_DRAIN_H

#include <ev.h>
#include <stdint.h>

#include "common/proto_drain.h"

struct parent;
struct process;

/* The beacon is to end when its peers have gone somewhere else. */
struct drain {
	enum drain_phase phase;
	uint32_t seconds; /* in which they are closed */
	ev_timer timer;   /* of the next phase */
};

/* drain.c */
void drain_init(struct parent *);
void drain_begin(struct parent *, uint32_t seconds);
void drain_end(struct parent *);
void drain_introduce(struct process *);
void drain_signal(struct ev_loop *, ev_signal *, int);

#endif /* PARENT_DRAIN_H */
