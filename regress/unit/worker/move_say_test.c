/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <unistd.h>

#include "common/imsg.h"
#include "regress/unit/worker/parts.h"
#include "worker/move_say.h"

/* A session is told whole, in messages of bounded size. */

#define QUEUE (5 * MOVE_CHUNK + 7)

static struct departure d;
static struct imsgbuf other;
static struct outq outq;
static uint8_t bytes[QUEUE];

void
session_pack(const struct worker *of, const struct session *s,
    struct msg_move_state *state)
{
	state->queue = (uint32_t)s->outq->data.len;
}

static void
begin(void)
{
	struct session *s;
	size_t i;
	int pair[2];

	s = parts_session(1, SESSION_OPEN);
	s->outq = &outq;
	s->io.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < QUEUE; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 13);
	if (channel_pair(pair) == -1 ||
	    channel_open(&d.channel, w.loop, pair[0], "move", NULL, 0,
		parts_ended, &d) == -1 ||
	    imsgbuf_init(&other, pair[1]) == -1 ||
	    chunks_add(&outq.data, bytes, QUEUE) == -1)
		abort();
	imsgbuf_set_limit(&d.channel.imsgbuf, MOVE_QUEUE_MAX);
	imsgbuf_allow_fdrecv(&other);
	d.worker = &w;
	d.count = 1;
	d.sessions[0].slot = 1;
}

/* The next message; returns 0 if there is none. */
static int
next(struct imsg *imsg)
{
	int i;

	for (i = 0; i < 100; i++) {
		if (imsgbuf_get(&other, imsg) == 1)
			return (1);
		(void)channel_flush(&d.channel);
		(void)imsgbuf_read(&other);
	}
	return (0);
}

/* Are the next ones the bytes of the queue from number `from` on? */
static int
is_queue(size_t from)
{
	struct {
		struct msg_move_bytes head;
		uint8_t bytes[MOVE_CHUNK];
	} msg;
	struct imsg imsg;
	size_t len;

	while (from < QUEUE && next(&imsg)) {
		len = imsg_get_len(&imsg);
		if (imsg_get_type(&imsg) != WM_BYTES || len > sizeof(msg) ||
		    imsg_get_data(&imsg, &msg, len) == -1)
			return (0);
		imsg_free(&imsg);
		len -= sizeof(msg.head);
		if (msg.head.session != 0 || msg.head.kind != MOVE_QUEUE ||
		    memcmp(msg.bytes, bytes + from, len) != 0)
			return (0);
		from += len;
	}
	return (from == QUEUE);
}

static void
test_state_then_bytes(void)
{
	struct msg_move_state state;
	struct imsg imsg;
	int fd;

	CHECK(move_say_all(&d, 0) == 0 && d.sessions[0].said == QUEUE);
	CHECK(next(&imsg) && imsg_get_type(&imsg) == WM_STATE);
	CHECK(imsg_get_data(&imsg, &state, sizeof(state)) == 0);
	fd = imsg_get_fd(&imsg);
	imsg_free(&imsg);
	CHECK(state.magic == MOVE_STATE_MAGIC && state.queue == QUEUE);
	CHECK(state.version == MOVE_STATE_VERSION && state.session == 0);
	CHECK(state.len == sizeof(state));
	/* A duplicate: its own stays. */
	CHECK(fd != -1 && fcntl(w.sessions[1].io.fd, F_GETFD) != -1);
	(void)close(fd);
	CHECK(is_queue(0));
}

static void
test_what_has_come_since(void)
{
	CHECK(move_say_queue(&d, 0, QUEUE - 100) == 0 && is_queue(QUEUE - 100));
	CHECK(move_say_queue(&d, 0, QUEUE) == 0 && is_queue(QUEUE));
}

static void
test_nobody_is_there(void)
{
	channel_close(&d.channel);
	CHECK(move_say_all(&d, 0) == -1);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	begin();
	RUN(test_state_then_bytes);
	RUN(test_what_has_come_since);
	RUN(test_nobody_is_there);
	return (test_failed());
}
