/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

static struct worker w;
static struct session sessions[2];
static uint8_t rx[RX_SIZE];

/* Writes, and what they wrote: one byte for the session, then the bytes. */
static int writes;
static uint8_t written[4096];
static size_t nwritten;
static int fails; /* errno of the next write */

static ssize_t
take(int fd, const struct iovec *iov, size_t n)
{
	size_t i, len;

	writes++;
	if (fails != 0) {
		errno = fails;
		fails = 0;
		return (-1);
	}
	written[nwritten++] = (uint8_t)fd;
	for (i = 0, len = 0; i < n; i++) {
		memcpy(written + nwritten, iov[i].iov_base, iov[i].iov_len);
		nwritten += iov[i].iov_len;
		len += iov[i].iov_len;
	}
	return ((ssize_t)len);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	struct iovec iov;

	iov.iov_base = (void *)(uintptr_t)data;
	iov.iov_len = len;
	return (take(fd, &iov, 1));
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return (take(fd, msg->msg_iov, msg->msg_iovlen));
}

static void
begin(void)
{
	int i;

	memset(sessions, 0, sizeof(sessions));
	for (i = 0; i < 2; i++) {
		sessions[i].state = SESSION_OPEN;
		sessions[i].io.fd = 'a' + i;
	}
	w.nbroken = 0;
	writes = 0;
	nwritten = 0;
}

/* A frame of one byte for session i, at rx + at. */
static void
frame(int i, size_t at, char byte)
{
	uint8_t *f;

	f = rx + at;
	f[0] = 0x80 | WS_BINARY;
	f[1] = 1;
	f[2] = (uint8_t)byte;
	gather_frame(&w, &sessions[i], f, 3);
}

static int
wrote(const char *bytes, size_t len)
{
	return (nwritten == len && memcmp(written, bytes, len) == 0);
}

static void
test_one_write_per_session_in_order(void)
{
	begin();
	frame(0, 0, '1');
	frame(1, 100, '2');
	frame(0, 200, '3');
	frame(0, 250, '4');
	CHECK(writes == 0);
	gather_flush(&w);
	CHECK(writes == 2);
	CHECK(wrote("a\202\0011\202\0013\202\0014b\202\0012", 14));
	CHECK(sessions[0].frames_out == 3 && sessions[1].frames_out == 1);
	gather_flush(&w);
	CHECK(writes == 2);
}

/* Bytes that another holds stay where they are. */
static void
test_what_is_held_is_not_moved_over(void)
{
	begin();
	frame(0, 0, '1');
	rx[50] = 'x';
	w.gather.held = 1;
	frame(0, 100, '2');
	CHECK(rx[3] != 0x82 && rx[50] == 'x');
	gather_flush(&w);
	CHECK(writes == 1 && wrote("a\202\0011\202\0012", 7));
}

static void
test_what_is_for_a_broken_session_is_dropped(void)
{
	uint64_t out;

	begin();
	out = counters_read(counters, COUNTER_FRAMES_OUT);
	frame(0, 0, '1');
	fails = EPIPE;
	gather_flush(&w);
	CHECK(sessions[0].state == SESSION_BROKEN && w.nbroken == 1);
	frame(0, 100, '2');
	frame(1, 200, '3');
	gather_flush(&w);
	CHECK(wrote("b\202\0013", 4));
	CHECK(counters_read(counters, COUNTER_FRAMES_OUT) == out + 1);
}

int
main(void)
{
	w.loop = ev_loop_new(EVFLAG_NOENV);
	if (w.loop == NULL)
		return (1);
	w.sessions = sessions;
	w.rx = rx;
	RUN(test_one_write_per_session_in_order);
	RUN(test_what_is_held_is_not_moved_over);
	RUN(test_what_is_for_a_broken_session_is_dropped);
	return (test_failed());
}
