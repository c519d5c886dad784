/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/proto_move.h"
#include "worker/worker.h"

/*
 * What moving does to a session where it was, and where it comes to.  Who says
 * when is move_out.c and move_in.c.
 */

/*
 * From now on nothing is read from s or written to it, and it does not end.
 * What comes for it waits if it has a queue, or all stand still.
 */
void
session_stop(struct worker *w, struct session *s)
{
	loop_stop(w->loop, &s->io);
	wheel_clear(w, s);
	inbound_set_aside(w, s);
}

/* Likewise, with a queue.  Returns 0, or -1 without memory, and it goes on. */
int
session_freeze(struct worker *w, struct session *s)
{
	if (outq_open(w, s, 0) == NULL)
		return (-1);
	session_stop(w, s);
	return (0);
}

/* It does not move after all. */
void
session_thaw(struct worker *w, struct session *s)
{
	inbound_take_back(w, s);
	ev_io_start(w->loop, &s->io);
	if (s->outq != NULL)
		outq_release(w, s);
	wheel_set(w, s);
}

/*
 * It is another worker's.  What is left of it here is its queue, for frames
 * that still come.
 */
void
session_gone(struct worker *w, struct session *s)
{
	free(inbound_take_message(w, s));
	free(inbound_take_pending(w, s));
	loop_close(w->loop, &s->io);
	s->state = SESSION_MOVED;
	w->nupgraded--;
	session_count_load(w, -1);
}

/* Nothing comes for it any more. */
void
session_forget(struct worker *w, struct session *s)
{
	outq_free(w, s);
	session_leave_place(w, s);
}

static uint32_t
session_ticks(uint64_t ms)
{
	return ((uint32_t)(ms / TICK_MS));
}

/* As much of a state as stands in the session itself. */
static void
session_unpack(
    struct worker *w, struct session *s, const struct msg_move_state *state)
{
	s->frames_in = state->frames_in;
	s->frames_out = state->frames_out;
	s->bytes_in = state->bytes_in;
	s->bytes_out = state->bytes_out;
	s->since = w->tick - session_ticks(state->since);
	s->heard = w->tick - session_ticks(state->heard);
	s->ping_due = w->tick + session_ticks(state->ping);
	s->packets.second = s->bytes.second = w->now;
	s->packets.used = state->packets_used;
	s->bytes.used = state->bytes_used;
	memcpy(s->peer.at.addr, state->addr, sizeof(s->peer.at.addr));
	s->peer.at.port = (uint16_t)state->port;
}

/* Likewise written down. */
void
session_pack(const struct worker *w, const struct session *s,
    struct msg_move_state *state)
{
	state->frames_in = s->frames_in;
	state->frames_out = s->frames_out;
	state->bytes_in = s->bytes_in;
	state->bytes_out = s->bytes_out;
	state->since = (uint64_t)(w->tick - s->since) * TICK_MS;
	state->heard = (w->tick - s->heard) * TICK_MS;
	if (tick_before(w->tick, s->ping_due))
		state->ping = (s->ping_due - w->tick) * TICK_MS;
	if (s->packets.second == w->now)
		state->packets_used = s->packets.used;
	if (s->bytes.second == w->now)
		state->bytes_used = s->bytes.used;
	memcpy(state->addr, s->peer.at.addr, sizeof(state->addr));
	state->port = s->peer.at.port;
	if (s->pending != NULL) {
		state->pending = s->pending->len;
		state->pending_total = s->pending->total;
		state->pending_checked = s->pending->checked;
		state->pending_utf8 = s->pending->utf8;
	}
	if (s->message != NULL) {
		state->message = s->message->len;
		state->message_utf8 = s->message->utf8;
		state->message_opcode = s->message->opcode;
	}
	outq_pack(w, s, state);
}

/*
 * A session that another worker had; fd is its own from now on, and reader is
 * session_io().  It can be found, but is neither read nor written before
 * session_begin().  Returns NULL, with fd closed, without a place or memory.
 */
struct session *
session_adopt(struct worker *w, int fd, io_cb reader,
    const struct msg_move_session *of, const struct msg_move_state *state)
{
	struct session *s;
	uint32_t serial;

	s = session_place(w);
	if (s == NULL) {
		(void)close(fd);
		return (NULL);
	}
	serial = s->serial + 1;
	memset(s, 0, sizeof(*s));
	s->serial = serial;
	if (outq_unpack(w, s, state) == -1) {
		session_leave_place(w, s);
		(void)close(fd);
		return (NULL);
	}
	session_unpack(w, s, state);
	s->state = SESSION_OPEN;
	s->peer.node = of->node;
	s->peer.generation = of->generation;
	s->peer.slot = session_slot(w, s);
	s->peer.hint = PEERMAP_NONE;
	s->map_number = peermap_find(&w->map, of->node);
	ev_io_init(&s->io, reader, fd, EV_READ);
	s->io.data = w;
	w->nupgraded++;
	session_count_load(w, 1);
	return (s);
}

/*
 * It is ours: what comes is read, what waits is written, unless all stand still
 * just now.
 */
void
session_begin(struct worker *w, struct session *s)
{
	int events;

	/* The map may have had nothing of this node before. */
	if (s->map_number == PEERMAP_NONE)
		s->map_number = peermap_find(&w->map, s->peer.node);
	if (still_holds(w, STILL_ALL))
		return;
	inbound_take_back(w, s);
	events = EV_READ;
	if (s->outq != NULL &&
	    (s->outq->data.len > 0 || s->outq->control_len > 0))
		events |= EV_WRITE;
	ev_io_set(&s->io, s->io.fd, events);
	ev_io_start(w->loop, &s->io);
	wheel_set(w, s);
}

/* It is not ours after all; its peer does not notice. */
void
session_return(struct worker *w, struct session *s)
{
	free(inbound_take_message(w, s));
	free(inbound_take_pending(w, s));
	outq_free(w, s);
	(void)close(s->io.fd);
	w->nupgraded--;
	session_leave_place(w, s);
	session_count_load(w, -1);
}
