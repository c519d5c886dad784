/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

static struct worker w;
static struct session s;
static struct outq q; /* there is one: nothing is sent by now */

/* Whole frames of len bytes, n of them; returns how many were dropped. */
static uint32_t
frames(size_t len, int n)
{
	static uint8_t frame[120];
	struct iovec iov;
	uint32_t dropped;

	(void)ws_header_build(frame, WS_BINARY, len - 2);
	iov.iov_base = frame;
	iov.iov_len = len;
	for (dropped = 0; n > 0; n--)
		dropped += 1 - outq_frames(&w, &s, &iov, 1, len, 1);
	return (dropped);
}

static void
test_queue_of_one_peer_is_bounded(void)
{
	uint32_t n;

	s.outq = &q;
	for (n = 0; frames(100, 1) == 0; n++)
		;
	/* What it has itself counts as well: a little less than the most. */
	CHECK(n > SESSION_QUEUE_MAX / 100 * 90 / 100);
	CHECK(n < SESSION_QUEUE_MAX / 100);
	CHECK(frames(100, 3) == 3);
	CHECK(q.data.len == n * 100 && w.queued == q.data.size);
}

static void
test_queues_are_bounded_in_all(void)
{
	chunks_cut(&q.data, 0);
	s.outq = &q;
	/* If others leave a 32nd, 1/1024 of the most for one. */
	w.queued = WORKER_QUEUE_MAX - WORKER_QUEUE_MAX / 32;
	CHECK(frames(100, 1) == 0);
	CHECK(w.queued == WORKER_QUEUE_MAX - WORKER_QUEUE_MAX / 32 + CHUNK_MIN);
	CHECK(frames(100, 100) > 50);
	CHECK(q.data.len <= SESSION_QUEUE_MAX / 1024);
	w.queued = WORKER_QUEUE_MAX;
	CHECK(frames(2, 1) == 1);
}

/* A session on one end of a pair that takes nothing more; the other end. */
static int
full_session(void)
{
	static const uint8_t bytes[4096];
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == -1)
		return (-1);
	memset(&w, 0, sizeof(w));
	memset(&s, 0, sizeof(s));
	w.loop = ev_loop_new(0);
	wheel_init(&w);
	s.state = SESSION_OPEN;
	w.sessions = &s;
	ev_io_init(&s.io, NULL, fd[0], EV_READ);
	ev_io_start(w.loop, &s.io);
	wheel_set(&w, &s);
	while (send(fd[0], bytes, sizeof(bytes), 0) > 0)
		;
	return (fd[1]);
}

static void
test_control_frame_waits_alone(void)
{
	static const uint8_t ping[2] = { 0x80 | WS_PING, 0 };
	static uint8_t bytes[1 << 20];
	ssize_t n, last;
	int fd;

	fd = full_session();
	CHECK(fd != -1);
	outq_control(&w, &s, ping, sizeof(ping));
	CHECK(s.outq != NULL && s.outq->control_len == 2);
	last = 0;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		last = n;
	CHECK(last > 0);
	outq_write(&w, &s);
	CHECK(s.outq == NULL && s.state == SESSION_OPEN);
	CHECK(recv(fd, bytes, sizeof(bytes), 0) == 2);
	CHECK(memcmp(bytes, ping, sizeof(ping)) == 0);
	(void)close(fd);
	(void)close(s.io.fd);
	ev_loop_destroy(w.loop);
}

/* What is sent to who has gone away breaks, and nothing else goes there. */
static void
test_who_sends_finds_the_session_as_it_was(void)
{
	static const uint8_t ping[2] = { 0x80 | WS_PING, 0 };
	int fd;

	fd = full_session();
	CHECK(fd != -1 && s.due != 0);
	s.peer.generation = 5;
	(void)close(fd);
	CHECK(frames(100, 1) == 1 && s.state == SESSION_BROKEN);
	CHECK(w.nbroken == 1 && s.was == SESSION_OPEN);
	CHECK(fcntl(s.io.fd, F_GETFD) != -1 && s.peer.generation == 5);
	CHECK(!ev_is_active(&s.io) && s.due == 0);
	outq_control(&w, &s, ping, sizeof(ping));
	CHECK(frames(100, 2) == 2 && s.outq == NULL && w.nbroken == 1);
	(void)close(s.io.fd);
	ev_loop_destroy(w.loop);
}

int
main(void)
{
	RUN(test_queue_of_one_peer_is_bounded);
	RUN(test_queues_are_bounded_in_all);
	RUN(test_control_frame_waits_alone);
	RUN(test_who_sends_finds_the_session_as_it_was);
	return (test_failed());
}
