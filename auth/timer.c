/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"

/* What time brings, while there is a registry or its snapshot. */

/* Deadlines, and requests for which there was no budget until now. */
void
timer_pulse(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct auth *auth;

	auth = timer->data;
	if (registry_late(&auth->registry))
		from_registry_end(auth, REGISTRY_TIMEOUT);
	registry_pump(&auth->registry, &auth->lookups);
	if (auth->lookups.nready > 0)
		turn_wake(auth);
	if (lookup_idle(&auth->lookups) &&
	    registry_oldest(&auth->registry) == NULL)
		ev_timer_stop(loop, timer);
}

void
timer_second(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct auth *auth;

	auth = timer->data;
	if (auth->conf.rate == 0 && auth->store.written == 0)
		ev_timer_stop(loop, timer);
	else if (auth->ready) {
		enroll_turn(auth);
		walk_slow(auth);
	}
	registry_pump(&auth->registry, &auth->lookups);
	registry_idle(&auth->registry);
	status_tell(auth);
	turn_pulse(auth);
}
