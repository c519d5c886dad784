/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_DRAIN_H
#define WORKER_DRAIN_H

#include <stdint.h>

struct msg_drain;
struct worker;

/* How far we are with doing without our peers. */
struct drain {
	uint32_t phase;  /* enum drain_phase */
	uint32_t since;  /* tick at which we began to close */
	uint32_t ticks;  /* in which all are to be closed */
	uint32_t total;  /* of them when we began */
	uint32_t closed; /* of them by now */
	uint32_t next;   /* slot */
};

/* drain.c */
const char *drain_set(struct worker *, const struct msg_drain *);
uint32_t drain_elapsed(const struct worker *);
void drain_tick(struct worker *);

#endif /* WORKER_DRAIN_H */
