/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/move.h"
#include "parent/parent.h"

/*
 * Sessions move from one worker to another, a batch at a time (doc/moving.md).
 * Up to the moment when the map says so they can stay where they are, and do if
 * anything goes wrong.
 */

#define MOVE_WALK 65536 /* entries looked at in one turn */

static void
move_tell(struct process *p, uint32_t type, const struct move *m, uint64_t mask)
{
	struct msg_moved msg;

	msg.ticket = m->ticket;
	msg.worker = m->from->place->number;
	msg.mask = mask;
	process_send(p, type, -1, &msg, sizeof(msg));
}

/* It is over; the next batch may begin. */
static void
move_end(struct move *m)
{
	struct parent *parent;

	parent = m->from->parent;
	ev_timer_stop(parent->loop, &m->timer);
	m->from->move = NULL;
	free(m);
	places_wake(parent);
}

/* All stay where they are. */
static void
move_cancel(struct move *m)
{
	if (!m->settled) {
		move_tell(m->from, PW_MOVED, m, 0);
		move_tell(m->to, PW_MOVED, m, 0);
	}
	move_end(m);
}

static void
move_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct move *m;

	m = w->data;
	log_warnx("%s to %s: %u sessions %s within %d s", m->from->place->name,
	    m->to->place->name, m->count,
	    m->settled ? "have moved, but not done with that"
		       : "have not moved, and stay: not ready",
	    MOVE_WAIT);
	m->from->move_late = clock_seconds();
	move_cancel(m);
}

/* The next sessions of m->from in the map, from entry number *entry on. */
static void
move_choose(struct move *m, uint32_t *entry, uint32_t most)
{
	const struct peermap_entry *e;
	uint32_t end, n, number;

	n = 0;
	number = m->from->place->number;
	end = pmap_used(&m->from->parent->map);
	if (*entry < end && end - *entry > MOVE_WALK)
		end = *entry + MOVE_WALK;
	for (; *entry < end && n < most; ++*entry) {
		e = pmap_entry(&m->from->parent->map, *entry);
		if (e->generation == 0 || e->worker != number)
			continue;
		m->sessions[n].number = *entry;
		m->sessions[n].node = e->node;
		m->sessions[n++].generation = e->generation;
	}
	m->count = n;
}

/* Both ends of the batch are told, and get the channel between them. */
static int
move_introduce(const struct move *m)
{
	struct {
		struct msg_move head;
		struct msg_move_session rows[MOVE_SESSIONS_MAX];
	} msg;
	int pair[2];
	size_t len;
	uint32_t i;

	if (channel_pair(pair) == -1) {
		log_warn("move: socketpair");
		return (-1);
	}
	process_buffers(pair);
	memset(&msg, 0, sizeof(msg));
	msg.head.ticket = m->ticket;
	msg.head.count = m->count;
	len = sizeof(msg.head) + m->count * sizeof(msg.rows[0]);
	for (i = 0; i < m->count; i++) {
		msg.rows[i].node = m->sessions[i].node;
		msg.rows[i].generation = m->sessions[i].generation;
	}
	msg.head.worker = m->from->place->number;
	process_send(m->to, PW_MOVE_IN, pair[1], &msg, len);
	for (i = 0; i < m->count; i++)
		msg.rows[i].slot =
		    pmap_entry(&m->from->parent->map, m->sessions[i].number)
			->slot;
	msg.head.worker = m->to->place->number;
	process_send(m->from, PW_MOVE_OUT, pair[0], &msg, len);
	return (0);
}

/*
 * Begins to move up to `most` sessions, of those that the map has with `from`
 * from entry number *entry on, which is set behind them.  Returns how many.
 */
int
move_begin(
    struct process *from, struct process *to, uint32_t *entry, uint32_t most)
{
	struct move *m;

	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return (0);
	m->from = from;
	m->to = to;
	move_choose(
	    m, entry, most < MOVE_SESSIONS_MAX ? most : MOVE_SESSIONS_MAX);
	m->ticket = ++from->parent->tickets;
	if (m->count == 0 || move_introduce(m) == -1) {
		free(m);
		return (0);
	}
	from->move = m;
	m->begun = clock_ns();
	ev_timer_init(&m->timer, move_late, MOVE_WAIT, MOVE_WAIT);
	m->timer.data = m;
	ev_timer_start(from->parent->loop, &m->timer);
	return ((int)m->count);
}

