/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/worker.h"

static struct worker w;
static struct session sessions[4];

static struct session *
begin(int i, enum session_state state)
{
	struct session *s;

	s = &sessions[i];
	memset(s, 0, sizeof(*s));
	s->state = (uint8_t)state;
	s->deadline = w.tick + 5;
	s->stranger = stranger_new(&w.strangers, (uint32_t)i, w.tick);
	ev_io_init(&s->io, NULL, 0, EV_READ);
	ev_io_start(w.loop, &s->io);
	wheel_set(&w, s);
	return (s);
}

static void
test_nobody_finds_it_any_more(void)
{
	struct session *s;

	s = begin(0, SESSION_VERIFY);
	CHECK(s->due != 0 && !TAILQ_EMPTY(&w.strangers.all));
	broken_mark(&w, s);
	CHECK(s->state == SESSION_BROKEN && !session_is_upgraded(s));
	CHECK(!ev_is_active(&s->io) && s->due == 0);
	CHECK(s->stranger == NULL && TAILQ_EMPTY(&w.strangers.all));
	wheel_set(&w, s);
	CHECK(s->due == 0);
	CHECK(broken_take(&w) == s && s->state == SESSION_VERIFY);
	CHECK(broken_take(&w) == NULL);
}

static void
test_each_is_taken_once(void)
{
	struct session *s;
	uint32_t i, seen;

	for (i = 0; i < 4; i++)
		(void)begin((int)i, SESSION_HEAD);
	broken_mark(&w, &sessions[2]);
	broken_mark(&w, &sessions[0]);
	broken_mark(&w, &sessions[2]);
	CHECK(w.nbroken == 2);
	broken_mark(&w, &sessions[3]);
	for (seen = 0; (s = broken_take(&w)) != NULL;)
		seen |= 1U << (s - sessions);
	CHECK(seen == 0xd && w.nbroken == 0);
	CHECK(sessions[1].due != 0);
}

int
main(void)
{
	w.loop = ev_loop_new(EVFLAG_NOENV);
	if (w.loop == NULL)
		return (1);
	w.sessions = sessions;
	w.tick = 100;
	wheel_init(&w);
	stranger_init(&w.strangers);
	RUN(test_nobody_finds_it_any_more);
	RUN(test_each_is_taken_once);
	return (test_failed());
}
