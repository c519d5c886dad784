/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"

#define WORK_DRAIN 0.01 /* seconds between looks at a full queue */

/*
 * Work that can wait a turn of the loop: the rest of a worker's messages, the
 * next piece of the key file, of the map.  Output leaves between two turns.
 */
static void
work_turn(struct ev_loop *loop, ev_idle *idle, int revents)
{
	struct auth *auth;
	int more;

	(void)revents;
	auth = idle->data;
	/* Nothing that could tell the parent more before it has read. */
	if (work_congested(auth)) {
		ev_idle_stop(loop, idle);
		ev_timer_start(loop, &auth->drain);
		return;
	}
	more = keys_work(auth);
	if (auth->ready)
		worker_resume_all(auth);
	if (!more)
		ev_idle_stop(loop, idle);
}

static void
work_drained(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	work_wake(timer->data);
}

void
work_init(struct auth *auth)
{
	ev_idle_init(&auth->work, work_turn);
	/* Also while descriptors are ready: it is one of those in the queue. */
	ev_set_priority(&auth->work, EV_MAXPRI);
	auth->work.data = auth;
	ev_timer_init(&auth->drain, work_drained, WORK_DRAIN, 0.);
	auth->drain.data = auth;
}

/* There is something to do in the next turn. */
void
work_wake(struct auth *auth)
{
	if (!ev_is_active(&auth->drain))
		ev_idle_start(auth->loop, &auth->work);
}

/* Whether the parent is behind so far that nobody else is to be read. */
int
work_congested(const struct auth *auth)
{
	return (channel_queued(&auth->parent) > CHANNEL_LIMIT / 2);
}
