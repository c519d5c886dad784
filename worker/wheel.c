/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/worker.h"

/*
 * When to look at a session: a wheel of WHEEL_BUCKETS lists, TICK_MS each.
 * Setting, moving and clearing are O(1) and touch no heap; a packet touches
 * nothing here at all, since a session's last sign of life is only noted and
 * looked at when its turn comes.
 */

/* The tick at which something may be due. */
uint32_t
wheel_due(const struct worker *w, const struct session *s)
{
	uint32_t due, quiet, stall;

	if (s->state != SESSION_OPEN) {
		quiet = s->heard + QUIET_TICKS;
		if (s->skip == SKIP_ALL && s->outq == NULL &&
		    tick_before(quiet, s->deadline))
			return (quiet);
		return (s->deadline);
	}
	due = s->heard + TICKS(w->settings.idle_timeout);
	if (tick_before(s->ping_due, due))
		due = s->ping_due;
	if (s->outq != NULL) {
		stall = s->outq->progress + TICKS(w->settings.write_timeout);
		if (tick_before(stall, due))
			due = stall;
	}
	return (due);
}

void
wheel_clear(struct worker *w, struct session *s)
{
	uint32_t next, prev;

	if (s->due == 0)
		return;
	next = s->timer_next;
	prev = s->timer_prev;
	if (prev == NO_SLOT)
		w->wheel[s->due % WHEEL_BUCKETS] = next;
	else
		w->sessions[prev].timer_next = next;
	if (next != NO_SLOT)
		w->sessions[next].timer_prev = prev;
	s->due = 0;
}

/* Called whenever what is due next may have come nearer. */
void
wheel_set(struct worker *w, struct session *s)
{
	uint32_t *bucket;
	uint32_t due;

	if (s->state == SESSION_BROKEN)
		return;
	due = wheel_due(w, s);
	if (!tick_before(w->tick, due))
		due = w->tick + 1;
	if (due - w->tick >= WHEEL_BUCKETS)
		due = w->tick + WHEEL_BUCKETS - 1;
	if (due == 0) /* means: in no bucket */
		due = 1;
	if (s->due == due)
		return;
	wheel_clear(w, s);
	bucket = &w->wheel[due % WHEEL_BUCKETS];
	s->due = due;
	s->timer_prev = NO_SLOT;
	s->timer_next = *bucket;
	if (*bucket != NO_SLOT)
		w->sessions[*bucket].timer_prev = session_slot(w, s);
	*bucket = session_slot(w, s);
}

/* The next session whose turn it is in this tick, off the wheel; or NULL. */
struct session *
wheel_take(struct worker *w)
{
	struct session *s;
	uint32_t slot;

	slot = w->wheel[w->tick % WHEEL_BUCKETS];
	if (slot == NO_SLOT)
		return (NULL);
	s = &w->sessions[slot];
	wheel_clear(w, s);
	return (s);
}

/* Once, before anything is set. */
void
wheel_init(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < WHEEL_BUCKETS; i++)
		w->wheel[i] = NO_SLOT;
}
