/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "worker/login_reply.h"
#include "worker/worker.h"
#include "worker/ws_utf8.h"

/*
 * What comes in on a connection.  All sessions read into the one buffer of
 * the worker; a session keeps bytes of its own only while a frame or a message
 * is incomplete.
 */

static struct log_limit session_violations;

/* The pongs of one read leave together, ahead of all that is queued. */
static void
session_send_pongs(struct worker *w, struct session *s)
{
	size_t len;

	len = w->pongs_len;
	w->pongs_len = 0;
	if (len > 0 && session_is_upgraded(s) && s->state != SESSION_CLOSING)
		outq_control(w, s, w->pongs, len);
}

/*
 * Those beyond what has room are answered by the last of them (RFC 6455 section
 * 5.5.3 allows it): a flood of pings costs one write a read.
 */
static void
session_ping(struct worker *w, const uint8_t *payload, size_t len)
{
	if (w->pongs_len <= PONGS_FULL)
		w->pong_last = w->pongs_len;
	w->pongs_len = w->pong_last +
		       ws_header_build(w->pongs + w->pong_last, WS_PONG, len);
	memcpy(w->pongs + w->pongs_len, payload, len);
	w->pongs_len += len;
}

static void
session_violation(
    struct worker *w, struct session *s, int code, const char *what)
{
	counters_add(code == WS_STATUS_TOO_BIG ? COUNTER_TOO_BIG
					       : COUNTER_PROTOCOL_ERRORS,
	    1);
	log_limited(&session_violations, w->now, "node %u: %s", s->node, what);
	session_send_pongs(w, s);
	session_fail(w, s, code, what);
}

/* The most bytes that a message may have in this state. */
static size_t
session_message_max(const struct worker *w, const struct session *s)
{
	return (
	    s->state == SESSION_OPEN ? w->settings.max_frame : LOGIN_REPLY_MAX);
}

/* One whole message, unmasked. */
static void
session_message(struct worker *w, struct session *s, int opcode,
    uint8_t *payload, size_t len)
{
	if (s->state != SESSION_OPEN) {
		session_send_pongs(w, s);
		login_message(w, s, opcode, payload, len);
		return;
	}
	if (opcode == WS_TEXT) {
		counters_add(COUNTER_TEXT_IGNORED, 1);
		return;
	}
	s->frames_in++;
	counters_add(COUNTER_FRAMES_IN, 1);
	relay_frame(w, s, payload, len);
}

static int
session_utf8(struct worker *w, struct session *s, uint32_t *state,
    const uint8_t *payload, size_t len, int fin)
{
	if (ws_utf8_check(state, payload, len) == 0 &&
	    (!fin || ws_utf8_done(*state)))
		return (0);
	session_violation(w, s, WS_STATUS_BAD_DATA, "text is not UTF-8");
	return (-1);
}

/* A frame that is not a whole message, RFC 6455 section 5.4. */
static void
session_fragment(struct worker *w, struct session *s, const struct ws_header *h,
    const uint8_t *payload)
{
	struct message *m;
	size_t len;

	len = (size_t)h->payload_len;
	if (inbound_room(w, s, len) == -1) {
		session_try_later(w, s);
		return;
	}
	m = s->message;
	if (h->opcode != WS_CONTINUATION)
		m->opcode = h->opcode;
	memcpy(m->data + MESSAGE_HEADROOM + m->len, payload, len);
	m->len += (uint32_t)len;
	if (m->opcode == WS_TEXT &&
	    session_utf8(w, s, &m->utf8, payload, len, h->fin) == -1)
		return;
	if (!h->fin)
		return;
	s->message = NULL;
	session_message(w, s, m->opcode, m->data + MESSAGE_HEADROOM, m->len);
	/* What was gathered may lie in m. */
	gather_flush(w);
	inbound_free_message(w, m);
}

static void
session_peer_closes(
    struct worker *w, struct session *s, const uint8_t *payload, size_t len)
{
	uint32_t utf8;
	int code;

	if (s->state == SESSION_CLOSING) {
		session_free(w, s);
		return;
	}
	utf8 = 0;
	if (ws_close_parse(payload, len, &code) == -1 ||
	    (len > 2 && (ws_utf8_check(&utf8, payload + 2, len - 2) == -1 ||
			    !ws_utf8_done(utf8)))) {
		session_violation(
		    w, s, WS_STATUS_PROTOCOL_ERROR, "bad close frame");
	} else {
		session_send_pongs(w, s);
		/* A frame without a code cannot be answered with 1005. */
		session_fail(w, s, len == 0 ? WS_STATUS_NORMAL : code, "");
	}
	/* Both have closed, unless ours still waits to be sent: 7.1.1. */
	if (s->state == SESSION_CLOSING && s->outq == NULL)
		session_free(w, s);
}

static void
session_control(struct worker *w, struct session *s, const struct ws_header *h,
    const uint8_t *payload)
{
	size_t len;

	len = (size_t)h->payload_len;
	switch (h->opcode) {
	case WS_PING:
		session_ping(w, payload, len);
		break;
	case WS_CLOSE:
		session_peer_closes(w, s, payload, len);
		break;
	default: /* a pong is life, nothing else */
		break;
	}
}

