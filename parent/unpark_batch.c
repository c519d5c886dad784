/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"
#include "parent/unpark.h"
#include "parent/unpark_batch.h"

/* A batch of sessions that another parent has left us: read and passed on. */

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
	if (fd == -1) {
		f->damaged = 1;
		return;
	}
	memset(&session, 0, sizeof(session));
	if (r->len >= PARK_SESSION_LEAST)
		memcpy(&session, r->data, MIN(r->len, sizeof(session)));
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
void
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
void
unpark_introduce(struct unparking *b)
{
	struct {
		struct msg_move head;
		struct msg_move_session rows[MOVE_SESSIONS_MAX];
	} msg;
	uint32_t i;

	memset(&msg, 0, sizeof(msg));
	msg.head.ticket = b->ticket;
	/* No worker moves any to itself. */
	msg.head.worker = b->to->place->number;
	msg.head.count = b->count;
	for (i = 0; i < b->count; i++) {
		msg.rows[i].node = b->sessions[i].session.node;
		msg.rows[i].generation = b->sessions[i].generation;
	}
	process_send(b->to, PW_MOVE_IN, b->far, &msg,
	    sizeof(msg.head) + b->count * sizeof(msg.rows[0]));
	b->far = -1;
}

/* An empty batch for that worker; NULL with errno: there cannot be one. */
struct unparking *
unpark_new(struct process *to)
{
	struct unparking *b;
	int pair[2];

	b = calloc(1, sizeof(*b));
	if (b == NULL || channel_pair(pair) == -1) {
		free(b);
		return (NULL);
	}
	process_buffers(pair);
	b->to = to;
	(void)snprintf(
	    b->name, sizeof(b->name), "kept sessions to %s", to->place->name);
	if (channel_open(&b->channel, to->parent->loop, pair[0], b->name, NULL,
		0, unpark_ended, b) == -1) {
		(void)close(pair[1]);
		free(b);
		return (NULL);
	}
	imsgbuf_set_limit(&b->channel.imsgbuf, MOVE_QUEUE_MAX);
	b->far = pair[1];
	b->ticket = ++to->parent->tickets;
	return (b);
}

/* What is told of the batch; what is not the worker says it does not have. */
void
unpark_tell(struct unparking *b)
{
	uint32_t i;
	int error;

	error = 0;
	for (i = 0; i < b->count; i++)
		if (error == 0)
			error = unpark_say(b, i);
	for (i = 0; i < b->count; i++)
		if (b->sessions[i].fd != -1)
			(void)close(b->sessions[i].fd);
	if (error == 0)
		(void)channel_send(&b->channel, WM_END, 0, -1, NULL, 0);
	else
		channel_close(&b->channel);
}
