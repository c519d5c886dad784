/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"
#include "parent/unpark.h"

/*
 * The sessions that another parent has left us go to our workers, in batches
 * (doc/moving.md), as if each worker had had them itself: it takes nothing on
 * trust, and there is no other mechanism.  All workers stand still until the
 * last has come, or what the first say would not find the others.
 */

#define UNPARK_EVERY 0.01 /* seconds: turns of the timer */
#define UNPARK_TURNS 200  /* that a batch may take */

struct unparking {
	struct process *to;
	struct channel channel;
	char name[48];
	uint32_t ticket;
	uint32_t count;
	uint32_t turns;
	int settled; /* boolean: the map has them */
	struct {
		struct park_session session;
		uint32_t generation;
		int fd;
		size_t begin, end; /* what follows the session in the file */
	} sessions[MOVE_SESSIONS_MAX];
};

static void
unpark_free(struct unparking *b)
{
	b->to->parent->successor.unpark.to[b->to->place->number] = NULL;
	channel_close(&b->channel);
	free(b);
}

/* Its end of the channel; what has become of the sessions it says itself. */
static void
unpark_ended(void *owner, const char *reason)
{
	struct unparking *b;

	b = owner;
	if (reason != NULL)
		log_warnx("%s: %s", b->name, reason);
}

/* One more for the batch, whose record was just read. */
static void
unpark_add(struct unparking *b, const struct unpark_record *r)
{
	struct park_session session;
	struct unpark_file *f;
	struct parent *parent;
	int fd;

	parent = b->to->parent;
	f = &parent->successor.unpark.file;
	/* Whatever it is, it has a descriptor. */
	fd = unpark_file_take_fd(f);
	if (fd == -1)
		return;
	memset(&session, 0, sizeof(session));
	if (r->len >= sizeof(session))
		memcpy(&session, r->data, sizeof(session));
	if (session.node == 0 ||
	    blocks_has_node(parent->blocks, session.node)) {
		(void)close(fd);
		return;
	}
	b->sessions[b->count].session = session;
	b->sessions[b->count].fd = fd;
	b->sessions[b->count].generation = pmap_next_generation(&parent->map);
	b->sessions[b->count].begin = b->sessions[b->count].end = f->at;
	b->count++;
}

/* As many as go together. */
static void
unpark_fill(struct unparking *b)
{
	struct unpark_record r;
	struct unpark_file *f;
	size_t before, begin;
	uint32_t most;
	int of_last;

	/* All workers get some, however few there are. */
	most =
	    b->to->parent->successor.unpark.sessions / b->to->parent->nworkers;
	most = most < MOVE_SESSIONS_MAX ? most + 1 : MOVE_SESSIONS_MAX;
	f = &b->to->parent->successor.unpark.file;
	begin = before = f->at;
	of_last = 0;
	while (unpark_file_next(f, &r)) {
		if (r.type == PARK_SESSION) {
			if (b->count == most ||
			    (b->count > 0 &&
				f->at - begin > MOVE_BATCH_BYTES)) {
				f->at = before;
				return;
			}
			of_last = (int)b->count;
			unpark_add(b, &r);
			of_last = of_last < (int)b->count;
		} else if (r.type == PARK_STATE || r.type == PARK_BYTES) {
			if (of_last)
				b->sessions[b->count - 1].end = f->at;
		} else
			unpark_map(b->to->parent, &r);
		before = f->at;
	}
}

/* Says what the file has of a session, which is number i of the batch. */
static int
unpark_say(struct unparking *b, uint32_t i)
{
	struct {
		struct msg_move_state state;
		uint8_t more[MOVE_STATE_MORE];
	} state;
	struct msg_move_bytes head;
	struct unpark_record r;
	struct unpark_file f;
	struct iovec iov[2];
	int error;

	f = b->to->parent->successor.unpark.file;
	f.at = b->sessions[i].begin;
	f.bytes = b->sessions[i].end;
	while (unpark_file_next(&f, &r)) {
		error = 0;
		if (r.type == PARK_STATE && r.len >= sizeof(state.state) &&
		    r.len <= sizeof(state) && b->sessions[i].fd != -1) {
			memcpy(&state, r.data, r.len);
			state.state.session = i;
			error = channel_send(&b->channel, WM_STATE, 0,
			    b->sessions[i].fd, &state, r.len);
			b->sessions[i].fd = -1;
		} else if (r.type == PARK_BYTES && r.len > sizeof(head) &&
			   r.len <= sizeof(head) + MOVE_CHUNK) {
			memcpy(&head, r.data, sizeof(head));
			head.session = i;
			iov[0].iov_base = &head;
			iov[0].iov_len = sizeof(head);
			iov[1].iov_base =
			    (uint8_t *)(uintptr_t)r.data + sizeof(head);
			iov[1].iov_len = r.len - sizeof(head);
			error = channel_sendv(&b->channel, WM_BYTES, 0, iov, 2);
		}
		if (error == -1)
			return (-1);
	}
	return (0);
}

