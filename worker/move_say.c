/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <string.h>

#include "worker/move_say.h"

/* Sessions that are to go to another worker are told to that one. */

/* Bytes of a session, in as many messages as it takes.  Returns 0, or -1. */
static int
move_say(struct departure *d, uint32_t session, enum move_bytes kind,
    const struct iovec *pieces, int n)
{
	struct msg_move_bytes head;
	struct iovec iov[2];
	size_t off;
	int i;

	head.session = session;
	head.kind = kind;
	iov[0].iov_base = &head;
	iov[0].iov_len = sizeof(head);
	for (i = 0; i < n; i++)
		for (off = 0; off < pieces[i].iov_len; off += iov[1].iov_len) {
			iov[1].iov_base = (uint8_t *)pieces[i].iov_base + off;
			iov[1].iov_len = pieces[i].iov_len - off;
			if (iov[1].iov_len > MOVE_CHUNK)
				iov[1].iov_len = MOVE_CHUNK;
			if (channel_sendv(&d->channel, WM_BYTES, 0, iov, 2) ==
			    -1)
				return (-1);
		}
	return (0);
}

#define MOVE_PIECES 16 /* of a queue, at a time */

/* Its queue from byte `from` on.  Returns 0, or -1. */
int
move_say_queue(struct departure *d, uint32_t session, size_t from)
{
	struct iovec pieces[MOVE_PIECES];
	const struct outq *q;
	int i, n;

	q = d->worker->sessions[d->sessions[session].slot].outq;
	while (q != NULL && from < q->data.len) {
		n = chunks_pieces(
		    &q->data, from, q->data.len, pieces, MOVE_PIECES);
		if (move_say(d, session, MOVE_QUEUE, pieces, n) == -1)
			return (-1);
		for (i = 0; i < n; i++)
			from += pieces[i].iov_len;
	}
	return (0);
}

static int
move_say_inbound(struct departure *d, uint32_t session)
{
	const struct session *s;
	struct iovec piece;

	s = &d->worker->sessions[d->sessions[session].slot];
	if (s->pending != NULL) {
		piece.iov_base = s->pending->data;
		piece.iov_len = s->pending->len;
		if (move_say(d, session, MOVE_PENDING, &piece, 1) == -1)
			return (-1);
	}
	if (s->message == NULL)
		return (0);
	piece.iov_base = s->message->data + MESSAGE_HEADROOM;
	piece.iov_len = s->message->len;
	return (move_say(d, session, MOVE_MESSAGE, &piece, 1));
}

/* Tells all of it.  Returns 0, or -1, and the channel is of no use any more. */
int
move_say_all(struct departure *d, uint32_t session)
{
	struct msg_move_state state;
	const struct session *s;
	int fd;

	s = &d->worker->sessions[d->sessions[session].slot];
	memset(&state, 0, sizeof(state));
	state.magic = MOVE_STATE_MAGIC;
	state.version = MOVE_STATE_VERSION;
	state.len = sizeof(state);
	state.required = MOVE_STATE_REQUIRED;
	state.optional = MOVE_STATE_OPTIONAL;
	state.session = session;
	session_pack(d->worker, s, &state);
	d->sessions[session].said = s->outq == NULL ? 0 : s->outq->data.len;
	fd = fcntl(s->io.fd, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (channel_send(&d->channel, WM_STATE, 0, fd, &state, sizeof(state)) ==
	    -1)
		return (-1);
	if (move_say_inbound(d, session) == -1)
		return (-1);
	return (move_say_queue(d, session, 0));
}
