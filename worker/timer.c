/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/clock.h"
#include "common/event.h"
#include "worker/worker.h"

/* The ticks, and what a session's turn on the wheel (wheel.c) means to it. */

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
		s->why = WHY_IDLE;
		session_close(w, s, WS_STATUS_GOING_AWAY, "idle timeout");
		return;
	}
	if (s->outq != NULL &&
	    w->tick - s->outq->progress >= TICKS(w->settings.write_timeout) &&
	    !outq_progress(w, s)) {
		counters_add(COUNTER_WRITE_TIMEOUTS, 1);
		s->why = WHY_SLOW;
		broken_mark(w, s);
		return;
	}
	if (!tick_before(w->tick, s->ping_due)) {
		s->ping_due = w->tick + TICKS(w->settings.ping_interval);
		outq_control(w, s, ping, sizeof(ping));
	}
}

static void
timer_session(struct worker *w, struct session *s)
{
	if (s->state == SESSION_OPEN)
		timer_open_session(w, s);
	else if (!tick_before(w->tick, wheel_due(w, s))) {
		switch (s->state) {
		case SESSION_PROXY:
			session_proxy_late(w, s);
			break;
		case SESSION_HEAD:
			session_answer(w, s, 408);
			break;
		case SESSION_NONCE:
		case SESSION_REPLY:
		case SESSION_VERIFY:
			login_fail(w, s, WHY_TIMEOUT);
			break;
		default:
			broken_mark(w, s);
			break;
		}
	}
	wheel_set(w, s);
}

static void
timer_tick(struct worker *w)
{
	struct session *s;

	w->tick++;
	drain_tick(w);
	/* A session that is looked at leaves the bucket, so this ends. */
	while ((s = wheel_take(w)) != NULL)
		timer_session(w, s);
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

	w = timer->data;
	w->now = clock_seconds();
	event_flush(0);
	/* Ticks that were missed are made up for, a turn at a time. */
	late = timer_now() - w->tick;
	if (late > WHEEL_BUCKETS)
		late = WHEEL_BUCKETS;
	while (late-- > 0)
		timer_tick(w);
	router_tick(w);
	measure_next(w);
}

void
timer_init(struct worker *w)
{
	wheel_init(w);
	w->now = clock_seconds();
	w->tick = timer_now();
	ev_timer_init(&w->ticker, timer_cb, TICK_MS / 1000.0, TICK_MS / 1000.0);
	w->ticker.data = w;
	ev_timer_start(w->loop, &w->ticker);
}
