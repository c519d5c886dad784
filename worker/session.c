/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "worker/report.h"
#include "worker/worker.h"

/* The table of sessions: places are used again, memory follows their number. */

static void *
session_table(size_t n, size_t size)
{
	void *p;

	p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		fatal("mmap of %zu bytes", n * size);
	return (p);
}

/* Once, when the settings are known.  Pages cost nothing until used. */
void
session_init(struct worker *w)
{
	w->slots_max = w->settings.max_sockets;
	w->sessions = session_table(w->slots_max, sizeof(struct session));
	w->rx =
	    (uint8_t *)session_table(1, RX_HEADROOM + RX_SIZE) + RX_HEADROOM;
	w->free_slot = NO_SLOT;
	stranger_init(&w->strangers);
}

void
session_count_load(struct worker *w, int change)
{
	w->load += (uint32_t)change;
	counters_own(OWN_CONNECTIONS, w->load);
}

/* A place that is free, as it was left; NULL: the table is full. */
struct session *
session_place(struct worker *w)
{
	struct session *s;

	if (w->free_slot != NO_SLOT) {
		s = &w->sessions[w->free_slot];
		w->free_slot = s->timer_next;
		return (s);
	}
	if (w->nslots < w->slots_max)
		return (&w->sessions[w->nslots++]);
	return (NULL);
}

void
session_leave_place(struct worker *w, struct session *s)
{
	s->state = SESSION_FREE;
	s->timer_next = w->free_slot;
	w->free_slot = session_slot(w, s);
}

/*
 * A new connection; fd is the session's from now on, and what comes in is io's
 * business, whose data is the worker.  addr and port are of the client or of
 * the proxy in front.  Returns NULL, with fd closed, if the table is full or
 * there is no memory.
 */
struct session *
session_new(
    struct worker *w, int fd, io_cb io, const uint8_t addr[16], uint16_t port)
{
	struct session *s;
	struct stranger *x;
	uint32_t serial;

	s = session_place(w);
	x = NULL;
	if (s != NULL) {
		x = stranger_new(&w->strangers, session_slot(w, s), w->tick);
		if (x == NULL)
			session_leave_place(w, s);
	}
	if (x == NULL) {
		(void)close(fd);
		return (NULL);
	}
	serial = s->serial + 1;
	memset(s, 0, sizeof(*s));
	s->serial = serial;
	s->stranger = x;
	memcpy(s->peer.at.addr, addr, sizeof(s->peer.at.addr));
	s->peer.at.port = port;
	s->peer.slot = session_slot(w, s);
	s->state = SESSION_HEAD;
	s->heard = w->tick;
	s->deadline = w->tick + TICKS(w->settings.head_timeout);
	ev_io_init(&s->io, io, fd, EV_READ);
	s->io.data = w;
	ev_io_start(w->loop, &s->io);
	wheel_set(w, s);
	session_count_load(w, 1);
	return (s);
}

/*
 * What leaving a state means to others, and that it is logged once; the state
 * itself is the caller's.
 */
static void
session_leave(struct worker *w, struct session *s)
{
	switch (s->state) {
	case SESSION_NONCE:
	case SESSION_REPLY:
	case SESSION_VERIFY:
		counters_add(COUNTER_AUTH_FAIL, 1);
		report_end(s, w->tick);
		break;
	case SESSION_OPEN:
		report_end(s, w->tick);
		spent_keep(spent_set(w, s->peer.node), s, w->now);
		w->upper.peer(w, &s->peer, 0);
		tell_closed(w, s->peer.node, s->peer.generation);
		break;
	case SESSION_PROXY:
	case SESSION_HEAD:
		if (s->why == WHY_BLOCKED)
			report_refused(s, EVENT_REQUEST_BLOCKED, 0, NULL, 0);
		else if (s->why == WHY_BUSY)
			report_refused(s, EVENT_REQUEST_BUSY, 0, NULL, 0);
		else if (s->why == WHY_HALF_OPEN || s->why == WHY_CROWDED)
			report_refused(s, EVENT_REQUEST_CROWDED, 0, NULL, 0);
		break;
	default:
		break;
	}
}

/* The slot is free again. */
static void
session_free(struct worker *w, struct session *s)
{
	session_leave(w, s);
	if (session_is_upgraded(s))
		w->nupgraded--;
	/* Whoever had it before may hold its descriptor still. */
	loop_close(w->loop, &s->io);
	outq_free(w, s);
	free(inbound_take_message(w, s));
	free(inbound_take_pending(w, s));
	session_leave_place(w, s);
	session_count_load(w, -1);
}

