/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/log.h"
#include "worker/move_say.h"

/*
 * Sessions that are to go to another worker, doc/moving.md: they stand still
 * until the parent says whether they have gone.  What still comes for one that
 * has is handed on until all workers know where it is.
 */

/* It is over: the last of the sessions here are forgotten, or go on. */
static void
move_out_end(struct departure *d)
{
	struct worker *w;
	struct session *s;
	uint32_t i;

	w = d->worker;
	w->moves.out = NULL;
	channel_close(&d->channel);
	for (i = 0; i < d->count; i++) {
		s = &w->sessions[d->sessions[i].slot];
		if (d->sessions[i].state == LEAVING_FROZEN)
			session_thaw(w, s);
		else if (d->sessions[i].state == LEAVING_GONE)
			session_forget(w, s);
	}
	free(d);
}

/*
 * The other end has all, or is dead, or would not have it.  What has become of
 * those that stand still is the parent's to say.
 */
static void
move_out_ended(void *owner, const char *reason)
{
	struct departure *d;

	d = owner;
	if (d->settled)
		move_out_end(d);
}

static size_t
move_out_size(const struct session *s)
{
	return (sizeof(struct msg_move_state) +
		(s->outq != NULL ? s->outq->data.len : 0) +
		(s->pending != NULL ? s->pending->len : 0) +
		(s->message != NULL ? s->message->len : 0));
}

/* Those that are still there, as many as are told in one go. */
static int
move_out_freeze(struct departure *d, const struct msg_move_session *rows)
{
	struct worker *w;
	struct session *s;
	size_t size, total;
	uint32_t i;

	w = d->worker;
	total = 0;
	for (i = 0; i < d->count; i++) {
		d->sessions[i].slot = rows[i].slot;
		d->sessions[i].node = rows[i].node;
		d->sessions[i].generation = rows[i].generation;
		s = session_open_at(w, rows[i].slot, rows[i].generation);
		if (s == NULL || s->peer.node != rows[i].node)
			continue;
		/* It has only just come, and not all that is for it. */
		if (s->outq != NULL && s->outq->holds)
			continue;
		size = move_out_size(s);
		if (total > 0 && total + size > MOVE_BATCH_BYTES)
			continue;
		if (session_freeze(w, s) == -1)
			continue;
		total += size;
		d->sessions[i].state = LEAVING_FROZEN;
		if (move_say_all(d, i) == -1)
			return (-1);
	}
	return (0);
}

/* If the last of what they have said is delivered, they may go. */
static void
move_out_told(struct departure *d)
{
	if (d->told || !places_none(&d->unmarked))
		return;
	d->told = 1;
	(void)channel_send(&d->channel, WM_END, 0, -1, NULL, 0);
}

/* All that they have said is on its way to the others: a mark follows it. */
static void
move_out_mark(struct departure *d)
{
	struct sibling *sib;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		sib = route_to(d->worker, i);
		if (sib == NULL)
			continue;
		places_add(&d->unmarked, i);
		route_message(d->worker, sib, WW_MARK, d->ticket, 0, NULL, 0);
	}
	move_out_told(d);
}

/*
 * PW_MOVE_OUT: rows are as many struct msg_move_session, fd leads to where they
 * are to go.  Returns NULL, or what is wrong with it.
 */
const char *
move_out_begin(
    struct worker *w, const struct msg_move *msg, const void *rows, int fd)
{
	struct departure *d;

	/* Of one before it nothing is waited for any more. */
	if (w->moves.out != NULL && w->moves.out->settled)
		move_out_end(w->moves.out);
	if (w->moves.out != NULL || msg->count > MOVE_SESSIONS_MAX) {
		(void)close(fd);
		return ("one move over another");
	}
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		fatal(NULL);
	d->worker = w;
	d->ticket = msg->ticket;
	d->count = msg->count;
	(void)snprintf(d->name, sizeof(d->name), "move to worker %u",
	    msg->worker % PROTO_WORKERS_MAX);
	if (channel_open(&d->channel, w->loop, fd, d->name, NULL, 0,
		move_out_ended, d) == -1)
		fatal("%s", d->name);
	imsgbuf_set_limit(&d->channel.imsgbuf, MOVE_QUEUE_MAX);
	w->moves.out = d;
	burst_end(w);
	if (move_out_freeze(d, rows) == -1) {
		log_warn("%s", d->name);
		/* The parent hears from the other end, and calls it off. */
		channel_close(&d->channel);
		return (NULL);
	}
	move_out_mark(d);
	return (NULL);
}

int
move_out_is(const struct worker *w, uint32_t ticket)
{
	return (w->moves.out != NULL && w->moves.out->ticket == ticket);
}

static void
move_out_say_close(struct departure *d, uint32_t session)
{
	struct msg_move_close *close;

	close = &d->sessions[session].close;
	if (close->code != 0)
		(void)channel_send(
		    &d->channel, WM_CLOSE, 0, -1, close, sizeof(*close));
	close->code = 0;
}

