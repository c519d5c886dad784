/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/loop.h"
#include "worker/lookup.h"
#include "worker/route_read.h"
#include "worker/worker.h"
#include "worker/ws_utf8.h"

/*
 * What the router says, beacond-frame(7).  It may send to peers what it likes
 * and hang up on them, that is its job; it is believed in nothing else.
 */

/*
 * In one turn.  As much as may wait in a program: what stays there until the
 * next turn tears the bursts of peers asunder, and they stay torn: each peer is
 * then read and written twice for what was one read and one write.
 */
#define ROUTER_READS     16
#define ROUTER_READS_END 64 /* of what it has said before it went */

#define ROUTER_MESSAGE_MAX (ROUTE_HEADER + FRAME_DATA_MAX)

/* The open session of a node, if it is here. */
static struct session *
router_recv_session(struct worker *w, uint32_t node)
{
	struct peermap_entry entry;

	if (!lookup(w, node, &entry) || entry.generation == 0 ||
	    entry.worker != w->hello.worker)
		return (NULL);
	return (session_open_at(w, entry.slot, entry.generation));
}

/* It may have looked where the node is just before that went elsewhere. */
static int
router_recv_late(struct worker *w, uint32_t node, uint8_t *frame, size_t len)
{
	struct peermap_entry entry;

	return (len <= PROTO_DELIVERY_MAX && lookup(w, node, &entry) &&
		entry.generation != 0 && entry.worker != w->hello.worker &&
		move_out_late(w, node, entry.generation, frame, len));
}

/* FRAME_WRITE.  Returns 0, or -1: there is no such message. */
static int
router_recv_write(struct worker *w, uint32_t node, uint8_t *frame, size_t len)
{
	enum frame_refused reason;
	struct session *s;

	if (len == 0)
		return (-1);
	s = router_recv_session(w, node);
	if (s == NULL && router_recv_late(w, node, frame, len))
		return (0);
	if (s == NULL)
		reason = FRAME_NOT_CONNECTED;
	else if (len > PROTO_DELIVERY_MAX)
		reason = FRAME_TOO_LARGE;
	else if (!outq_has_room(w, s, len))
		reason = FRAME_QUEUE_FULL;
	else {
		(void)session_write_frame(
		    w, s->peer.slot, s->peer.generation, frame, len);
		return (0);
	}
	router_refuse(w, node, reason, frame, len);
	return (0);
}

/* FRAME_WRITE_AT, likewise. */
static int
router_recv_write_at(
    struct worker *w, uint32_t node, const uint8_t *data, size_t len)
{
	struct msg_frame_at msg;
	struct window *window;
	uint8_t *frame;

	if (len != sizeof(msg))
		return (-1);
	memcpy(&msg, data, len);
	window = router_window(w);
	if (router_window_is_full(window, &msg)) {
		burst_end(w);
		router_window_burst(window);
	}
	frame = router_window_take(window, &msg);
	return (
	    frame == NULL ? -1 : router_recv_write(w, node, frame, msg.len));
}

/* That session (generation 0: whichever there is) ends, wherever it is. */
static void
router_recv_end(struct worker *w, uint32_t node, uint32_t generation,
    uint32_t code, const char *text)
{
	struct peermap_entry entry;
	struct session *s;

	if (!lookup(w, node, &entry) || entry.generation == 0 ||
	    (generation != 0 && entry.generation != generation))
		return;
	if (move_end(w, node, entry.generation, code, text)) {
		counters_add(COUNTER_ROUTER_CLOSED, 1);
		return;
	}
	s = entry.worker == w->hello.worker
		? session_open_at(w, entry.slot, entry.generation)
		: NULL;
	if (s == NULL)
		return;
	counters_add(COUNTER_ROUTER_CLOSED, 1);
	s->why = WHY_ROUTER;
	session_close(w, s, (int)code, text);
}

/* FRAME_CLOSE, likewise. */
static int
router_recv_close(struct worker *w, uint32_t node, uint32_t generation,
    const uint8_t *data, size_t len)
{
	char text[FRAME_TEXT_MAX + 1];
	uint32_t code, utf8;

	if (len < sizeof(code) || len > sizeof(code) + FRAME_TEXT_MAX)
		return (-1);
	memcpy(&code, data, sizeof(code));
	data += sizeof(code);
	len -= sizeof(code);
	utf8 = 0;
	if (!ws_close_is_code(code) || memchr(data, '\0', len) != NULL ||
	    ws_utf8_check(&utf8, data, len) == -1 || !ws_utf8_done(utf8))
		return (-1);
	memcpy(text, data, len);
	text[len] = '\0';
	router_recv_end(w, node, generation, code, text);
	return (0);
}

static int
router_recv_dispatch(
    struct worker *w, const struct imsg_header *header, uint8_t *data)
{
	size_t len;

	len = header->len - ROUTE_HEADER;
	switch (header->type) {
	case FRAME_WRITE:
		return (router_recv_write(w, header->peerid, data, len));
	case FRAME_WRITE_AT:
		return (router_recv_write_at(w, header->peerid, data, len));
	case FRAME_FREE:
		return (len == 0
			    ? router_window_free(router_window(w), header->pid)
			    : -1);
	case FRAME_CLOSE:
		return (router_recv_close(
		    w, header->peerid, header->pid, data, len));
	case FRAME_LEAVE:
		if (len != 0)
			return (-1);
		router_leave(w);
		return (0);
	default:
		return (-1);
	}
}

/* The next whole message at `bytes`: its length, 0 if incomplete, -1 if bad. */
static ssize_t
router_recv_message(struct sibling *sib, uint8_t *bytes, size_t len)
{
	struct imsg_header header;

	if (len < ROUTE_HEADER)
		return (0);
	memcpy(&header, bytes, sizeof(header));
	if (header.len < ROUTE_HEADER || header.len > ROUTER_MESSAGE_MAX)
		return (-1);
	if (len < header.len)
		return (0);
	if (router_recv_dispatch(sib->worker, &header, bytes + ROUTE_HEADER) ==
	    -1)
		return (-1);
	return ((ssize_t)header.len);
}

static void
router_recv_lost(struct sibling *sib, const char *reason)
{
	router_end(sib->worker, reason);
}

static void
router_recv_turns(struct sibling *sib, int most)
{
	do
		router_window_burst(router_window(sib->worker));
	while (most-- > 0 &&
	       route_read(sib, router_recv_message, router_recv_lost));
}

static void
router_recv(struct ev_loop *loop, ev_io *io, int revents)
{
	if (!loop_deaf(loop, io, revents))
		router_recv_turns(io->data, ROUTER_READS);
}

/* PW_ROUTER: fd leads to the program. */
void
router_recv_open(struct worker *w, int fd)
{
	router_begin(w, route_open(w, ROUTE_ROUTER, fd, router_recv));
}

/* PW_ROUTER_END: the program is gone; what it has said before still counts. */
void
router_recv_last(struct worker *w)
{
	struct sibling *sib;

	sib = router_channel(w);
	if (sib != NULL)
		router_recv_turns(sib, ROUTER_READS_END);
	router_end(w, NULL);
}
