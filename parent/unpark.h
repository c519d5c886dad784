/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_UNPARK_H
#define PARENT_UNPARK_H

#include <ev.h>
#include <stdint.h>

#include "common/proto_move.h"
#include "parent/unpark_file.h"

struct parent;
struct process;
struct unparking;

/* One that came while all went on where it was. */
struct unpark_ahead {
	uint32_t node;
	uint32_t generation; /* here; 0: it is not */
};

/* Sessions of another parent, on their way to our workers. */
struct unpark {
	struct unpark_file file;
	struct unparking *to[PROTO_PLACES_MAX]; /* a batch for each */
	ev_timer timer;
	uint32_t vain;              /* turns in which none could go */
	uint32_t sessions;          /* that there are */
	uint32_t taken;             /* by our workers, of all that have come */
	struct unpark_ahead *ahead; /* [nahead], by their numbers */
	uint32_t nahead;
	void (*done)(struct parent *);
};

/* unpark.c */
void unpark_begin(struct parent *, int, void (*)(struct parent *));
void unpark_lost(struct process *);
int unpark_is(const struct process *, uint32_t ticket);
const char *unpark_ready(struct process *, const struct msg_move_ready *);
const char *unpark_done(struct process *);

/* unpark_ahead.c */
int unpark_ahead_add(
    struct parent *, uint32_t number, uint32_t node, uint32_t generation);
void unpark_ahead_gone(struct parent *, uint32_t number);
void unpark_ahead_free(struct parent *);

/* unpark_map.c */
void unpark_map(struct parent *, const struct unpark_record *);

#endif /* PARENT_UNPARK_H */
