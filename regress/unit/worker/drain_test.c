/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"

/* How many are closed by when, and who is let in. */

static int closed;

void
session_goodbye(struct worker *of, struct session *s)
{
	closed++;
	s->state = SESSION_CLOSING;
	of->nupgraded--;
}

static void
begin(void)
{
	uint32_t i;

	for (i = 0; i < PARTS_SESSIONS; i++)
		(void)parts_session(i, SESSION_OPEN);
	w.nupgraded = PARTS_SESSIONS;
	closed = 0;
}

static const char *
set(uint32_t phase, uint32_t seconds)
{
	struct msg_drain msg = { phase, seconds };

	return (drain_set(&w, &msg));
}

static void
test_phases(void)
{
	begin();
	CHECK(drain_is_healthy(&w) && drain_takes_peers(&w));
	CHECK(set(DRAIN_UNHEALTHY, 1) == NULL);
	CHECK(!drain_is_healthy(&w) && drain_takes_peers(&w));
	w.tick += TICKS(5);
	drain_tick(&w);
	CHECK(closed == 0);
	CHECK(set(DRAIN_CLOSING, 60) == NULL);
	CHECK(!drain_is_healthy(&w) && !drain_takes_peers(&w));
	CHECK(set(DRAIN_NOT, 0) == NULL);
	CHECK(drain_is_healthy(&w) && drain_takes_peers(&w) && closed == 0);
}

static void
test_evenly(void)
{
	uint32_t i;

	begin();
	CHECK(set(DRAIN_CLOSING, PARTS_SESSIONS) == NULL);
	for (i = 0; i < PARTS_SESSIONS; i++) {
		CHECK(closed == (int)i);
		w.tick += TICKS(1) - 1;
		drain_tick(&w);
		CHECK(closed == (int)i);
		w.tick++;
		drain_tick(&w);
	}
	CHECK(closed == PARTS_SESSIONS);
}

static void
test_at_once(void)
{
	begin();
	w.sessions[1].state = SESSION_HEAD;
	w.sessions[2].state = SESSION_CLOSING;
	CHECK(set(DRAIN_CLOSING, 0) == NULL);
	CHECK(closed == PARTS_SESSIONS - 2);
}

static void
test_what_is_no_drain(void)
{
	begin();
	(void)set(DRAIN_NOT, 0);
	CHECK(set(DRAIN_CLOSING + 1, 0) != NULL);
	CHECK(set(DRAIN_CLOSING, DRAIN_SECONDS_MAX + 1) != NULL);
	CHECK(drain_is_healthy(&w) && closed == 0);
}

int
main(void)
{
	(void)parts_sessions();
	RUN(test_phases);
	RUN(test_evenly);
	RUN(test_at_once);
	RUN(test_what_is_no_drain);
	return (test_failed());
}
