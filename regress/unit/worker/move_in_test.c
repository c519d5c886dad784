/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "regress/unit/worker/parts.h"
#include "worker/move_told.h"

/* A batch of sessions that comes, from its beginning to its end. */

const struct channel_rule move_told_rules[1];
const size_t move_told_nrules = 0;

static char done[64];     /* in this order */
static uint32_t finished; /* the ticket of the last WP_MOVE_DONE */

static void
note(const char *what)
{
	(void)strlcat(done, what, sizeof(done));
}

struct session *
move_told_session(struct arrival *a, uint32_t session)
{
	return (a->sessions[session].state == COMING_NOT
		    ? NULL
		    : &w.sessions[a->sessions[session].slot]);
}

void
move_told_drop(struct arrival *a, uint32_t session)
{
	if (a->sessions[session].state != COMING_NOT)
		note(session == 0 ? "drop0 " : "drop1 ");
	a->sessions[session].state = COMING_NOT;
}

void
move_told_ready(struct arrival *a)
{
	note("ready ");
}

void
outq_release(struct worker *of, struct session *s)
{
	note(s == &w.sessions[0] ? "release0 " : "release1 ");
}

void
session_begin(struct worker *of, struct session *s)
{
	note(s == &w.sessions[0] ? "begin0 " : "begin1 ");
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	if (code == 4000 && strcmp(why, "enough") == 0 && s->why == WHY_ROUTER)
		note(s == &w.sessions[0] ? "close0 " : "close1 ");
}

void
tell_parent(struct worker *of, uint32_t type, const void *data, size_t len)
{
	const struct msg_move_done *msg;

	msg = data;
	if (type == WP_MOVE_DONE && len == sizeof(*msg))
		finished = msg->ticket;
	note("done ");
}

static const struct msg_move_session rows[2] = { { 10, 20, 0 }, { 11, 21, 0 } };
static int other; /* the worker where they were */

/* A batch of ticket 7 from worker 5; both are told and whole, or in part. */
static struct arrival *
begin(enum coming state)
{
	struct msg_move msg = { 7, 5, 2 };
	int pair[2];
	uint32_t i;

	if (w.moves.in[5] != NULL) {
		w.moves.in[5]->settled = w.moves.in[5]->over = 1;
		move_in_turn(&w);
	}
	(void)close(other);
	if (channel_pair(pair) == -1 ||
	    move_in_begin(&w, &msg, rows, pair[0]) != NULL)
		abort();
	other = pair[1];
	done[0] = '\0';
	finished = 0;
	for (i = 0; i < 2; i++) {
		w.moves.in[5]->sessions[i].state = state;
		w.moves.in[5]->sessions[i].slot = i;
	}
	if (state == COMING_WHOLE)
		w.moves.in[5]->channel.state = MOVE_AFTER;
	return (w.moves.in[5]);
}

static void
settle(uint32_t ticket, uint64_t mask)
{
	struct msg_moved msg = { ticket, 5, mask };

	move_in_settled(&w, &msg);
}

static void
test_one_from_each_worker_at_a_time(void)
{
	struct msg_move msg = { 8, 5, 1 };
	struct arrival *a;

	a = begin(COMING_PART);
	CHECK(a->count == 2 && a->sessions[1].row.node == 11);
	CHECK(w.moves.nin == 1 && move_in_is_any(&w));
	CHECK(move_in_begin(&w, &msg, rows, dup(other)) != NULL);
	msg.worker = PROTO_PLACES_MAX;
	CHECK(move_in_begin(&w, &msg, rows, dup(other)) != NULL);
	msg.worker = 6;
	msg.count = MOVE_SESSIONS_MAX + 1;
	CHECK(move_in_begin(&w, &msg, rows, dup(other)) != NULL);
	CHECK(w.moves.nin == 1 && w.moves.in[6] == NULL);
	settle(7, 0);
	CHECK(w.moves.nin == 0 && w.moves.in[5] == NULL);
	CHECK(strcmp(done, "drop0 drop1 ") == 0);
}

static void
test_some_are_ours_and_are_released_when_all_is_over(void)
{
	struct arrival *a;

	a = begin(COMING_WHOLE);
	settle(6, 3);
	CHECK(strcmp(done, "") == 0 && !a->settled);
	settle(7, 2);
	CHECK(strcmp(done, "drop0 begin1 ") == 0 && a->settled);
	move_in_turn(&w);
	CHECK(strcmp(done, "drop0 begin1 ") == 0);
	a->over = 1;
	move_in_turn(&w);
	CHECK(strcmp(done, "drop0 begin1 release1 done ") == 0);
	CHECK(finished == 7 && w.moves.nin == 0 && w.moves.in[5] == NULL);
}

/* What a router wanted while they were on their way. */
static void
test_a_close_counts_when_it_is_ours(void)
{
	static const struct msg_move_close close = { 1, 4000, "enough" };
	struct arrival *a;

	a = begin(COMING_WHOLE);
	a->sessions[1].close = close;
	move_in_turn(&w);
	CHECK(strcmp(done, "") == 0);
	settle(7, 3);
	move_in_turn(&w);
	CHECK(strcmp(done, "begin0 begin1 close1 ") == 0);
	move_in_turn(&w);
	CHECK(strcmp(done, "begin0 begin1 close1 ") == 0);
}

/* The other end is gone, at each moment that there is. */
static void
test_the_other_end_is_gone(void)
{
	/* Before all was told: none of it is taken. */
	(void)begin(COMING_PART);
	(void)close(other);
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(strcmp(done, "drop0 drop1 ready ") == 0);
	settle(7, 0);
	CHECK(w.moves.nin == 0);
	/* After that: it is the parent's to say. */
	(void)begin(COMING_WHOLE);
	(void)close(other);
	ev_run(w.loop, EVRUN_NOWAIT);
	move_in_turn(&w);
	CHECK(strcmp(done, "") == 0 && w.moves.nin == 1);
	settle(7, 3);
	move_in_turn(&w);
	CHECK(strcmp(done, "begin0 begin1 release0 release1 done ") == 0);
	/* And when they are ours. */
	(void)begin(COMING_WHOLE);
	settle(7, 1);
	(void)close(other);
	ev_run(w.loop, EVRUN_NOWAIT);
	move_in_turn(&w);
	CHECK(strcmp(done, "begin0 drop1 release0 done ") == 0);
	other = -1;
}

static void
test_whoever_hangs_is_not_waited_for(void)
{
	uint64_t late;

	late = COUNTED(MOVED_LATE);
	(void)begin(COMING_WHOLE);
	w.tick += 10 * TICKS(MOVE_WAIT);
	move_in_turn(&w);
	CHECK(COUNTED(MOVED_LATE) == late && !w.moves.in[5]->over);
	settle(7, 3);
	w.tick += TICKS(MOVE_WAIT) / 2 - 1;
	move_in_turn(&w);
	CHECK(COUNTED(MOVED_LATE) == late && !w.moves.in[5]->over);
	w.tick++;
	move_in_turn(&w);
	CHECK(COUNTED(MOVED_LATE) == late + 1);
	CHECK(strcmp(done, "begin0 begin1 release0 release1 done ") == 0);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	other = -1;
	RUN(test_one_from_each_worker_at_a_time);
	RUN(test_some_are_ours_and_are_released_when_all_is_over);
	RUN(test_a_close_counts_when_it_is_ours);
	RUN(test_the_other_end_is_gone);
	RUN(test_whoever_hangs_is_not_waited_for);
	return (test_failed());
}
