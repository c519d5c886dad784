/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/worker.h"

/*
 * The end of a turn of the loop: all that was read is dealt with.  What is left
 * leaves, and sessions that broke are gone.
 */
static void
turn_end(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct worker *w;

	w = prepare->data;
	if (move_in_is_any(w))
		move_in_turn(w);
	if (burst_is_begun(w))
		burst_end(w);
	if (route_is_staged(w) && !router_keeps(w))
		route_flush(w);
	if (w->nbroken > 0)
		session_reap(w);
	if (still_is_busy(w))
		still_turn(w);
}

/* Once, before anything is sent. */
void
turn_init(struct worker *w)
{
	ev_prepare_init(&w->turn, turn_end);
	w->turn.data = w;
	/* Before the channels, which may get something to say by it. */
	ev_set_priority(&w->turn, EV_MAXPRI);
	ev_prepare_start(w->loop, &w->turn);
	ev_unref(w->loop);
}