/* What has been queued for those that have gone follows them. */
static void
move_out_follow(struct departure *d)
{
	struct worker *w;
	struct session *s;
	uint32_t i;

	w = d->worker;
	for (i = 0; i < d->count; i++) {
		if (d->sessions[i].state != LEAVING_GONE)
			continue;
		s = &w->sessions[d->sessions[i].slot];
		/* Without the other end there is nobody to have it. */
		(void)move_say_queue(d, i, d->sessions[i].said);
		d->sessions[i].said = 0;
		outq_empty(w, s);
		move_out_say_close(d, i);
	}
}

/* It stays; if a router has wanted its end meanwhile, it has that now. */
static void
move_out_thaw(struct departure *d, uint32_t session)
{
	const struct msg_move_close *close;
	struct session *s;

	s = &d->worker->sessions[d->sessions[session].slot];
	close = &d->sessions[session].close;
	d->sessions[session].state = LEAVING_NOT;
	session_thaw(d->worker, s);
	if (close->code == 0)
		return;
	s->why = WHY_ROUTER;
	session_close(d->worker, s, (int)close->code, close->text);
}

/* PW_MOVED: some have gone, the others go on as if nothing had been. */
void
move_out_settled(struct worker *w, const struct msg_moved *msg)
{
	struct departure *d;
	struct session *s;
	uint32_t i;

	d = w->moves.out;
	d->settled = 1;
	for (i = 0; i < d->count; i++) {
		if (d->sessions[i].state != LEAVING_FROZEN)
			continue;
		s = &w->sessions[d->sessions[i].slot];
		if ((msg->mask >> i & 1) == 0) {
			move_out_thaw(d, i);
			continue;
		}
		d->sessions[i].state = LEAVING_GONE;
		session_gone(w, s);
		counters_add(COUNTER_MOVED, 1);
	}
	if (msg->mask == 0 || !d->channel.open)
		move_out_end(d);
	else
		move_out_follow(d);
}

/* Whether or not this worker has had something of them, it is delivered. */
void
move_out_marked(struct worker *w, uint32_t place, uint32_t ticket)
{
	if (!move_out_is(w, ticket))
		return;
	places_remove(&w->moves.out->unmarked, place);
	move_out_told(w->moves.out);
}

/*
 * What has come for those that have gone follows them; when nobody has anything
 * more, the other end is told so, and ends the channel.
 */
static void
move_out_go_on(struct departure *d)
{
	if (!d->settled || d->last)
		return;
	gather_flush(d->worker);
	move_out_follow(d);
	if (!d->asked || !places_none(&d->unfenced))
		return;
	d->last = 1;
	(void)channel_send(&d->channel, WM_LAST, 0, -1, NULL, 0);
}

/*
 * PW_FENCE has come here, as it comes to all that there are: those that have
 * not answered yet are waited for, and nobody else is from now on.
 */
static void
move_out_ask(struct departure *d)
{
	uint32_t i;

	d->asked = 1;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (route_to(d->worker, i) != NULL &&
		    !places_has(&d->fenced, i))
			places_add(&d->unfenced, i);
}

/* That worker, perhaps this one, has nothing more for them. */
void
move_out_fenced(struct worker *w, uint32_t place, uint32_t ticket)
{
	struct departure *d;

	if (!move_out_is(w, ticket))
		return;
	d = w->moves.out;
	places_add(&d->fenced, place);
	places_remove(&d->unfenced, place);
	if (place == w->hello.worker)
		move_out_ask(d);
	move_out_go_on(d);
}

/* Nothing comes from that worker any more. */
void
move_out_lost(struct worker *w, uint32_t place)
{
	struct departure *d;

	d = w->moves.out;
	if (d == NULL)
		return;
	places_remove(&d->unmarked, place);
	places_remove(&d->unfenced, place);
	/* Whoever comes in its place is asked for a fence of its own. */
	places_remove(&d->fenced, place);
	move_out_told(d);
	move_out_go_on(d);
}

/* The parent wants this session to end here: it does not go. */
void
move_out_keep(struct worker *w, const struct session *s)
{
	struct departure *d;
	uint32_t i, slot;

	d = w->moves.out;
	if (d == NULL)
		return;
	slot = session_slot(w, s);
	for (i = 0; i < d->count; i++)
		if (d->sessions[i].slot == slot &&
		    d->sessions[i].state == LEAVING_FROZEN) {
			d->sessions[i].state = LEAVING_NOT;
			session_thaw(w, &w->sessions[slot]);
		}
}

/*
 * A frame for a session of node has come here, and the map has it with another
 * worker.  If it has just gone there or is about to, that one gets the frame,
 * behind what it has been told already.  Returns 0 if it is not so, or that one
 * has been told that nothing more comes.
 */
int
move_out_late(struct worker *w, uint32_t node, uint32_t generation,
    uint8_t *frame, size_t len)
{
	const struct departure *d;
	uint32_t i;

	d = w->moves.out;
	if (d == NULL || d->last)
		return (0);
	for (i = 0; i < d->count; i++)
		if (d->sessions[i].node == node &&
		    d->sessions[i].generation == generation &&
		    d->sessions[i].state != LEAVING_NOT) {
			session_write(
			    w, &w->sessions[d->sessions[i].slot], frame, len);
			return (1);
		}
	return (0);
}
