/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"

#define TURN_DRAIN 0.01 /* seconds between looks at a full queue */
#define TURN_PULSE 0.01 /* seconds between looks at what waits */

static void
turn_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	turn_wake(timer->data);
}

/* work is called once a turn of the loop after a turn_wake(). */
void
turn_init(
    struct auth *auth, void (*work)(struct ev_loop *, ev_idle *, int revents))
{
	ev_idle_init(&auth->work, work);
	/* Also while descriptors are ready: it is one of those in the queue. */
	ev_set_priority(&auth->work, EV_MAXPRI);
	auth->work.data = auth;
	ev_timer_init(&auth->drain, turn_again, TURN_DRAIN, 0.);
	auth->drain.data = auth;
}

/*
 * pulse is called in short steps from a turn_pulse() on, until it stops its
 * timer; second, from a turn_seconds() on, each second.
 */
void
turn_init_timers(struct auth *auth,
    void (*pulse)(struct ev_loop *, ev_timer *, int revents),
    void (*second)(struct ev_loop *, ev_timer *, int revents))
{
	ev_timer_init(&auth->pulse, pulse, TURN_PULSE, TURN_PULSE);
	ev_timer_init(&auth->second, second, 1., 1.);
	auth->pulse.data = auth;
	auth->second.data = auth;
}

void
turn_pulse(struct auth *auth)
{
	ev_timer_start(auth->loop, &auth->pulse);
}

void
turn_seconds(struct auth *auth)
{
	ev_timer_start(auth->loop, &auth->second);
}

/* There is something to do in the next turn. */
void
turn_wake(struct auth *auth)
{
	if (!ev_is_active(&auth->drain))
		ev_idle_start(auth->loop, &auth->work);
}

/* There is, but not before the parent has read what waits for it. */
void
turn_wait(struct auth *auth)
{
	ev_idle_stop(auth->loop, &auth->work);
	ev_timer_set(&auth->drain, TURN_DRAIN, 0.);
	ev_timer_start(auth->loop, &auth->drain);
}