/* Tells the worker whom to expect. */
static int
unpark_introduce(struct unparking *b)
{
	struct {
		struct msg_move head;
		struct msg_move_session rows[MOVE_SESSIONS_MAX];
	} msg;
	int pair[2];
	uint32_t i;

	if (channel_pair(pair) == -1)
		return (-1);
	process_buffers(pair);
	(void)snprintf(b->name, sizeof(b->name), "kept sessions to %s",
	    b->to->place->name);
	memset(&msg, 0, sizeof(msg));
	msg.head.ticket = b->ticket;
	/* No worker moves any to itself. */
	msg.head.worker = b->to->place->number;
	msg.head.count = b->count;
	for (i = 0; i < b->count; i++) {
		msg.rows[i].node = b->sessions[i].session.node;
		msg.rows[i].generation = b->sessions[i].generation;
	}
	process_send(b->to, PW_MOVE_IN, pair[1], &msg,
	    sizeof(msg.head) + b->count * sizeof(msg.rows[0]));
	if (channel_open(&b->channel, b->to->parent->loop, pair[0], b->name,
		NULL, 0, unpark_ended, b) == -1)
		return (-1);
	imsgbuf_set_limit(&b->channel.imsgbuf, MOVE_QUEUE_MAX);
	return (0);
}

/* The next batch for that worker; it may be that there is none. */
static void
unpark_next(struct process *to)
{
	struct unparking *b;
	struct parent *parent;
	uint32_t i;
	int error;

	parent = to->parent;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return;
	b->to = to;
	b->ticket = ++parent->tickets;
	unpark_fill(b);
	error = b->count == 0 ? -1 : unpark_introduce(b);
	if (error == -1) {
		if (b->count > 0)
			log_warn("%s", b->name);
		for (i = 0; i < b->count; i++)
			(void)close(b->sessions[i].fd);
		free(b);
		return;
	}
	parent->successor.unpark.to[to->place->number] = b;
	for (i = 0; i < b->count; i++)
		if (error == 0)
			error = unpark_say(b, i);
	for (i = 0; i < b->count; i++)
		if (b->sessions[i].fd != -1)
			(void)close(b->sessions[i].fd);
	/* What is not told the worker says it does not have. */
	if (error == 0)
		(void)channel_send(&b->channel, WM_END, 0, -1, NULL, 0);
	else
		channel_close(&b->channel);
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

/* Whoever has nothing to do gets the next. */
static void
unpark_go_on(struct parent *parent)
{
	struct process *p;
	struct unpark *u;
	uint32_t i;
	int busy;

	u = &parent->successor.unpark;
	busy = 0;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		p = parent->workers[i].child;
		if (p != NULL && p->state == CHILD_RUNNING && u->to[i] == NULL)
			unpark_next(p);
		busy |= u->to[i] != NULL;
	}
	if (!busy && u->file.at == u->file.bytes)
		unpark_over(parent);
}

/* The batch is over, with or without its sessions. */
static void
unpark_cancel(struct unparking *b)
{
	struct msg_moved msg;

	if (!b->settled) {
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

/* The map has it with the worker.  Returns 0: it cannot have it. */
static int
unpark_write(struct unparking *b, uint32_t i, uint32_t slot)
{
	const struct park_session *session;
	struct peermap_entry entry;
	struct pmap *map;
	uint32_t now, number;

	map = &b->to->parent->map;
	session = &b->sessions[i].session;
	number = pmap_add(map, session->node, 0);
	if (number == PEERMAP_NONE)
		return (0);
	entry = *pmap_entry(map, number);
	if (entry.generation != 0)
		return (0);
	now = clock_seconds();
	entry.generation = b->sessions[i].generation;
	entry.worker = (uint8_t)b->to->place->number;
	entry.slot = slot;
	entry.since = now - session->since;
	entry.keyid = session->keyid;
	entry.replaced = (uint8_t)session->replaced;
	entry.rwindow = now - session->rwindow;
	pmap_store(map, number, &entry);
	b->to->sessions++;
	b->to->parent->successor.unpark.taken++;
	return (1);
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
	uint32_t i;

	b = p->parent->successor.unpark.to[p->place->number];
	if (b->settled ||
	    (b->count < MOVE_SESSIONS_MAX && msg->mask >> b->count != 0))
		return ("ready for no such sessions");
	for (i = 0; i < b->count; i++)
		if ((msg->mask >> i & 1) != 0 &&
		    msg->slot[i] >= p->parent->max_sockets)
			return ("session in no place");
	moved.ticket = b->ticket;
	moved.worker = p->place->number;
	moved.mask = 0;
	for (i = 0; i < b->count; i++)
		if ((msg->mask >> i & 1) != 0 &&
		    unpark_write(b, i, msg->slot[i]))
			moved.mask |= UINT64_C(1) << i;
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
