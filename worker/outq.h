/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_OUTQ_H
#define WORKER_OUTQ_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#include "common/ws_frame.h"
#include "worker/chunks.h"

#define SESSION_QUEUE_MAX (4608U << 10) /* bytes that wait for one peer */
#define WORKER_QUEUE_MAX  (128U << 20)  /* bytes allocated for all of them */

struct msg_move_state;
struct session;
struct worker;

/* What waits until the peer reads again. */
struct outq {
	struct chunks data;
	struct chunks held;  /* what comes behind that, see outq_move.c */
	uint32_t frame_left; /* of the frame at the head, partly sent; else 0 */
	uint32_t progress;   /* tick of the last sign that the peer reads */
	uint32_t acked;      /* bytes that it had read by then, modulo 2^32 */
	uint32_t tick;       /* of the last write, */
	uint32_t took;       /* the bytes that left in this tick, */
	uint32_t took_last;  /* and in the one before */
	uint8_t control[2 * (WS_CONTROL_MAX + 2)]; /* one begun, one whole */
	uint8_t control_len;
	uint8_t control_sent;
	uint8_t holds; /* boolean: what is new goes to `held` */
};

/* Bytes of all that waits, but for control frames. */
static inline size_t
outq_waiting(const struct outq *q)
{
	return (q->data.len + q->held.len);
}

/* Length of one of our own frames: unmasked, at most 64 KiB. */
static inline size_t
outq_frame_len(const uint8_t *frame)
{
	if (frame[1] < 126)
		return (2 + (size_t)frame[1]);
	return (4 + ((size_t)frame[2] << 8 | frame[3]));
}

/* outq.c */
void outq_free(struct worker *, struct session *);
void outq_control(struct worker *, struct session *, const uint8_t *, size_t);
uint32_t outq_frames(
    struct worker *, struct session *, struct iovec *, int, size_t, uint32_t);
int outq_has_room(const struct worker *, const struct session *, size_t);
void outq_discard(struct worker *, struct session *);
void outq_write(struct worker *, struct session *);
void outq_watch(struct worker *, struct session *, int events);
struct outq *outq_open(struct worker *, struct session *, size_t took);
int outq_append(struct worker *, struct chunks *, const uint8_t *, size_t);
size_t outq_most(const struct worker *);

/* outq_move.c */
void outq_pack(
    const struct worker *, const struct session *, struct msg_move_state *);
int outq_unpack(
    struct worker *, struct session *, const struct msg_move_state *);
int outq_behind(struct worker *, struct session *, const uint8_t *, size_t);
void outq_empty(struct worker *, struct session *);
void outq_release(struct worker *, struct session *);

/* outq_progress.c */
uint32_t outq_acked(const struct session *);
int outq_progress(struct worker *, struct session *);

#endif /* WORKER_OUTQ_H */
