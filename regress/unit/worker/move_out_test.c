/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "common/imsg.h"
#include "regress/unit/worker/parts.h"
#include "worker/move_say.h"

/* A batch of sessions that goes, from its beginning to its end. */

static char done[120]; /* what happened to sessions, in this order */
static int marks, says, fails;
static struct imsgbuf other;
static struct sibling siblings[2];
static struct outq outqs[PARTS_SESSIONS];

static void
note(const char *what, const struct session *s)
{
	size_t len;

	len = strlen(done);
	(void)snprintf(
	    done + len, sizeof(done) - len, "%s%u ", what, session_slot(&w, s));
}

int
session_freeze(struct worker *of, struct session *s)
{
	note("freeze", s);
	s->outq = &outqs[session_slot(&w, s)];
	return (0);
}

void
session_thaw(struct worker *of, struct session *s)
{
	note("thaw", s);
}

void
session_gone(struct worker *of, struct session *s)
{
	note("gone", s);
	s->state = SESSION_MOVED;
}

void
session_forget(struct worker *of, struct session *s)
{
	note("forget", s);
	s->state = SESSION_FREE;
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	note(code == 4000 && strcmp(why, "enough") == 0 && s->why == WHY_ROUTER
		 ? "close"
		 : "?",
	    s);
}

int
move_say_all(struct departure *d, uint32_t session)
{
	return (fails ? -1 : 0);
}

int
move_say_queue(struct departure *d, uint32_t session, size_t from)
{
	says++;
	return (0);
}

void
outq_empty(struct worker *of, struct session *s)
{
}

void
burst_end(struct worker *of)
{
}

void
gather_flush(struct worker *of)
{
}

void
gather_frame(struct worker *of, struct session *s, uint8_t *frame, size_t len)
{
	note("late", s);
}

void
route_message(struct worker *of, struct sibling *to, uint32_t type,
    uint32_t peerid, uint32_t pid, const uint8_t *bytes, size_t len)
{
	if (type == WW_MARK && peerid == w.moves.out->ticket)
		marks++;
}

/* The other end, open or closed by a test. */
static void
forget_other(void)
{
	if (other.fd > 0)
		(void)close(other.fd);
	if (other.fd != 0)
		imsgbuf_clear(&other);
	other.fd = 0;
}

/* Sessions 0 and 1 are to go, and one that is not there; with two siblings. */
static const char *
begin(uint32_t ticket)
{
	static const struct msg_move_session rows[3] = { { 10, 20, 0 },
		{ 11, 21, 1 }, { 12, 22, 2 } };
	struct msg_move msg = { ticket, 9, 3 };
	int pair[2];
	uint32_t i;

	for (i = 0; i < 2; i++) {
		parts_session(i, SESSION_OPEN)->peer.node = 10 + i;
		w.sessions[i].peer.generation = 20 + i;
		w.routes.siblings[i + 1] = &siblings[i];
		siblings[i].open = 1;
	}
	forget_other();
	if (channel_pair(pair) == -1 || imsgbuf_init(&other, pair[1]) == -1)
		abort();
	done[0] = '\0';
	marks = says = 0;
	return (move_out_begin(&w, &msg, rows, pair[0]));
}

static void
settle(uint64_t mask)
{
	struct msg_moved msg = { w.moves.out->ticket, 0, mask };

	move_out_settled(&w, &msg);
}

static int
told(uint32_t type)
{
	return (parts_told(&w.moves.out->channel, &other, type, NULL, 0));
}

static void
test_all_goes_well(void)
{
	uint8_t bytes[FRAME_HEADROOM + 8];

	CHECK(begin(1) == NULL);
	CHECK(strcmp(done, "freeze0 freeze1 ") == 0 && marks == 2);
	/* The end is said when both have read the mark, that of this batch. */
	move_out_marked(&w, 1, 1);
	move_out_marked(&w, 2, 99);
	CHECK(told(WM_END) == -1);
	move_out_marked(&w, 2, 1);
	CHECK(told(WM_END) == 1);
	settle(1);
	CHECK(strcmp(done, "freeze0 freeze1 gone0 thaw1 ") == 0);
	CHECK(says == 1 && COUNTED(MOVED) == 1);
	/* What still comes follows who has gone, and nobody else. */
	CHECK(move_out_late(&w, 10, 20, bytes + FRAME_HEADROOM, 8));
	CHECK(!move_out_late(&w, 10, 21, bytes + FRAME_HEADROOM, 8));
	CHECK(!move_out_late(&w, 11, 21, bytes + FRAME_HEADROOM, 8));
	/* When no one has anything more for them, that is all. */
	move_out_fenced(&w, 1, 1);
	move_out_fenced(&w, 2, 99);
	move_out_fenced(&w, 0, 1);
	CHECK(told(WM_LAST) == -1);
	move_out_fenced(&w, 2, 1);
	CHECK(told(WM_LAST) == 1);
	/* Nothing follows that, though the other end has not read it yet. */
	CHECK(!move_out_late(&w, 10, 20, bytes + FRAME_HEADROOM, 8));
	(void)close(other.fd);
	other.fd = -1;
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(w.moves.out == NULL);
	CHECK(strcmp(done, "freeze0 freeze1 gone0 thaw1 late0 forget0 ") == 0);
}

