/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_MOVE_H
#define PARENT_MOVE_H

#include <ev.h>
#include <stdint.h>

#include "common/proto_move.h"

struct parent;
struct peermap_entry;
struct process;

#define MOVE_REST 3 /* seconds without a move after one that was in vain */

/* A batch of sessions that is under way, doc/moving.md. */
struct move {
	struct process *from;
	struct process *to;
	uint32_t ticket;
	uint32_t count;
	int settled;    /* boolean: the map has it */
	uint64_t begun; /* clock_ns() */
	ev_timer timer;
	struct {
		uint32_t number; /* of the entry in the map */
		uint32_t node;
		uint32_t generation;
	} sessions[MOVE_SESSIONS_MAX];
};

int move_begin(
    struct process *from, struct process *to, uint32_t *entry, uint32_t most);
const char *move_ready(struct process *, const struct msg_move_ready *);
const char *move_done(struct process *, const struct msg_move_done *);
void move_keep(struct parent *, const struct peermap_entry *);
void move_cancel_all(struct parent *);
void move_lost(struct process *);

#endif /* PARENT_MOVE_H */
