/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/log.h"
#include "parent/notify.h"
#include "parent/parent.h"

/*
 * The end without a stampede: first a proxy gets to see that we are not well
 * and sends nobody any more, then the peers are closed evenly, then all ends.
 */

static void
drain_tell(struct process *worker)
{
	struct msg_drain msg;

	msg.phase = worker->parent->drain.phase;
	msg.seconds = worker->parent->drain.seconds;
	process_send(worker, PW_DRAIN, -1, &msg, sizeof(msg));
}

static void
drain_phase(struct parent *parent, enum drain_phase phase, uint32_t seconds)
{
	uint32_t i;

	parent->drain.phase = phase;
	move_cancel_all(parent);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			drain_tell(parent->workers[i].child);
	ev_timer_stop(parent->loop, &parent->drain.timer);
	if (phase == DRAIN_NOT)
		return;
	ev_timer_set(&parent->drain.timer, seconds, 0.);
	ev_timer_start(parent->loop, &parent->drain.timer);
}

/* The time of a phase is over. */
static void
drain_next(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *parent;

	parent = w->data;
	if (parent->stopping)
		return;
	if (parent->drain.phase == DRAIN_CLOSING) {
		shutdown_begin(parent);
		return;
	}
	log_info(
	    "draining: peers are closed within %u s", parent->drain.seconds);
	drain_phase(parent, DRAIN_CLOSING, parent->drain.seconds);
}

/* Once, with the loop at hand. */
void
drain_init(struct parent *parent)
{
	ev_timer_init(&parent->drain.timer, drain_next, 0., 0.);
	parent->drain.timer.data = parent;
}

/*
 * Begins, with the configured grace; or, if it has begun already, gives what is
 * left so many seconds.
 */
void
drain_begin(struct parent *parent, uint32_t seconds)
{
	uint32_t grace;

	if (parent->stopping)
		return;
	parent->drain.seconds = seconds;
	if (parent->drain.phase == DRAIN_CLOSING) {
		drain_phase(parent, DRAIN_CLOSING, seconds);
		return;
	}
	if (parent->drain.phase == DRAIN_UNHEALTHY)
		return;
	grace = parent->conf->drain_grace;
	log_info("draining: /health says 503, peers are let in for %u s more",
	    grace);
	drain_phase(parent, DRAIN_UNHEALTHY, grace);
}

/* All as before; who was closed is closed. */
void
drain_end(struct parent *parent)
{
	if (parent->stopping || parent->drain.phase == DRAIN_NOT)
		return;
	log_info("not draining any more");
	drain_phase(parent, DRAIN_NOT, 0);
}

/* For a worker that was just started. */
void
drain_introduce(struct process *worker)
{
	if (worker->parent->drain.phase != DRAIN_NOT)
		drain_tell(worker);
}

/* SIGTERM: as the configuration wants it; a second one: at once. */
void
drain_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct parent *parent;
	uint32_t seconds;

	parent = w->data;
	seconds = parent->conf->drain_on_stop;
	if (seconds == 0 || parent->stopping ||
	    parent->drain.phase != DRAIN_NOT) {
		shutdown_begin(parent);
		return;
	}
	notify_extend(parent->conf->drain_grace + seconds);
	drain_begin(parent, seconds);
}
