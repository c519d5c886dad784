/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/worker.h"

#define SESSIONS 8
#define START    1000

static struct worker w;
static struct session sessions[SESSIONS];

/* SESSIONS of them that wait for a head until that tick; nothing is set. */
static void
begin(uint32_t tick)
{
	int i;

	memset(sessions, 0, sizeof(sessions));
	w.sessions = sessions;
	w.tick = tick;
	wheel_init(&w);
	for (i = 0; i < SESSIONS; i++)
		sessions[i].state = SESSION_HEAD;
}

static void
set(int i, uint32_t deadline)
{
	sessions[i].deadline = deadline;
	wheel_set(&w, &sessions[i]);
}

/* Ticks until session i has its turn, and no other before it; 0: never. */
static uint32_t
turns(int i)
{
	struct session *s;
	uint32_t n;

	for (n = 1; n <= 2 * WHEEL_BUCKETS; n++) {
		w.tick++;
		s = wheel_take(&w);
		if (s != NULL)
			return (s == &sessions[i] ? n : 0);
	}
	return (0);
}

static void
test_each_has_its_turn_once(void)
{
	begin(START);
	set(3, START + 7);
	set(5, START + 2);
	CHECK(turns(5) == 2 && sessions[5].due == 0);
	CHECK(turns(3) == 5);
	CHECK(wheel_take(&w) == NULL && turns(3) == 0);
}

static void
test_those_of_one_tick_all_have_it(void)
{
	struct session *s;
	uint32_t seen;
	int i;

	begin(START);
	for (i = 0; i < SESSIONS; i++)
		set(i, START + 4);
	wheel_clear(&w, &sessions[SESSIONS - 1]);
	wheel_clear(&w, &sessions[0]);
	wheel_clear(&w, &sessions[4]);
	wheel_clear(&w, &sessions[4]);
	w.tick += 4;
	for (seen = 0; (s = wheel_take(&w)) != NULL;)
		seen |= 1U << (s - sessions);
	CHECK(seen == 0x6e);
}

static void
test_what_is_moved_has_its_new_turn(void)
{
	begin(START);
	set(1, START + 9);
	set(1, START + 3);
	set(2, START + 20);
	CHECK(turns(1) == 3 && turns(2) == 17);
}

static void
test_what_is_late_is_next(void)
{
	begin(START);
	set(1, START - 5);
	CHECK(turns(1) == 1);
}

static void
test_what_is_far_is_looked_at_again(void)
{
	begin(START);
	set(1, START + 3 * WHEEL_BUCKETS);
	CHECK(turns(1) == WHEEL_BUCKETS - 1);
	wheel_set(&w, &sessions[1]);
	CHECK(turns(1) == WHEEL_BUCKETS - 1);
}

/* Ticks go round after 34 years, and 0 means that nothing is set. */
static void
test_ticks_go_round(void)
{
	begin(UINT32_MAX - 2);
	set(1, 3);
	set(2, 0);
	CHECK(sessions[2].due != 0);
	CHECK(turns(2) == 4 && turns(1) == 2);
}

static void
test_an_open_session_is_due_for_the_nearest(void)
{
	struct session *s;
	struct outq q;

	begin(START);
	w.settings.idle_timeout = 90;
	w.settings.write_timeout = 10;
	memset(&q, 0, sizeof(q));
	s = &sessions[0];
	s->state = SESSION_OPEN;
	s->heard = START;
	s->ping_due = START + TICKS(30);
	CHECK(wheel_due(&w, s) == START + TICKS(30));
	s->outq = &q;
	q.progress = START;
	CHECK(wheel_due(&w, s) == START + TICKS(10));
	s->heard = START - TICKS(85);
	CHECK(wheel_due(&w, s) == START + TICKS(5));
}

int
main(void)
{
	RUN(test_each_has_its_turn_once);
	RUN(test_those_of_one_tick_all_have_it);
	RUN(test_what_is_moved_has_its_new_turn);
	RUN(test_what_is_late_is_next);
	RUN(test_what_is_far_is_looked_at_again);
	RUN(test_ticks_go_round);
	RUN(test_an_open_session_is_due_for_the_nearest);
	return (test_failed());
}
