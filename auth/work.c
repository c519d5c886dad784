/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"

/* All that auth keeps, and what turns it; before the sandbox. */
void
work_init(struct auth *auth)
{
	keys_init(auth);
	keys_snapshot_init(auth);
	keys_cache_init(auth);
	walk_init(auth);
	if (lookup_init(&auth->lookups) == -1)
		fatal("lookup_init");
	wire_init();
	from_registry_init(auth);
	turn_init(auth, work_turn);
	turn_init_timers(auth, timer_pulse, timer_second);
}

/*
 * Work that can wait a turn of the loop: the rest of a worker's messages, the
 * logins that have their answer, the next piece of the key file, of the map.
 * Output leaves between two turns.
 */
void
work_turn(struct ev_loop *loop, ev_idle *idle, int revents)
{
	struct auth *auth;
	int more;

	auth = idle->data;
	/* Nothing that could tell the parent more before it has read. */
	if (tell_congested(auth)) {
		turn_wait(auth);
		return;
	}
	more = keys_work(auth);
	more |= login_work(auth);
	if (auth->ready)
		from_worker_resume_all(auth);
	if (!more)
		ev_idle_stop(loop, idle);
}
