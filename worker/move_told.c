/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "worker/move_told.h"
#include "worker/ws_utf8.h"

/*
 * What the worker where sessions were says of them.  It is checked, here and in
 * move_state.c, as that one may be in a stranger's hands: a lie ends the
 * channel and costs no more than the sessions of this batch.
 */

/* One of them that is still what came; NULL: it has ended meanwhile. */
struct session *
move_told_session(struct arrival *a, uint32_t session)
{
	const struct arriving *c;

	c = &a->sessions[session];
	if (c->state == COMING_NOT)
		return (NULL);
	return (session_open_at(a->worker, c->slot, c->row.generation));
}

void
move_told_drop(struct arrival *a, uint32_t session)
{
	struct session *s;

	s = move_told_session(a, session);
	a->sessions[session].state = COMING_NOT;
	if (s != NULL)
		session_return(a->worker, s);
}

void
move_told_ready(struct arrival *a)
{
	struct msg_move_ready msg;
	uint32_t i;

	memset(&msg, 0, sizeof(msg));
	msg.ticket = a->ticket;
	msg.ended = a->ended;
	for (i = 0; i < a->count; i++)
		if (a->sessions[i].state == COMING_WHOLE) {
			msg.mask |= UINT64_C(1) << i;
			msg.slot[i] = a->sessions[i].slot;
		}
	tell_parent(a->worker, WP_MOVE_READY, &msg, sizeof(msg));
}

/*
 * Is it a TCP connection, as our own are?  One that blocks would hold all
 * sessions, and a listener would be no connection.  *ended: it was one, that
 * its peer has reset since (or never will be one).
 */
