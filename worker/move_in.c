/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/move_told.h"

/*
 * Sessions that come from another worker, doc/moving.md.  What that one says is
 * move_told.c's.  They are served
 * when the parent says that they are ours; what is said to them directly waits
 * until nothing more comes from where they were.
 */

static void
move_in_free(struct arrival *a)
{
	struct worker *w;

	w = a->worker;
	w->moves.in[a->from] = NULL;
	w->moves.nin--;
	channel_close(&a->channel);
	bytes_free(&a->part);
	free(a);
}

/* The other end lies or is gone: none of them is taken. */
static void
move_in_drop_all(struct arrival *a)
{
	uint32_t i;

	for (i = 0; i < a->count; i++)
		move_told_drop(a, i);
}

/* All that is ahead has come: what is held follows.  a is gone then. */
static void
move_in_finish(struct arrival *a)
{
	struct msg_move_done msg;
	struct session *s;
	uint32_t i;

	for (i = 0; i < a->count; i++) {
		s = move_told_session(a, i);
		if (s != NULL)
			outq_release(a->worker, s);
	}
	msg.ticket = a->ticket;
	tell_parent(a->worker, WP_MOVE_DONE, &msg, sizeof(msg));
	move_in_free(a);
}

/*
 * Nothing more comes from there.  What is ours already is served without it,
 * what is whole waits for the parent's word, the rest is as good as never told.
 */
static void
move_in_ended(void *owner, const char *reason)
{
	struct arrival *a;

	a = owner;
	if (reason != NULL)
		log_warnx("%s: %s", a->name, reason);
	a->over = 1;
	if (a->settled || a->channel.state != MOVE_COMING)
		return;
	move_in_drop_all(a);
	move_told_ready(a);
}

static const char *
move_in_open(struct worker *w, struct arrival *a, int fd)
{
	(void)snprintf(a->name, sizeof(a->name), "move from worker %u",
	    a->from % PROTO_WORKERS_MAX);
	if (channel_open(&a->channel, w->loop, fd, a->name, move_told_rules,
		move_told_nrules, move_in_ended, a) == -1)
		fatal("%s", a->name);
	a->channel.state = MOVE_COMING;
	w->moves.in[a->from] = a;
	w->moves.nin++;
	return (NULL);
}

/*
 * PW_MOVE_IN: rows are as many struct msg_move_session, fd leads to where they
 * are.  Returns NULL, or what is wrong with it.
 */
const char *
move_in_begin(
    struct worker *w, const struct msg_move *msg, const void *rows, int fd)
{
	struct arrival *a;
	uint32_t i;

	if (msg->count > MOVE_SESSIONS_MAX || msg->worker >= PROTO_PLACES_MAX) {
		(void)close(fd);
		return ("move from nowhere");
	}
	/* The parent has not waited for what we had to say of the last. */
	a = w->moves.in[msg->worker];
	if (a != NULL && a->settled)
		move_in_finish(a);
	if (w->moves.in[msg->worker] != NULL) {
		(void)close(fd);
		return ("one move over another");
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		fatal(NULL);
	a->worker = w;
	a->ticket = msg->ticket;
	a->from = msg->worker;
	a->count = msg->count;
	a->since = w->tick;
	for (i = 0; i < a->count; i++)
		memcpy(&a->sessions[i].row,
		    (const struct msg_move_session *)rows + i,
		    sizeof(a->sessions[i].row));
	return (move_in_open(w, a, fd));
}

/* PW_MOVED: those of the mask are ours, the others are not. */
void
move_in_settled(struct worker *w, const struct msg_moved *msg)
{
	struct arrival *a;
	struct session *s;
	uint32_t i;

	a = NULL;
	for (i = 0; i < PROTO_PLACES_MAX && a == NULL; i++)
		if (w->moves.in[i] != NULL &&
		    w->moves.in[i]->ticket == msg->ticket)
			a = w->moves.in[i];
	if (a == NULL)
		return;
	for (i = 0; i < a->count; i++) {
		s = move_told_session(a, i);
		if ((msg->mask >> i & 1) == 0)
			move_told_drop(a, i);
		else if (s != NULL)
			session_begin(w, s);
	}
	a->settled = 1;
	a->since = w->tick;
	if (msg->mask == 0)
		move_in_free(a);
}

/* Is there nothing to wait for?  Whoever hangs is not waited for long. */
static int
move_in_is_over(struct arrival *a)
{
	const struct worker *w;

	w = a->worker;
	if (!a->over && w->tick - a->since >= TICKS(MOVE_WAIT) / 2) {
		counters_add(COUNTER_MOVED_LATE, 1);
		a->over = 1;
	}
	return (a->over);
}

/* Those that a router wanted to end while they were on their way. */
static void
move_in_close(struct arrival *a)
{
	struct arriving *c;
	struct session *s;
	uint32_t i;

	for (i = 0; i < a->count; i++) {
		c = &a->sessions[i];
		s = c->close.code != 0 ? move_told_session(a, i) : NULL;
		if (s == NULL)
			continue;
		s->why = WHY_ROUTER;
		session_close(a->worker, s, (int)c->close.code, c->close.text);
		c->close.code = 0;
	}
}

/* The end of a turn of the loop, which comes with each tick at the latest. */
void
move_in_turn(struct worker *w)
{
	struct arrival *a;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX && w->moves.nin > 0; i++) {
		a = w->moves.in[i];
		if (a == NULL || !a->settled)
			continue;
		move_in_close(a);
		if (move_in_is_over(a))
			move_in_finish(a);
	}
}