static void
test_called_off(void)
{
	CHECK(begin(2) == NULL && move_out_is(&w, 2));
	settle(0);
	CHECK(w.moves.out == NULL && !move_out_is(&w, 2));
	CHECK(strcmp(done, "freeze0 freeze1 thaw0 thaw1 ") == 0);
}

/* What the parent wants to end here does not go. */
static void
test_one_is_kept(void)
{
	CHECK(begin(3) == NULL);
	move_out_keep(&w, &w.sessions[1]);
	settle(3);
	CHECK(strcmp(done, "freeze0 freeze1 thaw1 gone0 ") == 0);
	/* A new batch ends what is left of the last one. */
	CHECK(begin(4) == NULL && move_out_is(&w, 4));
	settle(0);
}

static int
told_close(const struct msg_move_close *close)
{
	struct msg_move_close copy = *close;

	return (parts_told(
	    &w.moves.out->channel, &other, WM_CLOSE, &copy, sizeof(copy)));
}

/* What a router wants to end is ended by whoever has it then. */
static void
test_a_router_wants_the_end(void)
{
	static const struct msg_move_close close = { 0, 4000, "enough" };

	CHECK(begin(11) == NULL);
	w.moves.out->sessions[0].close = close;
	w.moves.out->sessions[1].close = close;
	settle(1);
	CHECK(strcmp(done, "freeze0 freeze1 gone0 thaw1 close1 ") == 0);
	CHECK(told_close(&close) == 1);
	/* And when it has gone, ahead of the last word. */
	w.moves.out->sessions[0].close = close;
	move_out_fenced(&w, 0, 11);
	CHECK(told_close(&close) == 1);
	move_out_fenced(&w, 1, 11);
	move_out_fenced(&w, 2, 11);
	CHECK(told(WM_LAST) == 1);
	CHECK(begin(12) == NULL);
	settle(0);
}

static void
test_one_at_a_time(void)
{
	CHECK(begin(5) == NULL);
	CHECK(begin(6) != NULL && move_out_is(&w, 5));
	settle(0);
}

/* Who is gone marks nothing and has nothing more. */
static void
test_a_sibling_is_lost(void)
{
	CHECK(begin(7) == NULL);
	move_out_marked(&w, 1, 7);
	siblings[1].open = 0;
	move_out_lost(&w, 2);
	CHECK(told(WM_END) == 1);
	settle(3);
	move_out_fenced(&w, 0, 7);
	move_out_fenced(&w, 1, 7);
	CHECK(told(WM_LAST) == 1);
	CHECK(begin(8) == NULL);
	settle(0);
}

/* Without the other end, what stands still waits for the parent's word. */
static void
test_the_other_end_is_lost(void)
{
	CHECK(begin(9) == NULL);
	(void)close(other.fd);
	other.fd = -1;
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(w.moves.out != NULL);
	settle(1);
	CHECK(w.moves.out == NULL);
	CHECK(strcmp(done, "freeze0 freeze1 gone0 thaw1 forget0 ") == 0);
	fails = 1;
	CHECK(begin(10) == NULL);
	fails = 0;
	CHECK(w.moves.out != NULL && marks == 0);
	settle(0);
	CHECK(w.moves.out == NULL);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	RUN(test_all_goes_well);
	RUN(test_called_off);
	RUN(test_one_is_kept);
	RUN(test_a_router_wants_the_end);
	RUN(test_one_at_a_time);
	RUN(test_a_sibling_is_lost);
	RUN(test_the_other_end_is_lost);
	forget_other();
	return (test_failed());
}
