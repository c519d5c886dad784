/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_PARENT_UNPARK_H
#define REGRESS_UNIT_PARENT_UNPARK_H

#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stddef.h>

#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/*
 * Sessions of another parent go to two workers, which are the test's: honest,
 * slow, out of room, liars, dead.
 */

#define WORKERS 2
#define SLOTS   1000

/* What worker i was asked to take, and has not answered. */
static struct batch {
	struct msg_move head;
	struct msg_move_session rows[MOVE_SESSIONS_MAX];
	struct imsgbuf from; /* where it is told of them */
	int fd;
	uint32_t states; /* that it has been told */
	uint32_t bytes;
	uint8_t last; /* the last of them */
	int ended;    /* WM_END */
	int is_last;  /* WM_LAST */
} batches[WORKERS];

static struct park_file *f;
static uint32_t others; /* records of no session */
static int over;

/* ---- in the place of what it calls ---- */

void
unpark_map(struct parent *p, const struct unpark_record *r)
{
	if (r->type == PARK_GONE)
		unpark_ahead_gone(p, *(const uint32_t *)r->data);
	else
		others++;
}

void
move_keep(struct parent *p, const struct peermap_entry *of)
{
}

void
shutdown_fatal(struct parent *p, const char *fmt, ...)
{
	exit(1);
}

/* There are no descriptors for anything new, from begin() on. */
static int no_batches, no_descriptors;

int
socketpair(int domain, int type, int protocol, int pair[2])
{
	if (no_descriptors) {
		errno = EMFILE;
		return (-1);
	}
	return ((int)syscall(SYS_socketpair, domain, type, protocol, pair));
}

static inline void
done(struct parent *p)
{
	over++;
}

/* So many of its timer's, at once. */
static inline void
turns(int n)
{
	while (n-- > 0) {
		ev_feed_event(
		    parent.loop, &parent.successor.unpark.timer, EV_TIMER);
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
	}
}

/* ---- the file ---- */

static inline void
add(uint32_t type, const void *data, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };

	if (park_file_add(f, (enum park_type)type, &iov, 1) == -1)
		abort();
}

static inline void
add_bytes(uint8_t last, size_t len)
{
	static struct {
		struct msg_move_bytes head;
		uint8_t bytes[MOVE_CHUNK + 1];
	} msg;

	msg.bytes[len - 1] = last;
	add(PARK_BYTES, &msg, sizeof(msg.head) + len);
}

/* ahead: the number that it was told of by, ahead; or 0. */
static inline void
add_session_by(uint32_t node, uint32_t ahead)
{
	struct park_session session;
	struct msg_move_state state;

	memset(&session, 0, sizeof(session));
	memset(&state, 0, sizeof(state));
	session.node = node;
	session.keyid = node + 500;
	session.since = 60;
	session.replaced = 3;
	session.ahead = ahead;
	state.session = 77; /* as it was in the batch of another */
	add(PARK_SESSION, &session, sizeof(session));
	if (park_file_add_fd(f, dup(STDOUT_FILENO)) == -1)
		abort();
	add(PARK_STATE, &state, sizeof(state));
	add_bytes((uint8_t)node, 5);
}

static inline void
add_session(uint32_t node)
{
	add_session_by(node, 0);
}

static inline void
clear(void)
{
	struct unpark *u;
	uint32_t i;

	u = &parent.successor.unpark;
	for (i = 0; i < WORKERS; i++) {
		if (parent.workers[i].child != NULL)
			unpark_lost(parent.workers[i].child);
		if (batches[i].fd > 0) {
			imsgbuf_clear(&batches[i].from);
			(void)close(batches[i].fd);
		}
		memset(&batches[i], 0, sizeof(batches[i]));
		if (parent.workers[i].child != NULL) {
			channel_close(&parent.workers[i].child->channel);
			process_free(parent.workers[i].child);
		}
		(void)parts_child(i + 1);
	}
	ev_timer_stop(parent.loop, &u->timer);
	unpark_file_close(&u->file);
	unpark_ahead_free(&parent);
	memset(u, 0, sizeof(*u));
	others = 0;
	over = 0;
	f = park_file_new();
	if (f == NULL ||
	    (parent.map.view.header == NULL && pmap_create(&parent.map) == -1))
		abort();
	parent.max_sockets = SLOTS;
	free(parent.blocks);
	parent.blocks = blocks_new();
	if (parent.blocks == NULL)
		abort();
}