/* The batch of that ticket which goes to p; NULL: it was called off. */
static struct move *
move_find(const struct process *p, uint32_t ticket)
{
	struct process *from;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		from = p->parent->workers[i].child;
		if (from != NULL && from->move != NULL &&
		    from->move->ticket == ticket && from->move->to == p)
			return (from->move);
	}
	return (NULL);
}

/* The map has it with m->to from now on.  Returns 0: it is not what it was. */
static int
move_write(struct move *m, uint32_t session, uint32_t slot)
{
	struct peermap_entry entry;
	struct pmap *map;
	uint32_t number;

	map = &m->from->parent->map;
	number = m->sessions[session].number;
	entry = *pmap_entry(map, number);
	if (entry.node != m->sessions[session].node || entry.generation == 0 ||
	    entry.generation != m->sessions[session].generation ||
	    entry.worker != m->from->place->number)
		return (0);
	entry.worker = (uint8_t)m->to->place->number;
	entry.slot = slot;
	pmap_store(map, number, &entry);
	m->from->sessions--;
	m->to->sessions++;
	return (1);
}

/* The new owner has no room for any of them, perhaps: not at once again. */
static void
move_refused(struct move *m)
{
	log_warnx("%s to %s: none of %u sessions could be taken, and they "
		  "stay: no room there, or the limit of open files",
	    m->from->place->name, m->to->place->name, m->count);
	m->from->move_late = clock_seconds();
}

static void
move_commit(struct move *m, const struct msg_move_ready *msg)
{
	struct parent *parent;
	uint64_t mask;
	uint32_t i;

	parent = m->from->parent;
	mask = 0;
	for (i = 0; i < m->count; i++)
		if ((msg->mask >> i & 1) != 0 && move_write(m, i, msg->slot[i]))
			mask |= UINT64_C(1) << i;
	if (mask == 0) {
		if ((msg->mask | msg->ended) == 0)
			move_refused(m);
		move_cancel(m);
		return;
	}
	m->settled = 1;
	counters_observe(HISTOGRAM_MOVE, clock_ns() - m->begun);
	parent->loads_old = 1;
	move_tell(m->from, PW_MOVED, m, mask);
	move_tell(m->to, PW_MOVED, m, mask);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		move_tell(parent->workers[i].child, PW_FENCE, m, 0);
	ev_timer_again(parent->loop, &m->timer);
}

/*
 * WP_MOVE_READY.  Returns NULL, or in what way the worker broke the rules.
 */
const char *
move_ready(struct process *p, const struct msg_move_ready *msg)
{
	struct move *m;
	uint32_t i;

	for (i = 0; i < MOVE_SESSIONS_MAX; i++)
		if ((msg->mask >> i & 1) != 0 &&
		    msg->slot[i] >= p->parent->max_sockets)
			return ("session in no place");
	m = move_find(p, msg->ticket);
	/* Too late is no fault. */
	if (m == NULL)
		return (NULL);
	if (m->settled ||
	    (m->count < MOVE_SESSIONS_MAX && msg->mask >> m->count != 0))
		return ("ready for no such sessions");
	move_commit(m, msg);
	return (NULL);
}

/* WP_MOVE_DONE, likewise. */
const char *
move_done(struct process *p, const struct msg_move_done *msg)
{
	struct move *m;

	m = move_find(p, msg->ticket);
	if (m == NULL)
		return (NULL);
	if (!m->settled)
		return ("done before it was ready");
	move_end(m);
	return (NULL);
}

/* The session of that entry ends where it is: it does not move any more. */
void
move_keep(struct parent *parent, const struct peermap_entry *entry)
{
	const struct process *from;
	uint32_t i;

	from = parent->workers[entry->worker].child;
	if (from == NULL || from->move == NULL)
		return;
	for (i = 0; i < from->move->count; i++)
		if (from->move->sessions[i].node == entry->node)
			from->move->sessions[i].generation = 0;
}

/* Those that have not moved yet stay: all workers can be told something. */
void
move_cancel_all(struct parent *parent)
{
	struct process *from;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		from = parent->workers[i].child;
		if (from != NULL && from->move != NULL && !from->move->settled)
			move_cancel(from->move);
	}
}

/* A worker is lost: what it had part in is over. */
void
move_lost(struct process *p)
{
	struct process *from;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		from = p->parent->workers[i].child;
		if (from != NULL && from->move != NULL &&
		    (from == p || from->move->to == p))
			move_cancel(from->move);
	}
}
