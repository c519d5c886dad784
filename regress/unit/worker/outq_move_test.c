/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <unistd.h>

#include "common/proto_move.h"
#include "regress/unit/worker/parts.h"

/* The queue of a session that moves: first what came, then what was held. */

static struct session *s;
static int client = -1;

/* A session that has been told like that, of which nothing has come yet. */
static int
begin(const struct msg_move_state *state)
{
	int pair[2];

	if (s != NULL && s->outq != NULL)
		outq_free(&w, s);
	(void)close(client);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		return (-1);
	client = pair[1];
	s = parts_session(0, SESSION_OPEN);
	ev_io_init(&s->io, NULL, pair[0], EV_READ);
	return (outq_unpack(&w, s, state));
}

static int
behind(const char *frame)
{
	return (outq_behind(&w, s, (const uint8_t *)frame, 3));
}

/* One that was said to it directly. */
static uint32_t
direct(const char *frame)
{
	uint8_t bytes[3];
	struct iovec iov = { bytes, 3 };

	memcpy(bytes, frame, 3);
	return (outq_frames(&w, s, &iov, 1, 3, 1));
}

static void
test_what_is_packed_is_unpacked(void)
{
	struct msg_move_state state, again;

	memset(&state, 0, sizeof(state));
	state.frame_left = 1;
	state.progress = 3 * TICK_MS;
	state.acked = 4;
	state.control_len = 3;
	state.control_sent = 1;
	memcpy(state.control, "\x8a\1p", 3);
	CHECK(begin(&state) == 0 && s->outq->holds);
	CHECK(s->outq->progress == w.tick - 3);
	CHECK(behind("\x82\1a") == 0);
	memset(&again, 0, sizeof(again));
	outq_pack(&w, s, &again);
	state.queue = 3;
	CHECK(memcmp(&again, &state, sizeof(state)) == 0);
}

static void
test_what_is_said_directly_waits_for_the_rest(void)
{
	static const struct msg_move_state nothing;
	uint8_t bytes[9];

	CHECK(begin(&nothing) == 0);
	CHECK(direct("\x82\1d") == 1);
	CHECK(behind("\x82\1a") == 0 && behind("\x82\1b") == 0);
	CHECK(s->outq->data.len == 6 && s->outq->held.len == 3);
	CHECK(outq_waiting(s->outq) == 9);
	CHECK(w.queued == s->outq->data.size + s->outq->held.size);
	outq_release(&w, s);
	CHECK(!s->outq->holds && s->outq->data.len == 9);
	CHECK(chunks_copy(&s->outq->data, bytes, 9) == 9);
	CHECK(memcmp(bytes, "\x82\1a\x82\1b\x82\1d", 9) == 0);
	CHECK((s->io.events & EV_WRITE) != 0 && !ev_is_active(&s->io));
	outq_free(&w, s);
	CHECK(w.queued == 0);
}

/* While more may come, an empty one stays. */
static void
test_without_anything_there_is_none(void)
{
	static const struct msg_move_state nothing;

	CHECK(begin(&nothing) == 0);
	ev_io_start(w.loop, &s->io);
	CHECK(behind("\x82\1a") == 0 && (s->io.events & EV_WRITE) != 0);
	outq_write(&w, s);
	CHECK(s->outq != NULL && s->outq->data.len == 0);
	outq_release(&w, s);
	CHECK(s->outq == NULL && (s->io.events & EV_WRITE) == 0);
	CHECK(ev_is_active(&s->io) && w.queued == 0);
	ev_io_stop(w.loop, &s->io);
}

static void
test_what_was_told_is_gone(void)
{
	static const struct msg_move_state nothing;

	CHECK(begin(&nothing) == 0 && behind("\x82\1a") == 0);
	CHECK(w.queued > 0);
	outq_empty(&w, s);
	CHECK(s->outq->data.len == 0 && w.queued == 0);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	w.tick = 1000;
	wheel_init(&w);
	RUN(test_what_is_packed_is_unpacked);
	RUN(test_what_is_said_directly_waits_for_the_rest);
	RUN(test_without_anything_there_is_none);
	RUN(test_what_was_told_is_gone);
	return (test_failed());
}
