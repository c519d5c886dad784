/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/proto_move.h"
#include "worker/worker.h"

/*
 * The queue of a session that moves.  Where it was, frames go on being queued.
 * Where it comes to, those that it had there come first, and what is said
 * directly is held until they all are here.
 */

/* All of the queue but its bytes. */
void
outq_pack(const struct worker *w, const struct session *s,
    struct msg_move_state *state)
{
	const struct outq *q;

	q = s->outq;
	if (q == NULL)
		return;
	state->queue = (uint32_t)q->data.len;
	state->frame_left = q->frame_left;
	state->progress = (w->tick - q->progress) * TICK_MS;
	state->acked = q->acked;
	state->control_len = q->control_len;
	state->control_sent = q->control_sent;
	memcpy(state->control, q->control, q->control_len);
}

/*
 * Likewise back, state having been checked; the bytes follow by outq_behind().
 * Returns 0, or -1 without memory.
 */
int
outq_unpack(
    struct worker *w, struct session *s, const struct msg_move_state *state)
{
	struct outq *q;

	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return (-1);
	q->frame_left = state->frame_left;
	q->progress = w->tick - state->progress / TICK_MS;
	q->acked = state->acked;
	q->tick = w->tick;
	q->control_len = (uint8_t)state->control_len;
	q->control_sent = (uint8_t)state->control_sent;
	memcpy(q->control, state->control, q->control_len);
	q->holds = 1;
	s->outq = q;
	return (0);
}

/* Is there anything to write?  As things are, what is to be watched for. */
static void
outq_settle(struct worker *w, struct session *s)
{
	struct outq *q;
	int events;

	q = s->outq;
	events = EV_READ;
	if (q->data.len > 0 || q->control_len > 0)
		events |= EV_WRITE;
	else if (!q->holds)
		outq_free(w, s);
	if (ev_is_active(&s->io))
		outq_watch(w, s, events);
	else
		ev_io_set(&s->io, s->io.fd, events);
}

/* What was queued where the session was.  Returns 0, or -1 without memory. */
int
outq_behind(
    struct worker *w, struct session *s, const uint8_t *bytes, size_t len)
{
	if (outq_append(w, &s->outq->data, bytes, len) == -1)
		return (-1);
	outq_settle(w, s);
	return (0);
}

/* All of that is here: the rest follows. */
void
outq_release(struct worker *w, struct session *s)
{
	struct outq *q;

	q = s->outq;
	chunks_join(&q->data, &q->held);
	q->holds = 0;
	outq_settle(w, s);
}

/* It has been told to where the session went. */
void
outq_empty(struct worker *w, struct session *s)
{
	struct outq *q;

	q = s->outq;
	w->queued -= q->data.size;
	chunks_cut(&q->data, 0);
}
