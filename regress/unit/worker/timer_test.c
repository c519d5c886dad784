/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/still_clock.h"
#include "regress/unit/worker/parts.h"

/* What its turn on the wheel means to a session in each state. */

static char done[64];
static int progress; /* boolean: the peer takes what waits for it */
static struct outq outq;
static uint32_t next;

static void
note(const char *what)
{
	(void)strncat(done, what, sizeof(done) - strlen(done) - 1);
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	note(code == WS_STATUS_GOING_AWAY ? why : "?");
	s->state = SESSION_CLOSING;
}

void
session_answer(struct worker *of, struct session *s, int status)
{
	note(status == 408 ? "408" : "?");
	s->state = SESSION_LINGER;
}

void
session_proxy_late(struct worker *of, struct session *s)
{
	note("late");
	s->state = SESSION_BROKEN;
}

void
login_fail(struct worker *of, struct session *s, enum session_why why)
{
	note(why == WHY_TIMEOUT ? "failed" : "?");
	s->state = SESSION_CLOSING;
}

void
broken_mark(struct worker *of, struct session *s)
{
	note("broken");
	s->state = SESSION_BROKEN;
}

int
outq_progress(struct worker *of, struct session *s)
{
	if (progress)
		s->outq->progress = w.tick;
	return (progress);
}

void
outq_control(
    struct worker *of, struct session *s, const uint8_t *frame, size_t len)
{
	note(len == 2 && frame[0] == (0x80 | WS_PING) ? "ping" : "?");
}

void
router_tick(struct worker *of)
{
}

void
drain_tick(struct worker *of)
{
}

/* The loop's next tick. */
static const char *
tick(void)
{
	memset(done, 0, sizeof(done));
	still_pass(TICK_MS / 1000.);
	ev_feed_event(w.loop, &w.ticker, EV_TIMER);
	ev_invoke_pending(w.loop);
	return (done);
}

/* A session that is due in the next tick, which is `next`. */
static struct session *
due(enum session_state state)
{
	struct session *s;

	next = w.tick + 1;
	s = parts_session(0, state);
	s->deadline = next;
	s->heard = next;
	s->ping_due = next + TICKS(w.settings.ping_interval);
	s->due = next;
	s->timer_next = s->timer_prev = NO_SLOT;
	w.wheel[next % WHEEL_BUCKETS] = 0;
	return (s);
}

static int
happens(enum session_state state, const char *what, enum session_state then)
{
	struct session *s;

	s = due(state);
	if (strcmp(tick(), what) != 0 || s->state != then)
		return (0);
	wheel_clear(&w, s);
	return (1);
}

static void
test_a_deadline_in_each_state(void)
{
	CHECK(happens(SESSION_PROXY, "late", SESSION_BROKEN));
	CHECK(happens(SESSION_HEAD, "408", SESSION_LINGER));
	CHECK(happens(SESSION_NONCE, "failed", SESSION_CLOSING));
	CHECK(happens(SESSION_REPLY, "failed", SESSION_CLOSING));
	CHECK(happens(SESSION_VERIFY, "failed", SESSION_CLOSING));
	CHECK(happens(SESSION_CLOSING, "broken", SESSION_BROKEN));
	CHECK(happens(SESSION_LINGER, "broken", SESSION_BROKEN));
	/* An open one has none. */
	CHECK(happens(SESSION_OPEN, "", SESSION_OPEN));
}

static void
test_before_its_deadline_it_is_looked_at_again(void)
{
	struct session *s;

	s = due(SESSION_REPLY);
	s->deadline = next + 3;
	CHECK(strcmp(tick(), "") == 0);
	CHECK(s->state == SESSION_REPLY && s->due == w.tick + 3);
	wheel_clear(&w, s);
}

static void
test_an_open_one_is_pinged_in_its_interval(void)
{
	struct session *s;

	s = due(SESSION_OPEN);
	s->ping_due = next;
	CHECK(strcmp(tick(), "ping") == 0);
	CHECK(s->ping_due == w.tick + TICKS(w.settings.ping_interval));
	CHECK(s->due == s->ping_due);
	wheel_clear(&w, s);
}

static void
test_a_silent_one_is_closed(void)
{
	struct session *s;

	s = due(SESSION_OPEN);
	s->heard = next - TICKS(w.settings.idle_timeout);
	CHECK(strcmp(tick(), "idle timeout") == 0);
	wheel_clear(&w, s);
	s = due(SESSION_OPEN);
	s->heard = next - TICKS(w.settings.idle_timeout) + 1;
	CHECK(strcmp(tick(), "") == 0);
	wheel_clear(&w, s);
}

/* It is busy taking, and has not come to our ping. */
static void
test_a_silent_one_that_takes_is_alive(void)
{
	struct session *s;

	s = due(SESSION_OPEN);
	s->heard = next - TICKS(w.settings.idle_timeout);
	s->outq = &outq;
	outq.progress = next - TICKS(w.settings.idle_timeout);
	progress = 1;
	CHECK(strcmp(tick(), "") == 0 && s->heard == w.tick);
	wheel_clear(&w, s);
	progress = 0;
}

static void
test_one_that_takes_nothing_is_broken(void)
{
	struct session *s;
	uint64_t n;

	n = COUNTED(WRITE_TIMEOUTS);
	s = due(SESSION_OPEN);
	s->outq = &outq;
	outq.progress = next - TICKS(w.settings.write_timeout);
	CHECK(strcmp(tick(), "broken") == 0);
	CHECK(COUNTED(WRITE_TIMEOUTS) == n + 1);
	s = due(SESSION_OPEN);
	s->outq = &outq;
	outq.progress = next - TICKS(w.settings.write_timeout) + 1;
	CHECK(strcmp(tick(), "") == 0);
	wheel_clear(&w, s);
}

/* The machine slept: all is looked at, but no longer than a round. */
static void
test_ticks_that_were_missed_are_made_up_for(void)
{
	uint32_t was;

	was = w.tick;
	still_pass(10 * TICK_MS / 1000.);
	ev_feed_event(w.loop, &w.ticker, EV_TIMER);
	ev_invoke_pending(w.loop);
	CHECK(w.tick == was + 10);
	still_pass(2 * WHEEL_BUCKETS * TICK_MS / 1000.);
	ev_feed_event(w.loop, &w.ticker, EV_TIMER);
	ev_invoke_pending(w.loop);
	CHECK(w.tick == was + 10 + WHEEL_BUCKETS);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	w.settings.idle_timeout = 60;
	w.settings.write_timeout = 20;
	w.settings.ping_interval = 30;
	timer_init(&w);
	RUN(test_a_deadline_in_each_state);
	RUN(test_before_its_deadline_it_is_looked_at_again);
	RUN(test_an_open_one_is_pinged_in_its_interval);
	RUN(test_a_silent_one_is_closed);
	RUN(test_a_silent_one_that_takes_is_alive);
	RUN(test_one_that_takes_nothing_is_broken);
	RUN(test_ticks_that_were_missed_are_made_up_for);
	return (test_failed());
}