/*
 * The end of all connections that are broken, at the end of a turn of the loop:
 * nobody is busy with any of them.  Nor is what was gathered for one to find
 * another in its place.
 */
void
session_reap(struct worker *w)
{
	struct session *s;

	gather_flush(w);
	while ((s = broken_take(w)) != NULL)
		session_free(w, s);
}

/*
 * Ends the connection of x, which has not logged in, for the sake of a newer
 * one.  Returns 0 if it is left alone: there is none (NULL), or it has not had
 * its time yet.
 */
int
session_make_room(struct worker *w, const struct stranger *x)
{
	if (x == NULL || (!x->done && w->tick - x->since < STRANGER_TICKS))
		return (0);
	counters_add(COUNTER_REFUSED_HALF_OPEN, 1);
	w->sessions[x->slot].why = WHY_HALF_OPEN;
	broken_mark(w, &w->sessions[x->slot]);
	return (1);
}

/*
 * The client's address is known, and is that of s.  One source may have as many
 * connections that have not logged in as it may begin in a second; beyond that
 * its oldest make room.  Returns 0 if they don't, and s is one too many.
 */
int
session_join_source(struct worker *w, struct session *s)
{
	struct stranger_source *source;
	uint32_t most;

	most = w->settings.source_upgrade_limit;
	if (most == 0 || s->stranger->source != NULL)
		return (1);
	if (stranger_join(&w->strangers, s->stranger, s->peer.at.addr) == -1)
		return (0);
	source = s->stranger->source;
	while (source->count > most)
		if (!session_make_room(w, TAILQ_FIRST(&source->strangers)))
			return (0);
	return (1);
}

/*
 * Ends a WebSocket with a close frame (RFC 6455 section 7.1.2) and waits
 * CLOSE_TICKS for the peer's.  From now on it is not in the map, nothing more
 * is handed on from it or delivered to it.
 */
void
session_close(struct worker *w, struct session *s, int code, const char *reason)
{
	uint8_t frame[WS_CONTROL_MAX + 2];
	size_t len;

	if (s->outlet != 0)
		gather_flush(w);
	if (!session_is_upgraded(s) || s->state == SESSION_CLOSING)
		return;
	session_leave(w, s);
	s->state = SESSION_CLOSING;
	if (s->stranger != NULL)
		stranger_done(&w->strangers, s->stranger);
	s->deadline = w->tick + CLOSE_TICKS;
	inbound_give_up(w, s);
	len = ws_close_build(frame, code, reason);
	outq_discard(w, s);
	outq_control(w, s, frame, len);
	wheel_set(w, s);
}

/*
 * Nothing that the peer of a closing session says counts any more: it is read
 * and thrown away, lest the kernel cut off our close frame with a reset, until
 * the peer is quiet.
 */
void
session_stop_listening(struct worker *w, struct session *s)
{
	if (s->state != SESSION_CLOSING)
		return;
	free(inbound_take_pending(w, s));
	s->skip = SKIP_ALL;
	wheel_set(w, s);
}

/* The pongs of one read leave together, ahead of all that is queued. */
void
session_send_pongs(struct worker *w, struct session *s)
{
	size_t len;

	len = w->pongs.len;
	w->pongs.len = 0;
	if (len > 0 && session_is_upgraded(s) && s->state != SESSION_CLOSING)
		outq_control(w, s, w->pongs.bytes, len);
}

/*
 * Ends a WebSocket over what the peer sent.  Unlike after session_close(), its
 * own close frame is not waited for (RFC 6455 section 7.1.7): what is left of a
 * refused frame could look like one, or hide it.  Pings that came before get
 * their pongs.
 */
void
session_fail(struct worker *w, struct session *s, int code, const char *reason)
{
	session_send_pongs(w, s);
	session_close(w, s, code, reason);
	session_stop_listening(w, s);
}

/* Counts, logs and ends what no peer may do, RFC 6455 section 7.1.7. */
void
session_violation(struct worker *w, struct session *s, enum session_why why)
{
	int code;

	switch (why) {
	case WHY_TOO_BIG:
		code = WS_STATUS_TOO_BIG;
		break;
	case WHY_UTF8:
		code = WS_STATUS_BAD_DATA;
		break;
	default:
		code = WS_STATUS_PROTOCOL_ERROR;
		break;
	}
	counters_add(code == WS_STATUS_TOO_BIG ? COUNTER_TOO_BIG
					       : COUNTER_PROTOCOL_ERRORS,
	    1);
	s->why = (uint8_t)why;
	session_fail(
	    w, s, code, report_what(why == WHY_PROXY ? WHY_MASK : why));
}

