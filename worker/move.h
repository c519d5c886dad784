/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_MOVE_H
#define WORKER_MOVE_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto_move.h"

struct arrival;
struct departure;
struct session;
struct worker;

/* Workers, a bit for each place. */
struct places {
	uint64_t bits[PROTO_PLACES_MAX / 64];
};

static inline void
places_add(struct places *p, uint32_t place)
{
	p->bits[place / 64] |= UINT64_C(1) << place % 64;
}

static inline void
places_remove(struct places *p, uint32_t place)
{
	p->bits[place / 64] &= ~(UINT64_C(1) << place % 64);
}

static inline int
places_has(const struct places *p, uint32_t place)
{
	return ((p->bits[place / 64] >> place % 64 & 1) != 0);
}

static inline int
places_none(const struct places *p)
{
	return ((p->bits[0] | p->bits[1]) == 0);
}

_Static_assert(PROTO_PLACES_MAX == 128, "two words");

/* Sessions on their way, doc/moving.md. */
struct moves {
	struct departure *out;                /* one batch at a time */
	struct arrival *in[PROTO_PLACES_MAX]; /* and one from each worker */
	uint32_t nin;
};

/* move.c */
void move_fence(struct worker *, const struct msg_moved *);
void move_settled(struct worker *, const struct msg_moved *);

/* move_end.c */
int move_end(struct worker *, uint32_t node, uint32_t generation, uint32_t code,
    const char *);

/* move_in.c */
const char *move_in_begin(
    struct worker *, const struct msg_move *, const void *rows, int fd);
void move_in_settled(struct worker *, const struct msg_moved *);
void move_in_turn(struct worker *);

/* move_out.c */
const char *move_out_begin(
    struct worker *, const struct msg_move *, const void *rows, int fd);
int move_out_is(const struct worker *, uint32_t ticket);
void move_out_settled(struct worker *, const struct msg_moved *);
void move_out_marked(struct worker *, uint32_t place, uint32_t ticket);
void move_out_fenced(struct worker *, uint32_t place, uint32_t ticket);
void move_out_lost(struct worker *, uint32_t place);
void move_out_keep(struct worker *, const struct session *);
int move_out_late(
    struct worker *, uint32_t node, uint32_t generation, uint8_t *, size_t);

/* move_state.c */
const char *move_state_check(
    const struct msg_move_state *, size_t, uint32_t count);
size_t move_state_frame(const uint8_t *, size_t);

#endif /* WORKER_MOVE_H */
