/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/log.h"
#include "worker/worker.h"

/*
 * All sessions stand still while one parent gives them to the next
 * (doc/moving.md): nothing is read that could be passed on, and what was passed
 * on is followed until it has arrived.  Until the other parent has them all, it
 * costs nothing to go on.
 */

static void
still_thaw(struct worker *w)
{
	struct session *s;
	uint32_t i;

	for (i = 0; i < w->nslots; i++) {
		s = &w->sessions[i];
		/* One may have been told to end meanwhile. */
		if (s->state == SESSION_OPEN ||
		    (s->state == SESSION_CLOSING && !ev_is_active(&s->io)))
			session_thaw(w, s);
	}
}

static void
still_freeze(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < w->nslots; i++)
		if (w->sessions[i].state == SESSION_OPEN)
			session_stop(w, &w->sessions[i]);
}

static void
still_tell(struct worker *w)
{
	struct msg_still msg;

	msg.stage = STILL_ALL;
	msg.ticket = w->still.ticket;
	w->still.asked = 0;
	tell_parent(w, WP_STILL, &msg, sizeof(msg));
}

/* A mark follows all that we have passed on. */
static void
still_mark(struct worker *w)
{
	struct sibling *sib;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		sib = route_to(w, i);
		if (sib == NULL)
			continue;
		places_add(&w->still.unmarked, i);
		route_message(w, sib, WW_MARK, w->still.ticket, 0, NULL, 0);
	}
}

static void
still_begin(struct worker *w)
{
	udp_stop(w);
	burst_end(w);
	w->still.asked = 1;
	still_freeze(w);
	still_mark(w);
}

static void
still_end(struct worker *w, uint32_t before)
{
	w->still.asked = 0;
	w->still.unmarked = (struct places){ { 0 } };
	park_end(w);
	park_forget(w);
	if (w->parent.state != WORKER_RUNNING || before != STILL_ALL)
		return;
	udp_start(w);
	still_thaw(w);
}

/*
 * PW_STILL.  Before PW_START: nothing is begun with at all until STILL_NOT.
 * Whether anybody is accepted is the caller's.  Returns NULL, or what is wrong
 * with it.
 */
const char *
still_set(struct worker *w, const struct msg_still *msg)
{
	uint32_t before;

	if (msg->stage > STILL_ALL)
		return ("no such stillness");
	before = w->still.stage;
	w->still.stage = msg->stage;
	w->still.ticket = msg->ticket;
	if (msg->stage == STILL_NOT)
		still_end(w, before);
	else if (w->parent.state == WORKER_RUNNING && msg->stage == STILL_ALL &&
		 before != STILL_ALL)
		still_begin(w);
	return (NULL);
}

/*
 * PW_FORGET, of one that was another parent's and never went on here: it has
 * it still, or again.  Returns NULL, or what is wrong with it.
 */
const char *
still_forget(struct worker *w, const struct msg_forget *msg)
{
	struct session *s;

	if (w->still.stage != STILL_ALL)
		return ("what goes on cannot be forgotten");
	s = session_open_at(w, msg->slot, msg->generation);
	if (s != NULL)
		session_return(w, s);
	return (NULL);
}

/* Whatever that worker has had of ours, it has dealt with. */
void
still_marked(struct worker *w, uint32_t place, uint32_t ticket)
{
	if (ticket == w->still.ticket)
		places_remove(&w->still.unmarked, place);
}

void
still_lost(struct worker *w, uint32_t place)
{
	places_remove(&w->still.unmarked, place);
}

/* Boolean: is there something to wait for or to tell? */
int
still_is_busy(const struct worker *w)
{
	return (w->still.asked || w->still.parking != NULL);
}

/*
 * The end of a turn.  What others pass on may make datagrams wait once more, so
 * these are waited for again at the end of the telling (park.c).
 */
void
still_turn(struct worker *w)
{
	if (w->still.asked && places_none(&w->still.unmarked) &&
	    udp_waiting(w) == 0)
		still_tell(w);
	if (w->still.parking != NULL)
		park_turn(w);
}