/* One whole frame, masked and in place. */
static void
session_frame(struct worker *w, struct session *s, const struct ws_header *h,
    uint8_t *payload)
{
	uint32_t utf8;
	size_t len;

	len = (size_t)h->payload_len;
	ws_unmask(payload, payload, len, h->mask, 0);
	if (WS_OPCODE_IS_CONTROL(h->opcode)) {
		session_control(w, s, h, payload);
		return;
	}
	if (s->state == SESSION_CLOSING)
		return;
	if (s->message != NULL || !h->fin) {
		session_fragment(w, s, h, payload);
		return;
	}
	utf8 = 0;
	if (h->opcode == WS_TEXT &&
	    session_utf8(w, s, &utf8, payload, len, 1) == -1)
		return;
	session_message(w, s, h->opcode, payload, len);
}

/* Is the frame that h begins one that may come now?  0, or -1. */
static int
session_check_frame(
    struct worker *w, struct session *s, const struct ws_header *h)
{
	size_t have, most;

	if (!h->masked) {
		session_violation(
		    w, s, WS_STATUS_PROTOCOL_ERROR, "frame without a mask");
		return (-1);
	}
	if (WS_OPCODE_IS_CONTROL(h->opcode))
		return (0);
	if ((h->opcode == WS_CONTINUATION) != (s->message != NULL)) {
		session_violation(
		    w, s, WS_STATUS_PROTOCOL_ERROR, "fragment out of turn");
		return (-1);
	}
	have = s->message != NULL ? s->message->len : 0;
	most = session_message_max(w, s);
	if (have <= most && h->payload_len <= most - have)
		return (0);
	if (s->state == SESSION_OPEN)
		session_violation(w, s, WS_STATUS_TOO_BIG, "message too big");
	else
		session_fail(w, s, WS_STATUS_POLICY, "auth failed");
	return (-1);
}

/*
 * While we close, no more than a control frame is kept: it would cost us what
 * the peer claims, not what it sends.  Returns 1 if the rest of h is skipped.
 */
static int
session_skip(
    struct worker *w, struct session *s, const struct ws_header *h, size_t have)
{
	if (s->state != SESSION_CLOSING || WS_OPCODE_IS_CONTROL(h->opcode))
		return (0);
	if (h->payload_len > w->settings.max_frame)
		session_stop_listening(w, s);
	else
		s->skip = (uint32_t)(h->payload_len - have);
	return (1);
}

/*
 * Deals with all the whole frames at `bytes`.  Returns the bytes dealt with;
 * *total is then the length of the frame that is not whole yet, 0 if even its
 * header is not.
 */
static size_t
session_frames(struct worker *w, struct session *s, uint8_t *bytes, size_t len,
    size_t *total)
{
	struct ws_header h;
	size_t off;
	int r;

	*total = 0;
	for (off = 0; off < len; off += h.len + (size_t)h.payload_len) {
		if (!session_is_upgraded(s) || s->skip == SKIP_ALL)
			return (len);
		r = ws_header_parse(bytes + off, len - off, &h);
		if (r == 0)
			break;
		if (r == -1) {
			session_violation(
			    w, s, WS_STATUS_PROTOCOL_ERROR, "bad frame header");
			return (len);
		}
		/* While we close, only the peer's close frame is looked for. */
		if (s->state != SESSION_CLOSING &&
		    session_check_frame(w, s, &h) == -1)
			return (len);
		if (h.payload_len > len - off - h.len) {
			if (session_skip(w, s, &h, len - off - h.len))
				return (len);
			*total = h.len + (size_t)h.payload_len;
			break;
		}
		session_frame(w, s, &h, bytes + off + h.len);
	}
	return (off);
}

/* Whatever the state: deals with bytes, returns how many were dealt with. */
static size_t
session_consume(struct worker *w, struct session *s, uint8_t *bytes, size_t len,
    size_t *total)
{
	size_t n;

	n = 0;
	*total = 0;
	if (s->state == SESSION_HEAD) {
		n = session_head(w, s, bytes, len);
		if (n == 0)
			return (0);
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
	if (len == 0 || s->state == SESSION_FREE)
		return;
	if (inbound_keep(w, s, bytes, len, total) == -1) {
		session_try_later(w, s);
		session_stop_listening(w, s);
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
	gather_flush(w);
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
		return;
	}
	s->pending = NULL;
	s->heard = w->tick;
	(void)session_frames(w, s, p->data, p->total, &total);
	if (n > missing)
		session_bytes(w, s, n - missing);
	else
		gather_flush(w);
	inbound_free_pending(w, p);
}

/* As much as there is, in one read.  Returns what read(2) does. */
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
		return (readv(s->io.fd, iov, 2));
	}
	n = 0;
	if (p != NULL) {
		n = p->len;
		memcpy(w->rx, p->data, n);
	}
	r = recv(s->io.fd, w->rx + n, RX_SIZE - n, 0);
	if (r <= 0)
		return (r);
	inbound_free_pending(w, p);
	s->pending = NULL;
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
		session_free(w, s);
		return;
	}
	/*
	 * The map says first when a node has connected again or lost its key:
	 * from that moment no frame of this session is handed on.
	 */
	if (s->state == SESSION_OPEN && !session_current(w, s)) {
		session_superseded(w, s);
		if (s->state == SESSION_FREE)
			return;
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
	session_send_pongs(w, s);
}

/* The socket of a session can be read or written. */
void
session_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct session *s;
	struct worker *w;

	(void)loop;
	s = (struct session *)io;
	w = io->data;
	if ((revents & EV_WRITE) != 0) {
		if (outq_write(w, s) == -1)
			return;
		if (s->skip == SKIP_ALL)
			timer_set(w, s);
	}
	if ((revents & EV_READ) == 0)
		return;
	session_read(w, s);
}
