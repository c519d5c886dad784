/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "parent/parent.h"

/* Children are asked whether they live, and end if they do not say so. */

static void
ping_one(struct process *p)
{
	if (p == NULL || p->state == CHILD_DOWN)
		return;
	/* Counted, not timed: we may have been stopped meanwhile ourselves. */
	if (p->unanswered >= CHILD_HANG_TIMEOUT / CHILD_PING_INTERVAL) {
		process_kill(p, "hung");
		return;
	}
	p->unanswered++;
	process_send(p, p->place->role->ping, -1, NULL, 0);
}

static void
ping_all(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *parent;
	struct place *place;
	uint32_t i;

	parent = w->data;
	/* Auth is not listened to while all stands still. */
	if (parent->stopping || parent->park.stage >= PARK_STILL)
		return;
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		ping_one(place->child);
}

/* Once, with the loop at hand. */
void
ping_init(struct parent *parent)
{
	ev_timer_init(&parent->ping, ping_all, CHILD_PING_INTERVAL,
	    CHILD_PING_INTERVAL);
	parent->ping.data = parent;
	ev_timer_start(parent->loop, &parent->ping);
}
