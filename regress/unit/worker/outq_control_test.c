/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

/* What "the kernel" took, and how much more it takes in this call. */
static uint8_t taken[4096];
static size_t ntaken;
static size_t room;

static struct worker w;

static ssize_t
take(const void *data, size_t len)
{
	size_t n;

	n = len < room ? len : room;
	if (n == 0) {
		errno = EAGAIN;
		return (-1);
	}
	memcpy(taken + ntaken, data, n);
	ntaken += n;
	room -= n;
	return ((ssize_t)n);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	return (take(data, len));
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t n, r;
	size_t i;

	for (i = 0, n = 0; i < msg->msg_iovlen; i++) {
		r = take(msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
		if (r > 0)
			n += r;
	}
	return (n == 0 ? -1 : n);
}

static struct session *
session(void)
{
	static const uint8_t addr[16];
	struct session *s;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		abort();
	s = session_new(&w, pair[0], NULL, addr, 0);
	if (s == NULL)
		abort();
	s->state = SESSION_OPEN;
	ntaken = 0;
	return (s);
}

/* There is nobody whom it could be told. */
static void
session_end(struct session *s)
{
	s->state = SESSION_LINGER;
	broken_mark(&w, s);
	session_reap(&w);
}

/* n pongs whose payload is their number, in `size` bytes; returns the sum. */
static size_t
pongs(uint8_t *frames, int n, size_t size)
{
	size_t len;
	int i;

	len = 0;
	for (i = 0; i < n; i++) {
		len += ws_header_build(frames + len, WS_PONG, size);
		memset(frames + len, i, size);
		len += size;
	}
	return (len);
}

/*
 * Is what was taken a row of whole pongs, all that are before the first that
 * is missing and the last?
 */
static int
in_order(int n, size_t size)
{
	size_t off;
	int last, number;

	last = -1;
	for (off = 0; off < ntaken; off += 2 + size) {
		number = taken[off + 2];
		if (taken[off] != (0x80 | WS_PONG) || taken[off + 1] != size ||
		    taken[off + 1 + size] != number)
			return (0);
		if (number != last + 1 && number != n - 1)
			return (0);
		last = number;
	}
	return (off == ntaken && last == n - 1);
}

/* Wherever the kernel stops, whole frames arrive, and the last pong does. */
static void
pongs_that_are_cut(void)
{
	uint8_t frames[2048];
	struct session *s;
	size_t cut, len;

	len = pongs(frames, 5, 7);
	for (cut = 0; cut <= len; cut++) {
		s = session();
		room = cut;
		outq_control(&w, s, frames, len);
		CHECK(ntaken == cut && (s->outq == NULL) == (cut == len));
		room = sizeof(taken) - ntaken;
		outq_write(&w, s);
		CHECK(s->outq == NULL && s->state == SESSION_OPEN);
		CHECK(in_order(5, 7));
		CHECK(ntaken >= (cut / 9 + (cut % 9 != 0)) * 9);
		session_end(s);
	}
}

/* A second burst while a pong is begun and another waits. */
static void
pongs_behind_a_begun_one(void)
{
	uint8_t frames[2048];
	struct session *s;
	size_t cut, len;

	len = pongs(frames, 3, WS_CONTROL_MAX);
	for (cut = 1; cut < len; cut++) {
		s = session();
		room = cut;
		outq_control(&w, s, frames, len);
		outq_control(&w, s, frames, len);
		room = sizeof(taken) - ntaken;
		outq_write(&w, s);
		CHECK(s->outq == NULL && s->state == SESSION_OPEN);
		CHECK(in_order(3, WS_CONTROL_MAX));
		session_end(s);
	}
}

int
main(void)
{
	w.loop = ev_loop_new(0);
	if (w.loop == NULL)
		return (1);
	w.settings.max_sockets = 4;
	w.settings.write_timeout = w.settings.idle_timeout = 60;
	session_init(&w);
	wheel_init(&w);
	RUN(pongs_that_are_cut);
	RUN(pongs_behind_a_begun_one);
	return (test_failed());
}
