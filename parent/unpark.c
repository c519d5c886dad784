/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/park_session.h"
#include "parent/parent.h"
#include "parent/unpark.h"
#include "parent/unpark_batch.h"

/*
 * The sessions that another parent has left us go to our workers, in batches
 * (doc/moving.md), as if each worker had had them itself: it takes nothing on
 * trust, and there is no other mechanism.  All workers stand still until the
 * last has come, or what the first say would not find the others.
 */

#define UNPARK_EVERY 0.01                    /* seconds: turns of the timer */
#define UNPARK_TURNS 200                     /* that a batch may take */
#define UNPARK_EACH  (2 * MOVE_SESSIONS_MAX) /* descriptors, some to spare */

static void
unpark_free(struct unparking *b)
{
	b->to->parent->successor.unpark.to[b->to->place->number] = NULL;
	channel_close(&b->channel);
	free(b);
}

/* As long as another parent has them all, better none than some. */
static void
unpark_go_back(struct parent *parent, const char *why)
{
	if (successor_can_go_back(&parent->successor))
		shutdown_fatal(parent,
		    "sessions cannot be taken over: %s: the beacond that runs "
		    "goes on",
		    why);
}

/* Without memory or descriptors for a batch: the next turn may find some. */
static void
unpark_in_vain(struct parent *parent)
{
	struct unpark *u;

	u = &parent->successor.unpark;
	if (++u->vain <= UNPARK_TURNS)
		return;
	unpark_go_back(parent, strerror(errno));
	log_warn("sessions that were kept are lost");
	u->file.at = u->file.bytes;
}

/* Nobody can tell any more which descriptor is whose. */
static void
unpark_check(struct parent *parent)
{
	if (parent->successor.unpark.file.damaged)
		unpark_go_back(parent, "see above");
}

/* The next batch for that worker; it may be that there is none. */
static void
unpark_next(struct process *to)
{
	struct unparking *b;
	struct unpark *u;

	u = &to->parent->successor.unpark;
	if (u->file.at == u->file.bytes)
		return;
	b = unpark_new(to);
	if (b == NULL) {
		unpark_in_vain(to->parent);
		return;
	}
	u->vain = 0;
	u->to[to->place->number] = b;
	unpark_fill(b);
	if (b->count == 0) {
		(void)close(b->far);
		unpark_free(b);
		return;
	}
	unpark_introduce(b);
	unpark_tell(b);
}

static void
unpark_over(struct parent *parent)
{
	struct unpark *u;

	u = &parent->successor.unpark;
	ev_timer_stop(parent->loop, &u->timer);
	unpark_file_close(&u->file);
	u->done(parent);
}

/* As many batches as there are descriptors for, beside those of a message. */
static uint32_t
unpark_at_once(const struct parent *parent)
{
	uint32_t room;

	room = parent->max_sockets > PARK_BATCH
		   ? (parent->max_sockets - PARK_BATCH) / UNPARK_EACH
		   : 0;
	return (room > 0 ? room : 1);
}

static uint32_t
unpark_batches(const struct unpark *u)
{
	uint32_t i, n;

	n = 0;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		n += u->to[i] != NULL;
	return (n);
}

/* Whoever has nothing to do gets the next. */
static void
unpark_go_on(struct parent *parent)
{
	uint32_t busy, i, most;
	struct process *p;
	struct unpark *u;

	u = &parent->successor.unpark;
	most = unpark_at_once(parent);
	busy = unpark_batches(u);
	for (i = 0; i < PROTO_PLACES_MAX && busy < most; i++) {
		p = parent->workers[i].child;
		if (p == NULL || p->state != CHILD_RUNNING || u->to[i] != NULL)
			continue;
		unpark_next(p);
		unpark_check(parent);
		busy += u->to[i] != NULL;
	}
	if (unpark_batches(u) == 0 && u->file.at == u->file.bytes)
		unpark_over(parent);
}

/* The batch is over, with or without its sessions. */
static void
unpark_cancel(struct unparking *b)
{
	struct msg_moved msg;

	if (!b->settled) {
		unpark_go_back(b->to->parent, "a worker has not answered");
		msg.ticket = b->ticket;
		msg.worker = b->to->place->number;
		msg.mask = 0;
		process_send(b->to, PW_MOVED, -1, &msg, sizeof(msg));
		log_warnx("%s: %u are lost", b->name, b->count);
	}
	unpark_free(b);
}

static void
unpark_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct unparking *b;
	struct parent *parent;
	uint32_t i;

	parent = w->data;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		b = parent->successor.unpark.to[i];
		if (b != NULL && ++b->turns > UNPARK_TURNS)
			unpark_cancel(b);
	}
	unpark_go_on(parent);
}

/*
 * Begins with what is kept in file fd and in unpark.file.queues; done is called
 * when our workers have what they could take.
 */
void
unpark_begin(struct parent *parent, int fd, void (*done)(struct parent *))
{
	struct unpark *u;

	u = &parent->successor.unpark;
	u->done = done;
	if (unpark_file_open(&u->file, fd) == -1) {
		unpark_go_back(parent, "see above");
		unpark_over(parent);
		return;
	}
	u->sessions = u->file.left;
	ev_timer_init(&u->timer, unpark_turn, UNPARK_EVERY, UNPARK_EVERY);
	u->timer.data = parent;
	ev_timer_start(parent->loop, &u->timer);
	unpark_go_on(parent);
}

