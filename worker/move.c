/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/move.h"
#include "worker/worker.h"

/* What the parent says of sessions that move (doc/moving.md). */

/* PW_MOVED, at either end; one that is over already is no fault. */
void
move_settled(struct worker *w, const struct msg_moved *msg)
{
	if (move_out_is(w, msg->ticket))
		move_out_settled(w, msg);
	else
		move_in_settled(w, msg);
}

/*
 * PW_FENCE, to all: the map has the batch.  All that we had for its sessions is
 * on its way to where they were; behind it comes the fence.
 */
void
move_fence(struct worker *w, const struct msg_moved *msg)
{
	struct sibling *sib;

	if (msg->worker == w->hello.worker) {
		move_out_fenced(w, msg->worker, msg->ticket);
		return;
	}
	sib = route_to(w, msg->worker);
	if (sib != NULL)
		route_message(w, sib, WW_FENCE, msg->ticket, 0, NULL, 0);
}
