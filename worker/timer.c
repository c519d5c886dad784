/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/clock.h"
#include "worker/worker.h"

/*
 * All timeouts of a session: a wheel of WHEEL_BUCKETS lists, TICK_MS each.
 * Setting, moving and clearing are O(1) and touch no heap; a packet touches
 * nothing here at all, since a session's last sign of life is only noted and
 * looked at when its turn comes.
 */

static int
timer_before(uint32_t a, uint32_t b)
{
	return ((int32_t)(a - b) < 0);
}

/* The tick at which something may be due. */
static uint32_t
timer_next_due(const struct worker *w, const struct session *s)
{
	uint32_t due, quiet, stall;

	if (s->state != SESSION_OPEN) {
		quiet = s->heard + QUIET_TICKS;
		if (s->skip == SKIP_ALL && s->outq == NULL &&
		    timer_before(quiet, s->deadline))
			return (quiet);
		return (s->deadline);
	}
	due = s->heard + TICKS(w->settings.idle_timeout);
	if (timer_before(s->ping_due, due))
		due = s->ping_due;
	if (s->outq != NULL) {
		stall = s->outq->progress + TICKS(w->settings.write_timeout);
		if (timer_before(stall, due))
			due = stall;
	}
	return (due);
}

void
timer_clear(struct worker *w, struct session *s)
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
timer_set(struct worker *w, struct session *s)
{
	uint32_t *bucket;
	uint32_t due;

	due = timer_next_due(w, s);
	if (!timer_before(w->tick, due))
		due = w->tick + 1;
	if (due - w->tick >= WHEEL_BUCKETS)
		due = w->tick + WHEEL_BUCKETS - 1;
	if (due == 0) /* means: in no bucket */
		due = 1;
	if (s->due == due)
		return;
	timer_clear(w, s);
	bucket = &w->wheel[due % WHEEL_BUCKETS];
	s->due = due;
	s->timer_prev = NO_SLOT;
	s->timer_next = *bucket;
	if (*bucket != NO_SLOT)
		w->sessions[*bucket].timer_prev = session_slot(w, s);
	*bucket = session_slot(w, s);
}

/*
 * A peer that is busy taking what waits for it may not have come to our ping
 * yet, and is alive.
 */
static int
timer_is_idle(struct worker *w, struct session *s)
{
	uint32_t most;

	most = TICKS(w->settings.idle_timeout);
	if (w->tick - s->heard < most)
		return (0);
	if (s->outq == NULL)
		return (1);
	(void)outq_progress(w, s);
	if (w->tick - s->outq->progress >= most)
		return (1);
	s->heard = s->outq->progress;
	return (0);
}

static void
timer_open_session(struct worker *w, struct session *s)
{
	static const uint8_t ping[2] = { 0x80 | WS_PING, 0 };

	if (timer_is_idle(w, s)) {
		counters_add(COUNTER_IDLE_DISCONNS, 1);
		session_close(w, s, WS_STATUS_GOING_AWAY, "idle timeout");
		return;
	}
	if (s->outq != NULL &&
	    w->tick - s->outq->progress >= TICKS(w->settings.write_timeout) &&
	    !outq_progress(w, s)) {
		counters_add(COUNTER_WRITE_TIMEOUTS, 1);
		session_free(w, s);
		return;
	}
	if (!timer_before(w->tick, s->ping_due)) {
		s->ping_due = w->tick + TICKS(w->settings.ping_interval);
		outq_control(w, s, ping, sizeof(ping));
	}
}

static void
timer_session(struct worker *w, struct session *s)
{
	if (s->state == SESSION_OPEN)
		timer_open_session(w, s);
	else if (!timer_before(w->tick, timer_next_due(w, s))) {
		switch (s->state) {
		case SESSION_HEAD:
			session_answer(w, s, 408);
			break;
		case SESSION_NONCE:
		case SESSION_REPLY:
		case SESSION_VERIFY:
			login_fail(w, s);
			break;
		default:
			session_free(w, s);
			break;
		}
	}
	if (s->state != SESSION_FREE)
		timer_set(w, s);
}

static void
timer_tick(struct worker *w)
{
	struct session *s;
	uint32_t slot;

	w->tick++;
	/* A session that is looked at leaves the bucket, so this ends. */
	while ((slot = w->wheel[w->tick % WHEEL_BUCKETS]) != NO_SLOT) {
		s = &w->sessions[slot];
		timer_clear(w, s);
		timer_session(w, s);
	}
}

static uint32_t
timer_now(void)
{
	return ((uint32_t)(clock_ns() / (TICK_MS * 1000000ULL)));
}

static void
timer_cb(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w;
	uint32_t late;

	(void)loop;
	(void)revents;
	w = timer->data;
	w->now = clock_seconds();
	/* Ticks that were missed are made up for, a turn at a time. */
	late = timer_now() - w->tick;
	if (late > WHEEL_BUCKETS)
		late = WHEEL_BUCKETS;
	while (late-- > 0)
		timer_tick(w);
}

void
timer_init(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < WHEEL_BUCKETS; i++)
		w->wheel[i] = NO_SLOT;
	w->now = clock_seconds();
	w->tick = timer_now();
	ev_timer_init(&w->ticker, timer_cb, TICK_MS / 1000.0, TICK_MS / 1000.0);
	w->ticker.data = w;
	ev_timer_start(w->loop, &w->ticker);
}
