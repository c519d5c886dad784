/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/loop.h"
#include "worker/worker.h"

/*
 * The end of a connection begins here, whoever finds it: a send that fails, the
 * peer's end, a deadline.  Nothing is sent to a broken session any more, handed
 * on from it or found in it, but its place and its descriptor are its own until
 * session_reap(): so it does not go away under whoever is busy with it.
 */

void
broken_mark(struct worker *w, struct session *s)
{
	if (s->state == SESSION_BROKEN)
		return;
	wheel_clear(w, s);
	loop_stop(w->loop, &s->io);
	stranger_free(&w->strangers, s->stranger);
	s->stranger = NULL;
	s->was = s->state;
	s->state = SESSION_BROKEN;
	s->timer_next = w->broken;
	w->broken = session_slot(w, s);
	w->nbroken++;
}

/* One that is broken, in the state in which it broke; NULL: there is none. */
struct session *
broken_take(struct worker *w)
{
	struct session *s;

	if (w->nbroken == 0)
		return (NULL);
	w->nbroken--;
	s = &w->sessions[w->broken];
	w->broken = s->timer_next;
	s->state = s->was;
	return (s);
}