/* For want of memory or of auth; it was not the client's fault. */
void
session_try_later(struct worker *w, struct session *s)
{
	counters_add(COUNTER_REFUSED_BUSY, 1);
	s->why = WHY_BUSY;
	if (session_is_upgraded(s))
		session_close(w, s, WS_STATUS_TRY_LATER, "try again later");
	else
		broken_mark(w, s);
}

/* Of all sessions this one holds the most, and others need the room. */
void
session_crowded_out(struct worker *w, struct session *s)
{
	counters_add(COUNTER_REFUSED_CROWDED, 1);
	s->why = WHY_CROWDED;
	if (session_is_upgraded(s)) {
		session_close(w, s, WS_STATUS_TRY_LATER, "try again later");
		session_stop_listening(w, s);
	} else
		broken_mark(w, s);
	free(inbound_take_message(w, s));
	free(inbound_take_pending(w, s));
}

/*
 * The parent has taken this open session out of the map: the node connected
 * again (CLOSE_REPLACED), or its key is gone or it is blocked (CLOSE_REVOKED).
 * Or it takes it out itself, at an operator's word (CLOSE_DROPPED).
 */
void
session_removed(struct worker *w, struct session *s, uint32_t reason)
{
	if (reason == CLOSE_REPLACED) {
		counters_add(COUNTER_REPLACED, 1);
		s->why = WHY_REPLACED;
		session_close(w, s, WS_STATUS_NORMAL, "replaced");
	} else if (reason == CLOSE_DROPPED) {
		counters_add(COUNTER_DROPPED, 1);
		s->why = WHY_DROPPED;
		session_close(w, s, WS_STATUS_POLICY, "closed by the operator");
	} else {
		counters_add(COUNTER_REVOKED, 1);
		s->why = WHY_REVOKED;
		session_close(w, s, WS_STATUS_POLICY, "auth failed");
	}
}

/* As session_removed(), found in the map before the parent's word came. */
void
session_superseded(struct worker *w, struct session *s)
{
	struct peermap_entry entry;

	if (peermap_read(&w->map, s->map_number, s->peer.node, &entry) &&
	    entry.generation != 0)
		session_removed(w, s, CLOSE_REPLACED);
	else
		session_removed(w, s, CLOSE_REVOKED);
}

/* The beacon is about to end. */
void
session_goodbye(struct worker *w, struct session *s)
{
	s->why = WHY_SHUTDOWN;
	session_close(w, s, WS_STATUS_GOING_AWAY, DRAIN_GOODBYE);
}

/*
 * The connection that another process means by slot and serial, if it is still
 * there and in one of `states` (bits); else NULL.
 */
struct session *
session_find(struct worker *w, uint32_t slot, uint32_t serial, uint32_t states)
{
	struct session *s;

	if (slot >= w->nslots)
		return (NULL);
	s = &w->sessions[slot];
	if (s->serial != serial || (SESSION_STATE_BIT(s->state) & states) == 0)
		return (NULL);
	return (s);
}

/* Is this open session still the one in the peer map?  One memory read. */
int
session_current(struct worker *w, const struct session *s)
{
	struct peermap_entry entry;

	return (peermap_read(&w->map, s->map_number, s->peer.node, &entry) &&
		entry.generation == s->peer.generation);
}

/* All open sessions look for their entries in a map that is new. */
void
session_find_all(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < w->nslots; i++)
		if (w->sessions[i].state == SESSION_OPEN)
			w->sessions[i].map_number =
			    peermap_find(&w->map, w->sessions[i].peer.node);
}

/*
 * Delivers one binary message to the session that the peer map names by slot
 * and generation.  FRAME_HEADROOM bytes before frame are overwritten, and all
 * stays in place until burst_end().  Returns 1, or 0 if that session is not
 * connected (any more).
 */
int
session_write_frame(struct worker *w, uint32_t slot, uint32_t generation,
    uint8_t *frame, size_t len)
{
	struct session *s;

	s = session_open_at(w, slot, generation);
	if (s == NULL)
		return (0);
	session_write(w, s, frame, len);
	return (1);
}
