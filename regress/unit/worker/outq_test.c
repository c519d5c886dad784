/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

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
		dropped += outq_frames(&w, &s, &iov, 1, len);
	return (dropped);
}

static void
test_queue_of_one_peer_is_bounded(void)
{
	int n;

	s.outq = &q;
	n = SESSION_QUEUE_MAX / 100;
	CHECK(frames(100, n) == 0);
	CHECK(frames(100, 3) == 3);
	CHECK(q.len <= SESSION_QUEUE_MAX && w.queued == q.size);
}

static void
test_queues_are_bounded_in_all(void)
{
	free(q.data);
	memset(&q, 0, sizeof(q));
	s.outq = &q;
	/* What waits for others leaves 1/64 of the rest for one. */
	w.queued = WORKER_QUEUE_MAX - 64 * 4096;
	CHECK(frames(100, 1) == 0);
	CHECK(w.queued == WORKER_QUEUE_MAX - 63 * 4096);
	CHECK(frames(100, 100) > 50);
	CHECK(q.len <= 4096);
	w.queued = WORKER_QUEUE_MAX;
	CHECK(frames(2, 1) == 1);
}

int
main(void)
{
	RUN(test_queue_of_one_peer_is_bounded);
	RUN(test_queues_are_bounded_in_all);
	return (test_failed());
}
