/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/again.h"
#include "worker/worker.h"

/*
 * What the kernel does not take of a session's frames.  The queue is bounded
 * per session and per worker; at the bound whole frames are dropped and
 * counted.  Control frames go ahead of queued data, at the next boundary
 * between frames (RFC 6455 section 5.5).  So it must be here that data waits,
 * not in the kernel: that takes no more while LISTEN_UNSENT bytes of a
 * connection have not left the machine, and is given no more at a time than
 * the peer takes in a tick.
 */

#define OUTQ_WRITE_MIN (16U << 10) /* bytes at a time, to any peer */
#define OUTQ_IOV       20

void
outq_watch(struct worker *w, struct session *s, int events)
{
	int fd;

	if (s->io.events == events)
		return;
	fd = s->io.fd;
	ev_io_stop(w->loop, &s->io);
	ev_io_set(&s->io, fd, events);
	ev_io_start(w->loop, &s->io);
}

/*
 * From now on what comes for s waits; the kernel took so many bytes of it.
 * Returns NULL, and nothing has changed, if there is no memory.
 */
struct outq *
outq_open(struct worker *w, struct session *s, size_t took)
{
	if (s->outq != NULL)
		return (s->outq);
	s->outq = calloc(1, sizeof(*s->outq));
	if (s->outq == NULL)
		return (NULL);
	s->outq->progress = s->outq->tick = w->tick;
	s->outq->took = (uint32_t)took;
	if (session_stands_still(w, s)) {
		ev_io_set(&s->io, s->io.fd, EV_READ | EV_WRITE);
		return (s->outq);
	}
	s->outq->acked = outq_acked(s);
	outq_watch(w, s, EV_READ | EV_WRITE);
	wheel_set(w, s);
	return (s->outq);
}

/* Likewise; without memory the session is broken. */
static struct outq *
outq_get(struct worker *w, struct session *s, size_t took)
{
	struct outq *q;

	q = outq_open(w, s, took);
	if (q == NULL)
		broken_mark(w, s);
	return (q);
}

void
outq_free(struct worker *w, struct session *s)
{
	if (s->outq == NULL)
		return;
	w->queued -= s->outq->data.size + s->outq->held.size;
	chunks_cut(&s->outq->data, 0);
	chunks_cut(&s->outq->held, 0);
	free(s->outq);
	s->outq = NULL;
}

/*
 * The most bytes that may wait for one peer.  It is alone: SESSION_QUEUE_MAX;
 * a part of all room is left: the square of that part of it.  So no number of
 * peers that do not read takes it all.
 */
size_t
outq_most(const struct worker *w)
{
	uint64_t left, most;

	if (w->queued >= WORKER_QUEUE_MAX)
		return (0);
	left = WORKER_QUEUE_MAX - w->queued;
	most = SESSION_QUEUE_MAX * left / WORKER_QUEUE_MAX;
	return ((size_t)(most * left / WORKER_QUEUE_MAX));
}

/* Boolean: as things are, so many more bytes may wait for this peer. */
int
outq_has_room(const struct worker *w, const struct session *s, size_t len)
{
	return (s->outq == NULL || outq_waiting(s->outq) + len <= outq_most(w));
}

/* To one of a queue's two lists, however long.  Returns 0, or -1 (memory). */
int
outq_append(
    struct worker *w, struct chunks *to, const uint8_t *bytes, size_t len)
{
	size_t before;
	int r;

	before = to->size;
	r = chunks_add(to, bytes, len);
	w->queued += to->size - before;
	return (r);
}

/*
 * Queues the frames of one stretch, of which the first `sent` bytes are gone.
 * The rest of a frame that was begun is queued in any case: after half a frame
 * nothing else may follow.
 */
static int
outq_stretch(struct worker *w, struct session *s, const uint8_t *base,
    size_t len, size_t sent, uint32_t *dropped)
{
	struct outq *q;
	size_t frame, off;

	q = s->outq;
	for (off = 0; off < len; off += frame) {
		frame = outq_frame_len(base + off);
		if (off + frame <= sent)
			continue;
		if (off < sent) {
			q->frame_left = (uint32_t)(off + frame - sent);
			if (outq_append(
				w, &q->data, base + sent, q->frame_left) == -1)
				return (-1);
			continue;
		}
		if (outq_waiting(q) + frame > outq_most(w) ||
		    outq_append(w, q->holds ? &q->held : &q->data, base + off,
			frame) == -1)
			(*dropped)++;
	}
	return (0);
}