static int
move_told_is_connection(int fd, int *ended)
{
	struct tcp_info info;
	socklen_t len;
	int flags;

	memset(&info, 0, sizeof(info));
	len = sizeof(info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return (0);
	flags = fcntl(fd, F_GETFL);
	*ended = info.tcpi_state == TCP_CLOSE;
	return (flags != -1 && (flags & O_NONBLOCK) != 0 &&
		info.tcpi_state != TCP_LISTEN);
}

/* Room for what is incomplete.  Returns 0, or -1 without it. */
static int
move_told_room(
    struct worker *w, struct session *s, const struct msg_move_state *m)
{
	struct session *largest;

	if (m->pending > 0) {
		if (inbound_keep(w, s, m->control, 0,
			MAX(m->pending_total, m->pending), &largest) == -1)
			return (-1);
		s->pending->total = m->pending_total;
		s->pending->checked = m->pending_checked;
		s->pending->utf8 = m->pending_utf8;
	}
	if (m->message_opcode == 0)
		return (0);
	if (inbound_room(w, s, m->message, &largest) == -1)
		return (-1);
	s->message->opcode = (uint8_t)m->message_opcode;
	s->message->utf8 = m->message_utf8;
	return (0);
}

/* It is here, but for the bytes that wait. */
static void
move_told_adopt(struct arrival *a, const struct msg_move_state *m, int fd)
{
	struct arriving *c;
	struct session *s;

	if (a->worker->queued + a->promised + m->queue > WORKER_QUEUE_MAX) {
		(void)close(fd);
		return;
	}
	c = &a->sessions[m->session];
	s = session_adopt(a->worker, fd, session_io, &c->row, m);
	if (s == NULL)
		return;
	a->promised += m->queue;
	c->slot = s->peer.slot;
	c->state = COMING_PART;
	/* What it holds is not to be had by those that are here. */
	if (move_told_room(a->worker, s, m) == -1)
		move_told_drop(a, m->session);
	else
		inbound_set_aside(a->worker, s);
}

/* WM_STATE */
static const char *
move_told_state(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move_state *m;
	struct arriving *c;
	struct arrival *a;
	const char *reason;
	int ended;

	a = owner;
	m = data;
	reason = move_state_check(m, len, a->count);
	if (reason == NULL && a->sessions[m->session].told.magic != 0)
		reason = "the same session twice";
	if (reason == NULL && !move_told_is_connection(fd, &ended))
		reason = "no connection of a session";
	if (reason != NULL) {
		(void)close(fd);
		return (reason);
	}
	c = &a->sessions[m->session];
	c->told = *m;
	c->frame_left = m->frame_left;
	/* Where it was that is found out, or (doc/moving.md) by nobody. */
	if (ended) {
		a->ended |= UINT64_C(1) << m->session;
		(void)close(fd);
	} else
		move_told_adopt(a, m, fd);
	return (NULL);
}

static const char *
move_told_pending(const struct arriving *c, struct session *s,
    const uint8_t *bytes, size_t len)
{
	struct pending *p;

	p = s->pending;
	if (p == NULL || len > c->told.pending - p->len)
		return ("more of a frame than there is");
	memcpy(p->data + p->len, bytes, len);
	p->len += (uint32_t)len;
	return (NULL);
}

static const char *
move_told_message(const struct arriving *c, struct session *s,
    const uint8_t *bytes, size_t len)
{
	struct message *m;

	m = s->message;
	if (m == NULL || len > c->told.message - m->len)
		return ("more of a message than there is");
	memcpy(m->data + MESSAGE_HEADROOM + m->len, bytes, len);
	m->len += (uint32_t)len;
	return (NULL);
}

/* The next whole frame in a->part: its length, 0: none, SIZE_MAX: no frame. */
static size_t
move_told_frame(struct arrival *a, const struct arriving *c)
{
	size_t len;

	len = c->frame_left;
	if (len == 0)
		len = move_state_frame(bytes_first(&a->part), a->part.len);
	if (len == SIZE_MAX || len <= a->part.len)
		return (len);
	return (0);
}

/* One whole frame for s.  Without room it is dropped, but not half of it. */
static void
move_told_queue_frame(struct arrival *a, struct session *s, size_t len)
{
	struct worker *w;

	w = a->worker;
	if (a->channel.state == MOVE_AFTER &&
	    outq_waiting(s->outq) + len > outq_most(w)) {
		counters_add(COUNTER_DROP_QUEUE_FULL, 1);
		return;
	}
	if (outq_behind(w, s, bytes_first(&a->part), len) == -1)
		counters_add(COUNTER_DROP_QUEUE_FULL, 1);
}

static const char *
move_told_queue(struct arrival *a, uint32_t session, struct session *s,
    const uint8_t *bytes, size_t len)
{
	struct arriving *c;

	if (a->part.len > 0 && a->filling != session)
		return ("half a frame");
	a->filling = session;
	if (bytes_add(&a->part, bytes, len, MOVE_CHUNK) == -1)
		return ("no memory for a frame");
	c = &a->sessions[session];
	while (a->part.len > 0 && (len = move_told_frame(a, c)) > 0) {
		if (len == SIZE_MAX)
			return ("no frame of ours");
		/* It may have ended, with what waited for it. */
		if (s != NULL && s->outq != NULL) {
			if (a->channel.state == MOVE_COMING &&
			    s->outq->data.len + len > c->told.queue)
				return ("more of a queue than there is");
			move_told_queue_frame(a, s, len);
		}
		c->frame_left = 0;
		bytes_take(&a->part, len);
	}
	return (NULL);
}

/* WM_BYTES */
static const char *
move_told_bytes(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move_bytes *head;
	const uint8_t *bytes;
	struct arriving *c;
	struct arrival *a;
	struct session *s;

	a = owner;
	head = data;
	bytes = (const uint8_t *)(head + 1);
	len -= sizeof(*head);
	if (head->session >= a->count || head->kind > MOVE_QUEUE ||
	    a->sessions[head->session].told.magic == 0)
		return ("bytes of no session");
	c = &a->sessions[head->session];
	s = move_told_session(a, head->session);
	if (head->kind == MOVE_QUEUE)
		return (move_told_queue(a, head->session, s, bytes, len));
	if (a->channel.state != MOVE_COMING)
		return ("bytes out of turn");
	if (s == NULL)
		return (NULL);
	return (head->kind == MOVE_PENDING
		    ? move_told_pending(c, s, bytes, len)
		    : move_told_message(c, s, bytes, len));
}

/* The frame that has begun to come is what was said of it. */
static int
move_told_pending_is_good(const struct session *s)
{
	struct ws_header h;

	if (s->pending == NULL || s->pending->total == 0)
		return (1);
	if (ws_header_parse(s->pending->data, s->pending->len, &h) != 1 ||
	    h.len + h.payload_len != s->pending->total)
		return (0);
	return (WS_OPCODE_IS_CONTROL(h.opcode) ||
		(h.opcode == WS_CONTINUATION) == (s->message != NULL));
}

static int
move_told_is_whole(const struct arriving *c, const struct session *s)
{
	const struct msg_move_state *m;

	m = &c->told;
	if (s->pending != NULL && s->pending->len != m->pending)
		return (0);
	if (s->message != NULL && s->message->len != m->message)
		return (0);
	return (s->outq->data.len == m->queue && move_told_pending_is_good(s));
}

/* WM_END */
static const char *
move_told_end(void *owner, const void *data, size_t len, int fd)
{
	struct arrival *a;
	struct session *s;
	uint32_t i;

	a = owner;
	if (a->part.len > 0)
		return ("half a frame");
	for (i = 0; i < a->count; i++) {
		s = move_told_session(a, i);
		if (s == NULL)
			continue;
		if (!move_told_is_whole(&a->sessions[i], s))
			return ("less of a session than there is");
		a->sessions[i].state = COMING_WHOLE;
	}
	a->channel.state = MOVE_AFTER;
	move_told_ready(a);
	return (NULL);
}

/* WM_CLOSE; it counts when the session is ours, see move_in_turn(). */
static const char *
move_told_close(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move_close *msg;
	struct arrival *a;
	uint32_t utf8;
	size_t n;

	a = owner;
	msg = data;
	utf8 = 0;
	n = strnlen(msg->text, sizeof(msg->text));
	if (msg->session >= a->count || !ws_close_is_code(msg->code) ||
	    n == sizeof(msg->text) ||
	    ws_utf8_check(&utf8, (const uint8_t *)msg->text, n) == -1 ||
	    !ws_utf8_done(utf8))
		return ("no close of a session");
	a->sessions[msg->session].close = *msg;
	return (NULL);
}

/* WM_LAST */
static const char *
move_told_last(void *owner, const void *data, size_t len, int fd)
{
	struct arrival *a;

	a = owner;
	if (a->part.len > 0)
		return ("half a frame");
	/* The channel ends with it, at the end of this turn. */
	a->over = 1;
	a->channel.state = 0;
	return (NULL);
}

const struct channel_rule move_told_rules[] = {
	CHANNEL_RULE_RANGE(WM_BYTES, sizeof(struct msg_move_bytes) + 1,
	    sizeof(struct msg_move_bytes) + MOVE_CHUNK,
	    MOVE_COMING | MOVE_AFTER, move_told_bytes),
	CHANNEL_RULE(WM_END, 0, MOVE_COMING, move_told_end),
	CHANNEL_RULE(WM_CLOSE, sizeof(struct msg_move_close), MOVE_AFTER,
	    move_told_close),
	CHANNEL_RULE(WM_LAST, 0, MOVE_AFTER, move_told_last),
	{ WM_STATE, "WM_STATE", sizeof(struct msg_move_state),
	    sizeof(struct msg_move_state) + MOVE_STATE_MORE, CHANNEL_FD,
	    MOVE_COMING, 1, move_told_state },
};
const size_t move_told_nrules =
    sizeof(move_told_rules) / sizeof(move_told_rules[0]);
