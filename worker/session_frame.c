/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "worker/login_reply.h"
#include "worker/worker.h"
#include "worker/ws_utf8.h"

/*
 * Frames and messages of a WebSocket, doc/protocol.md 2: from a worker's
 * buffer, or from what a session kept until it was whole.
 */

/* The most bytes that a message may have in this state. */
static size_t
session_message_max(const struct worker *w, const struct session *s)
{
	return (
	    s->state == SESSION_OPEN ? w->settings.max_frame : LOGIN_REPLY_MAX);
}

/* One budget per authenticated node, of packets and of their bytes. */
static int
session_within_rate(struct worker *w, struct session *s, size_t len)
{
	if (w->settings.source_packet_limit != 0 &&
	    !persecond_take(
		&s->packets, w->now, 1, w->settings.source_packet_limit)) {
		counters_add(COUNTER_DROP_RATE, 1);
		return (0);
	}
	if (w->settings.source_byte_limit != 0 &&
	    !persecond_take(&s->bytes, w->now, (uint32_t)len,
		w->settings.source_byte_limit)) {
		counters_add(COUNTER_DROP_BYTE_RATE, 1);
		return (0);
	}
	return (1);
}

/* One whole message, unmasked. */
static void
session_message(struct worker *w, struct session *s, int opcode,
    uint8_t *payload, size_t len)
{
	if (s->state != SESSION_OPEN) {
		login_message(w, s, opcode, payload, len);
		return;
	}
	if (opcode == WS_TEXT) {
		counters_add(COUNTER_TEXT_IGNORED, 1);
		return;
	}
	s->frames_in++;
	counters_add(COUNTER_FRAMES_IN, 1);
	if (session_within_rate(w, s, len))
		w->upper.frame(w, &s->peer, payload, len);
}

static int
session_utf8(struct worker *w, struct session *s, uint32_t *state,
    const uint8_t *payload, size_t len, int fin)
{
	if (ws_utf8_check(state, payload, len) == 0 &&
	    (!fin || ws_utf8_done(*state)))
		return (0);
	session_violation(w, s, WHY_UTF8);
	return (-1);
}

/* Room for len more bytes of s->message; 0, or -1 if s is ending. */
static int
session_message_room(struct worker *w, struct session *s, size_t len)
{
	struct session *largest;

	while (inbound_room(w, s, len, &largest) == -1) {
		if (largest == NULL) {
			session_try_later(w, s);
			return (-1);
		}
		session_crowded_out(w, largest);
	}
	return (0);
}

/* A frame that is not a whole message, RFC 6455 section 5.4. */
static void
session_fragment(struct worker *w, struct session *s, const struct ws_header *h,
    const uint8_t *payload)
{
	struct message *m;
	size_t len;

	len = (size_t)h->payload_len;
	if (session_message_room(w, s, len) == -1)
		return;
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
	m = inbound_take_message(w, s);
	session_message(w, s, m->opcode, m->data + MESSAGE_HEADROOM, m->len);
	/* What was gathered may lie in m; pings within it came first. */
	session_send_pongs(w, s);
	burst_end(w);
	free(m);
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
		/* Caddy, when it reloads, ends what it relays like this. */
		session_violation(
		    w, s, h->opcode == WS_CLOSE ? WHY_PROXY : WHY_MASK);
		return (-1);
	}
	if (WS_OPCODE_IS_CONTROL(h->opcode))
		return (0);
	if ((h->opcode == WS_CONTINUATION) != (s->message != NULL)) {
		session_violation(w, s, WHY_FRAGMENT);
		return (-1);
	}
	have = s->message != NULL ? s->message->len : 0;
	most = session_message_max(w, s);
	if (have <= most && h->payload_len <= most - have)
		return (0);
	if (s->state == SESSION_OPEN)
		session_violation(w, s, WHY_TOO_BIG);
	else {
		s->why = WHY_TOO_BIG;
		session_fail(w, s, WS_STATUS_POLICY, "auth failed");
	}
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
size_t
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
			session_violation(w, s, WHY_HEADER);
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

/*
 * More has come of the frame that is kept.  A text fails at its first bad
 * octet, not only when the frame is whole (RFC 6455 section 8.1).  What is at
 * w->rx is overwritten.
 */
void
session_frame_grows(struct worker *w, struct session *s)
{
	struct pending *p;
	struct ws_header h;
	size_t from;
	int text;

	p = s->pending;
	if (p->total == 0 || s->state == SESSION_CLOSING ||
	    ws_header_parse(p->data, p->len, &h) != 1)
		return;
	text = h.opcode == WS_CONTINUATION ? s->message->opcode : h.opcode;
	if (text != WS_TEXT)
		return;
	from = h.len + p->checked;
	if (p->checked == 0 && h.opcode == WS_CONTINUATION)
		p->utf8 = s->message->utf8;
	ws_unmask(w->rx, p->data + from, p->len - from, h.mask, p->checked);
	p->checked = p->len - h.len;
	(void)session_utf8(w, s, &p->utf8, w->rx, p->len - from, 0);
}
