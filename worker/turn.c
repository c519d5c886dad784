/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>

#include "common/event.h"
#include "worker/worker.h"

/* Peers may have CLOSE_TICKS of it, and after 4 s the parent kills. */
#define STOP_TICKS (CLOSE_TICKS + 2)

/*
 * While draining: the last WebSocket is gone, and so is this process as soon as
 * the router knows.  Until then new connections are still told that they come
 * too late (503).
 */
static void
turn_drained(struct worker *w)
{
	if (w->nupgraded > 0)
		return;
	if (router_stays(w)) {
		if (drain_elapsed(w) < STOP_TICKS) {
			route_flush(w);
			return;
		}
		router_end(w, "does not answer LEFT");
	}
	event_flush(1);
	exit(0);
}

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
	if (w->draining)
		turn_drained(w);
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
