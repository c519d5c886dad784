/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_STILL_H
#define WORKER_STILL_H

#include <stdint.h>

#include "common/proto_park.h"
#include "worker/move.h"

struct park_ahead;
struct parking;
struct worker;

/* All stands still, for another parent to take over; doc/moving.md. */
struct still {
	uint32_t stage; /* enum still_stage */
	uint32_t ticket;
	struct places unmarked;   /* who may still have something of ours */
	int asked;                /* boolean: WP_STILL is wanted */
	struct parking *parking;  /* NULL: nobody is being told of */
	struct park_ahead *ahead; /* [nahead]: of each slot, who was told of */
	uint32_t nahead;
};

/* still.c */
const char *still_set(struct worker *, const struct msg_still *);
const char *still_forget(struct worker *, const struct msg_forget *);
void still_marked(struct worker *, uint32_t place, uint32_t ticket);
void still_lost(struct worker *, uint32_t place);
int still_is_busy(const struct worker *);
void still_turn(struct worker *);

/* park.c */
const char *park_begin(struct worker *, const struct msg_park *, int);
void park_turn(struct worker *);
void park_end(struct worker *);
void park_forget(struct worker *);

#endif /* WORKER_STILL_H */
