/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "worker/worker.h"

/*
 * What comes in on a connection.  All sessions read into the one buffer of
 * the worker; a session keeps bytes of its own only while a frame or a message
 * is incomplete.
 */

/* What comes before the frames: a proxy's header, perhaps, and the head. */
static size_t
session_begins(
    struct worker *w, struct session *s, const uint8_t *bytes, size_t len)
{
	size_t n;

	n = 0;
	if (s->state == SESSION_PROXY)
		n = session_proxy(w, s, bytes, len);
	if (s->state == SESSION_HEAD)
		n += session_head(w, s, bytes + n, len - n);
	return (n);
}

/* Whatever the state: deals with bytes, returns how many were dealt with. */
static size_t
session_consume(struct worker *w, struct session *s, uint8_t *bytes, size_t len,
    size_t *total)
{
	size_t n;

	n = 0;
	*total = 0;
	if (s->state <= SESSION_HEAD) {
		n = session_begins(w, s, bytes, len);
		if (s->state <= SESSION_HEAD)
			return (n);
	} else if (s->skip > 0) {
		n = s->skip < len ? s->skip : len;
		if (s->skip != SKIP_ALL)
			s->skip -= (uint32_t)n;
	}
	return (n + session_frames(w, s, bytes + n, len - n, total));
}

/* Keeps the start of a frame, or of the head, until the rest comes. */
static void
session_keep(struct worker *w, struct session *s, const uint8_t *bytes,
    size_t len, size_t total)
{
	struct session *largest;

	if (len == 0)
		return;
	for (;;) {
		if (inbound_keep(w, s, bytes, len, total, &largest) == 0) {
			session_frame_grows(w, s);
			return;
		}
		if (largest == NULL) {
			session_try_later(w, s);
			session_stop_listening(w, s);
			return;
		}
		session_crowded_out(w, largest);
	}
}

/* n bytes at w->rx, the first of them perhaps kept from earlier. */
static void
session_bytes(struct worker *w, struct session *s, size_t n)
{
	size_t done, total;

	done = session_consume(w, s, w->rx, n, &total);
	if (done > 0)
		s->heard = w->tick;
	session_send_pongs(w, s);
	burst_end(w);
	session_keep(w, s, w->rx + done, n - done, total);
}

/*
 * A frame was kept that is longer than what had come.  n bytes more: first to
 * its end, then into w->rx.
 */
static void
session_bytes_kept(struct worker *w, struct session *s, size_t n)
{
	struct pending *p;
	size_t missing, total;

	p = s->pending;
	missing = p->total - p->len;
	if (n < missing) {
		p->len += (uint32_t)n;
		session_frame_grows(w, s);
		return;
	}
	p = inbound_take_pending(w, s);
	s->heard = w->tick;
	(void)session_frames(w, s, p->data, p->total, &total);
	if (n > missing)
		session_bytes(w, s, n - missing);
	else {
		session_send_pongs(w, s);
		burst_end(w);
	}
	free(p);
}

/* r: what read(2) has returned, which is returned. */
static inline ssize_t
session_came(struct session *s, ssize_t r)
{
	if (r > 0) {
		s->bytes_in += (uint64_t)r;
		counters_add(COUNTER_WSS_BYTES_IN, (uint64_t)r);
	}
	return (r);
}

/*
 * As much as there is, in one read.  Returns what read(2) does, with what was
 * kept of a head or of a frame's.
 */
static ssize_t
session_recv(struct worker *w, struct session *s, int *kept)
{
	struct iovec iov[2];
	struct pending *p;
	size_t n;
	ssize_t r;

	p = s->pending;
	*kept = p != NULL && p->total > 0;
	if (*kept) {
		iov[0].iov_base = p->data + p->len;
		iov[0].iov_len = p->total - p->len;
		iov[1].iov_base = w->rx;
		iov[1].iov_len = RX_SIZE;
		return (session_came(s, readv(s->io.fd, iov, 2)));
	}
	n = 0;
	if (p != NULL) {
		n = p->len;
		memcpy(w->rx, p->data, n);
	}
	r = session_came(s, recv(s->io.fd, w->rx + n, RX_SIZE - n, 0));
	if (r <= 0)
		return (r);
	if (p != NULL)
		free(inbound_take_pending(w, s));
	return ((ssize_t)n + r);
}

static void
session_read(struct worker *w, struct session *s)
{
	size_t missing;
	ssize_t n;
	int kept;

	n = session_recv(w, s, &kept);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		broken_mark(w, s);
		return;
	}
	/*
	 * The map says first when a node has connected again or lost its key:
	 * from that moment no frame of this session is handed on.
	 */
	if (s->state == SESSION_OPEN && !session_current(w, s)) {
		session_superseded(w, s);
		if (kept && s->pending == NULL) {
			/* What was read of the frame is gone with the rest. */
			missing = MIN((size_t)n, s->skip);
			s->skip -= (uint32_t)missing;
			n -= (ssize_t)missing;
			kept = 0;
		}
	}
	if (kept)
		session_bytes_kept(w, s, (size_t)n);
	else
		session_bytes(w, s, (size_t)n);
}

/* The socket of a session can be read or written. */
void
session_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct session *s;
	struct worker *w;

	s = (struct session *)io;
	if (loop_deaf(loop, io, revents))
		return;
	w = io->data;
	if ((revents & EV_WRITE) != 0) {
		outq_write(w, s);
		if (s->skip == SKIP_ALL)
			wheel_set(w, s);
	}
	if ((revents & EV_READ) == 0)
		return;
	session_read(w, s);
}
