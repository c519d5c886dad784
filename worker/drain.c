/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/worker.h"

/*
 * Peers are to go somewhere else, a few at a time: a proxy hears of it first
 * (/health), then nobody new is let in, and who is there is closed evenly over
 * the time that there is.
 */

/* PW_DRAIN, also of a drain that goes on.  Returns NULL, or what is wrong. */
const char *
drain_set(struct worker *w, const struct msg_drain *msg)
{
	if (msg->phase > DRAIN_CLOSING || msg->seconds > DRAIN_SECONDS_MAX)
		return ("no such drain");
	w->drain.phase = msg->phase;
	w->drain.since = w->tick;
	w->drain.ticks = TICKS(msg->seconds);
	w->drain.total = w->nupgraded;
	w->drain.closed = 0;
	w->drain.next = 0;
	drain_tick(w);
	return (NULL);
}

/* Ticks since its phase began. */
uint32_t
drain_elapsed(const struct worker *w)
{
	return (w->tick - w->drain.since);
}

/* Each tick: as many are closed as should be by now. */
void
drain_tick(struct worker *w)
{
	struct drain *d;
	struct session *s;
	uint32_t due, elapsed;

	d = &w->drain;
	if (d->phase != DRAIN_CLOSING)
		return;
	elapsed = drain_elapsed(w);
	due = elapsed >= d->ticks
		  ? UINT32_MAX
		  : (uint32_t)((uint64_t)d->total * elapsed / d->ticks);
	while (d->closed < due && d->next < w->nslots) {
		s = &w->sessions[d->next++];
		if (!session_is_upgraded(s) || s->state == SESSION_CLOSING)
			continue;
		session_goodbye(w, s);
		d->closed++;
	}
}