/* A worker is lost, and with it what was on its way to it. */
void
unpark_lost(struct process *p)
{
	struct unparking *b;

	b = p->parent->successor.unpark.to[p->place->number];
	if (b != NULL)
		unpark_cancel(b);
}

/* Boolean: is that ticket the one of what is on its way to p? */
int
unpark_is(const struct process *p, uint32_t ticket)
{
	const struct unparking *b;

	b = p->parent->successor.unpark.to[p->place->number];
	return (b != NULL && b->ticket == ticket);
}

/*
 * A node may have two sessions by what it was when each was told of: the later
 * one is the one that it has.  Returns 0 if this is not the later.
 */
static int
unpark_is_later(struct unparking *b, uint32_t i)
{
	struct msg_closed before;
	struct parent *parent;
	uint32_t number;

	parent = b->to->parent;
	before.node = b->sessions[i].session.node;
	number = pmap_find(&parent->map, before.node);
	if (number == PEERMAP_NONE)
		return (1);
	before.generation = pmap_entry(&parent->map, number)->generation;
	if (before.generation != 0 &&
	    (int32_t)(b->sessions[i].generation - before.generation) < 0)
		return (0);
	if (admit_forget(parent, &before))
		parent->successor.unpark.taken--;
	return (1);
}

/* The map has it with the worker.  Returns 0: it cannot have it. */
static int
unpark_write(struct unparking *b, uint32_t i, uint32_t slot)
{
	const struct park_session *session;
	struct peermap_entry entry;
	struct pmap *map;
	uint32_t number;

	map = &b->to->parent->map;
	session = &b->sessions[i].session;
	if (session->ahead != 0 &&
	    unpark_ahead_add(b->to->parent, session->ahead, session->node,
		b->sessions[i].generation) == -1)
		return (0);
	number = pmap_add(map, session->node, 0);
	if (number == PEERMAP_NONE)
		return (0);
	entry = *pmap_entry(map, number);
	entry.generation = b->sessions[i].generation;
	entry.worker = (uint8_t)b->to->place->number;
	entry.slot = slot;
	park_session_to(&entry, session);
	pmap_store(map, number, &entry);
	b->to->sessions++;
	b->to->parent->successor.unpark.taken++;
	/* It was admitted by keys that may be others than ours. */
	b->to->parent->keys_generation = map->generation;
	return (1);
}

/* A bit for each of the batch. */
static uint64_t
unpark_all(const struct unparking *b)
{
	return (
	    b->count == 0 ? 0 : UINT64_MAX >> (MOVE_SESSIONS_MAX - b->count));
}

/* Those that could not be taken, though nobody had ended them. */
static void
unpark_count(struct unparking *b, uint64_t accounted)
{
	uint64_t left;

	left = unpark_all(b) & ~accounted;
	if (left == 0)
		return;
	unpark_go_back(b->to->parent,
	    "a worker has no room for them, or too low a limit of open files");
	log_warnx("%s: %d are lost: no room, or the limit of open files",
	    b->name, __builtin_popcountll(left));
}

/*
 * WP_MOVE_READY for a batch of ours.  Returns NULL, or in what way the worker
 * broke the rules.
 */
const char *
unpark_ready(struct process *p, const struct msg_move_ready *msg)
{
	struct unparking *b;
	struct msg_moved moved;
	uint64_t before;
	uint32_t i;

	b = p->parent->successor.unpark.to[p->place->number];
	if (b->settled || ((msg->mask | msg->ended) & ~unpark_all(b)) != 0)
		return ("ready for no such sessions");
	for (i = 0; i < b->count; i++)
		if ((msg->mask >> i & 1) != 0 &&
		    msg->slot[i] >= p->parent->max_sockets)
			return ("session in no place");
	moved.ticket = b->ticket;
	moved.worker = p->place->number;
	moved.mask = before = 0;
	for (i = 0; i < b->count; i++) {
		if ((msg->mask >> i & 1) == 0)
			continue;
		if (!unpark_is_later(b, i))
			before |= UINT64_C(1) << i;
		else if (unpark_write(b, i, msg->slot[i]))
			moved.mask |= UINT64_C(1) << i;
	}
	unpark_count(b, moved.mask | before | msg->ended);
	b->settled = 1;
	p->parent->loads_old = 1;
	process_send(p, PW_MOVED, -1, &moved, sizeof(moved));
	if (moved.mask == 0)
		return (unpark_done(p));
	(void)channel_send(&b->channel, WM_LAST, 0, -1, NULL, 0);
	return (NULL);
}

/* WP_MOVE_DONE, likewise. */
const char *
unpark_done(struct process *p)
{
	struct unparking *b;

	b = p->parent->successor.unpark.to[p->place->number];
	if (!b->settled)
		return ("done before it was ready");
	unpark_free(b);
	unpark_go_on(p->parent);
	return (NULL);
}