static ssize_t
outq_send(int fd, struct iovec *iov, int n, size_t len)
{
	struct msghdr msg;

	if (n == 1)
		return (send(fd, iov->iov_base, len, MSG_NOSIGNAL));
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = (size_t)n;
	return (sendmsg(fd, &msg, MSG_NOSIGNAL));
}

/* Of what a send has returned: how many bytes are gone; -1: s breaks by it. */
static ssize_t
outq_gone(struct worker *w, struct session *s, ssize_t r)
{
	if (r != -1) {
		s->bytes_out += (uint64_t)r;
		counters_add(COUNTER_WSS_BYTES_OUT, (uint64_t)r);
		return (r);
	}
	if (again_sends(errno))
		return (0);
	broken_mark(w, s);
	return (-1);
}

/* Queues the rest of whole frames, of which `sent` bytes are gone. */
static uint32_t __attribute__((noinline))
outq_rest(struct worker *w, struct session *s, const struct iovec *iov, int n,
    size_t sent, uint32_t frames)
{
	uint32_t dropped;
	int i;

	if (outq_get(w, s, sent) == NULL)
		return (0);
	dropped = 0;
	for (i = 0; i < n; i++) {
		if (sent >= iov[i].iov_len) {
			sent -= iov[i].iov_len;
			continue;
		}
		if (outq_stretch(w, s, iov[i].iov_base, iov[i].iov_len, sent,
			&dropped) == -1) {
			broken_mark(w, s);
			return (0);
		}
		sent = 0;
	}
	counters_add(COUNTER_DROP_QUEUE_FULL, dropped);
	return (frames - dropped);
}

/*
 * Sends whole frames, or queues what the kernel does not take; len is the sum
 * of iov, frames their number.  Returns how many were sent or wait: none if the
 * session is broken, or breaks by it.
 */
uint32_t
outq_frames(struct worker *w, struct session *s, struct iovec *iov, int n,
    size_t len, uint32_t frames)
{
	ssize_t r;

	if (s->state == SESSION_BROKEN)
		return (0);
	r = 0;
	if (s->outq == NULL && !session_stands_still(w, s)) {
		r = outq_gone(w, s, outq_send(s->io.fd, iov, n, len));
		if (r == (ssize_t)len)
			return (frames);
		if (r == -1)
			return (0);
	}
	return (outq_rest(w, s, iov, n, (size_t)r, frames));
}

/*
 * One control frame waits at a time, behind one that was begun perhaps.  A
 * later one takes its place, but a ping of ours never that of a pong.
 */
static void
outq_hold_control(struct outq *q, const uint8_t *frame, size_t len)
{
	size_t begun;

	begun = q->control_sent > 0 ? outq_frame_len(q->control) : 0;
	if (frame[0] == (0x80 | WS_PING) && q->control_len > begun)
		return;
	memcpy(q->control + begun, frame, len);
	q->control_len = (uint8_t)(begun + len);
}

/* n bytes of control frames are gone: what was begun stands first again. */
static void
outq_advance_control(struct outq *q, size_t n)
{
	size_t first;

	q->control_sent += (uint8_t)n;
	if (q->control_sent == q->control_len) {
		q->control_sent = q->control_len = 0;
		return;
	}
	first = outq_frame_len(q->control);
	if (q->control_sent < first)
		return;
	q->control_len -= (uint8_t)first;
	q->control_sent -= (uint8_t)first;
	memmove(q->control, q->control + first, q->control_len);
}

/*
 * Sends control frames (each at most WS_CONTROL_MAX + 2 bytes) ahead of all
 * data that is still queued; of those that the kernel does not take, the last.
 */
void
outq_control(
    struct worker *w, struct session *s, const uint8_t *frames, size_t len)
{
	struct outq *q;
	size_t n, sent;
	ssize_t r;

