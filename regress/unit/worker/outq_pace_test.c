/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

/* How much is written at a time, to a kernel that takes it all or nothing. */

static struct worker w;
static struct session *s;
static size_t taken; /* by the last call */

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	errno = EAGAIN;
	return (-1);
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	size_t i;

	for (i = 0, taken = 0; i < msg->msg_iovlen; i++) {
		/* As for bytes that are not there. */
		if (msg->msg_iov[i].iov_len > 1U << 20) {
			errno = EFAULT;
			return (-1);
		}
		taken += msg->msg_iov[i].iov_len;
	}
	return ((ssize_t)taken);
}

/* Half a mebibyte waits, in frames of so many bytes. */
static void
wait(size_t frame)
{
	static uint8_t bytes[33000];
	struct iovec iov;
	size_t len;

	(void)ws_header_build(bytes, WS_BINARY, frame - 4);
	iov.iov_base = bytes;
	iov.iov_len = frame;
	for (len = 0; len < 512 << 10; len += frame)
		(void)outq_frames(&w, s, &iov, 1, frame, 1);
}

static size_t
write_once(void)
{
	taken = 0;
	outq_write(&w, s);
	return (taken);
}

static void
test_who_takes_much_is_given_more(void)
{
	wait(1000);
	CHECK(write_once() == 16384);
	CHECK(write_once() == 16384);
	CHECK(write_once() == 32768);
	CHECK(write_once() == 65536);
	/* As much again as it took in a tick. */
	w.tick++;
	CHECK(write_once() == 131072);
}

static void
test_who_pauses_begins_anew(void)
{
	wait(1000);
	w.tick += 2;
	CHECK(write_once() == 16384);
	w.tick++;
	CHECK(write_once() == 16384);
	w.tick++;
	CHECK(write_once() == 16384);
}

static void
test_a_frame_that_was_begun_is_ended_first(void)
{
	static const uint8_t ping[2] = { 0x80 | WS_PING, 0 };

	while (s->outq != NULL)
		CHECK(write_once() > 0);
	wait(32768);
	w.tick += 2;
	CHECK(write_once() == 16384 && s->outq->frame_left == 16384);
	outq_control(&w, s, ping, sizeof(ping));
	CHECK(write_once() == 16384 + sizeof(ping));
	CHECK(s->outq->frame_left == 0 && s->outq->control_len == 0);
}

/* More of a frame is left than may be written at a time: all of that. */
static void
test_a_long_rest_of_a_frame_leaves_alone(void)
{
	while (s->outq != NULL)
		CHECK(write_once() > 0);
	wait(32772);
	/* Each time the peer has paused, so that it is given the least. */
	while (s->outq != NULL && s->state == SESSION_OPEN) {
		w.tick += 2;
		CHECK(write_once() == 16384);
		CHECK(write_once() == 16388 && s->state == SESSION_OPEN);
	}
}

int
main(void)
{
	static const uint8_t addr[16];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return (1);
	w.loop = ev_loop_new(0);
	if (w.loop == NULL)
		return (1);
	w.settings.max_sockets = 4;
	w.settings.write_timeout = w.settings.idle_timeout = 60;
	session_init(&w);
	wheel_init(&w);
	s = session_new(&w, pair[0], NULL, addr, 0);
	s->state = SESSION_OPEN;
	RUN(test_who_takes_much_is_given_more);
	RUN(test_who_pauses_begins_anew);
	RUN(test_a_frame_that_was_begun_is_ended_first);
	RUN(test_a_long_rest_of_a_frame_leaves_alone);
	s->state = SESSION_LINGER;
	broken_mark(&w, s);
	session_reap(&w);
	return (test_failed());
}