/* Begins with all that was added. */
static inline void
begin(void)
{
	struct park_header header;
	struct unpark_file *to;
	uint32_t i;

	memset(&header, 0, sizeof(header));
	to = &parent.successor.unpark.file;
	if (park_file_seal(f, &header) == -1)
		abort();
	for (i = 0; i < f->nqueues; i++)
		to->queues[i] = dup(f->queues[i]);
	to->nqueues = f->nqueues;
	no_descriptors = no_batches;
	unpark_begin(&parent, f->fd, done);
	park_file_free(f);
	f = NULL;
}

/* ---- a worker ---- */

/* The next batch of worker i; 0: none. */
static inline int
asked(uint32_t i)
{
	struct batch *b;
	struct imsg imsg;
	int found;

	b = &batches[i];
	if (b->fd > 0) {
		imsgbuf_clear(&b->from);
		(void)close(b->fd);
	}
	memset(b, 0, sizeof(*b));
	(void)channel_flush(&parent.workers[i].child->channel);
	if (imsgbuf_get(&parts_ends[i + 1], &imsg) != 1 &&
	    (imsgbuf_read(&parts_ends[i + 1]) != 1 ||
		imsgbuf_get(&parts_ends[i + 1], &imsg) != 1))
		return (0);
	found = imsg_get_type(&imsg) == PW_MOVE_IN;
	if (found) {
		(void)imsg_get_data(&imsg, b, imsg_get_len(&imsg));
		b->fd = imsg_get_fd(&imsg);
		found = imsgbuf_init(&b->from, b->fd) == 0;
		imsgbuf_allow_fdrecv(&b->from);
	}
	imsg_free(&imsg);
	return (found);
}

static inline void
take(struct batch *b, struct imsg *imsg)
{
	uint8_t data[MAX_IMSGSIZE];
	uint32_t session;
	size_t len;

	len = imsg_get_len(imsg);
	if (len > 0)
		(void)imsg_get_data(imsg, data, len);
	memcpy(&session, data, sizeof(session));
	switch (imsg_get_type(imsg)) {
	case WM_STATE:
		memcpy(&session,
		    data + offsetof(struct msg_move_state, session),
		    sizeof(session));
		(void)close(imsg_get_fd(imsg));
		b->states += session == b->states;
		break;
	case WM_BYTES:
		memcpy(&session,
		    data + offsetof(struct msg_move_bytes, session),
		    sizeof(session));
		b->bytes += session + 1 == b->states ? (uint32_t)len : 0;
		b->last = data[len - 1];
		break;
	case WM_END:
		b->ended = 1;
		break;
	case WM_LAST:
		b->is_last = 1;
		break;
	default:
		break;
	}
}

/* Reads whatever worker i is told of its batch. */
static inline void
hear(uint32_t i)
{
	struct imsg imsg;
	int turn;

	for (turn = 0; turn < 200; turn++) {
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
		(void)imsgbuf_read(&batches[i].from);
		while (imsgbuf_get(&batches[i].from, &imsg) == 1) {
			take(&batches[i], &imsg);
			imsg_free(&imsg);
		}
	}
}

static inline const char *
ready(uint32_t i, uint64_t mask, uint32_t slot)
{
	struct msg_move_ready msg;
	struct process *p;
	uint32_t s;

	memset(&msg, 0, sizeof(msg));
	msg.ticket = batches[i].head.ticket;
	msg.mask = mask;
	for (s = 0; s < MOVE_SESSIONS_MAX; s++)
		msg.slot[s] = slot + s;
	p = parent.workers[i].child;
	return (unpark_is(p, msg.ticket) ? unpark_ready(p, &msg) : "not asked");
}

/* What worker i is told of its batch: that mask. */
static inline int
is_told(uint32_t i, uint64_t mask)
{
	struct msg_moved msg;

	return (parts_told(i + 1, PW_MOVED, &msg, sizeof(msg)) == 1 &&
		msg.ticket == batches[i].head.ticket && msg.mask == mask);
}

static inline const struct peermap_entry *
entry(uint32_t node)
{
	uint32_t number;

	number = pmap_find(&parent.map, node);
	return (
	    number == PEERMAP_NONE ? NULL : pmap_entry(&parent.map, number));
}

static inline int
is_known(uint32_t node)
{
	return (entry(node) != NULL && entry(node)->generation != 0);
}

static inline uint64_t
all_of(uint32_t i)
{
	return (batches[i].head.count == 64
		    ? ~UINT64_C(0)
		    : (UINT64_C(1) << batches[i].head.count) - 1);
}

#endif /* REGRESS_UNIT_PARENT_UNPARK_H */