	if (s->state == SESSION_BROKEN)
		return;
	r = 0;
	if (s->outq == NULL && !session_stands_still(w, s)) {
		r = outq_gone(w, s, send(s->io.fd, frames, len, MSG_NOSIGNAL));
		if (r == (ssize_t)len || r == -1)
			return;
	}
	sent = (size_t)r;
	q = outq_get(w, s, sent);
	if (q == NULL)
		return;
	for (; len > 0; frames += n, len -= n) {
		n = outq_frame_len(frames);
		if (sent >= n) {
			sent -= n;
			continue;
		}
		outq_hold_control(q, frames, n);
		if (sent > 0)
			q->control_sent = (uint8_t)sent;
		sent = 0;
	}
	/* One that has only just come may have had nothing to write. */
	if (ev_is_active(&s->io))
		outq_watch(w, s, EV_READ | EV_WRITE);
}

/* Forgets queued data, but for the rest of a frame that was begun. */
void
outq_discard(struct worker *w, struct session *s)
{
	struct outq *q;

	q = s->outq;
	if (q == NULL)
		return;
	w->queued -= q->data.size + q->held.size;
	chunks_cut(&q->data, q->frame_left);
	chunks_cut(&q->held, 0);
	q->holds = 0;
	w->queued += q->data.size;
}

/* n bytes of queued data are gone: finds the place in its frame. */
static void
outq_advance(struct outq *q, size_t n)
{
	uint8_t header[4];
	size_t step;

	while (n > 0) {
		if (q->frame_left == 0) {
			(void)chunks_copy(&q->data, header, sizeof(header));
			q->frame_left = (uint32_t)outq_frame_len(header);
		}
		step = MIN(n, q->frame_left);
		q->frame_left -= (uint32_t)step;
		chunks_take(&q->data, step);
		n -= step;
	}
}

static size_t
outq_take(size_t *n, size_t len)
{
	size_t took;

	took = MIN(*n, len);
	*n -= took;
	return (took);
}

static void
outq_sent(struct outq *q, size_t n)
{
	outq_advance(q, outq_take(&n, q->frame_left));
	if (q->control_len > 0)
		outq_advance_control(
		    q, outq_take(&n, (size_t)q->control_len - q->control_sent));
	outq_advance(q, n);
}

/* Begun frame, control frame, the rest up to so many bytes of data in all. */
static int
outq_pieces(struct outq *q, struct iovec *iov, size_t most)
{
	int n;

	n = chunks_pieces(&q->data, 0, q->frame_left, iov, OUTQ_IOV - 1);
	if (q->control_len > 0) {
		iov[n].iov_base = q->control + q->control_sent;
		iov[n++].iov_len = (size_t)q->control_len - q->control_sent;
	}
	return (n + chunks_pieces(&q->data, q->frame_left,
			MIN(q->data.len, most), iov + n, OUTQ_IOV - n));
}

/*
 * What the peer takes in a tick is what may lie in the kernel at a time: then a
 * control frame waits there for no longer than that.
 */
static size_t
outq_allowance(const struct worker *w, struct outq *q)
{
	if (q->tick != w->tick) {
		q->took_last = w->tick - q->tick == 1 ? q->took : 0;
		q->took = 0;
		q->tick = w->tick;
	}
	return (MAX(OUTQ_WRITE_MIN, MAX(q->took, q->took_last)));
}

/*
 * The peer reads again.  One that has taken all that waited is as much alive as
 * one that says something.
 */
void
outq_write(struct worker *w, struct session *s)
{
	struct iovec iov[OUTQ_IOV];
	struct msghdr msg;
	struct outq *q;
	ssize_t n;

	q = s->outq;
	if (q == NULL)
		return;
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = (size_t)outq_pieces(q, iov, outq_allowance(w, q));
	n = outq_gone(w, s, sendmsg(s->io.fd, &msg, MSG_NOSIGNAL));
	if (n <= 0)
		return;
	q->progress = w->tick;
	q->took += (uint32_t)n;
	w->queued -= q->data.size;
	outq_sent(q, (size_t)n);
	w->queued += q->data.size;
	if (q->data.len > 0 || q->control_len > 0)
		return;
	if (s->state == SESSION_OPEN)
		s->heard = w->tick;
	if (!q->holds)
		outq_free(w, s);
	outq_watch(w, s, EV_READ);
}
