/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <stdlib.h>
#include <string.h>

#include "worker/chunks.h"

/* The more waits, the larger the pieces. */
static struct chunk *
chunks_new(struct chunks *q, size_t room)
{
	struct chunk *c;
	size_t size;

	for (size = CHUNK_MIN; size < q->len / 8 && size < CHUNK_MAX;)
		size *= 2;
	size = MAX(size, sizeof(*c) + room);
	c = malloc(size);
	if (c == NULL)
		return (NULL);
	c->next = NULL;
	c->size = (uint32_t)size;
	c->first = c->end = 0;
	q->size += size;
	return (c);
}

/*
 * Adds len bytes, in the last piece and at most one more.  Returns 0, or -1
 * without memory, and nothing is added.
 */
int
chunks_add(struct chunks *q, const uint8_t *bytes, size_t len)
{
	struct chunk *more, *tail;
	size_t n;

	more = NULL;
	tail = q->tail;
	n = tail == NULL ? 0 : tail->size - sizeof(*tail) - tail->end;
	n = MIN(n, len);
	if (n < len && (more = chunks_new(q, len - n)) == NULL)
		return (-1);
	if (n > 0) {
		memcpy(tail->data + tail->end, bytes, n);
		tail->end += (uint32_t)n;
	}
	if (more != NULL) {
		memcpy(more->data, bytes + n, len - n);
		more->end = (uint32_t)(len - n);
		if (tail == NULL)
			q->head = more;
		else
			tail->next = more;
		q->tail = more;
	}
	q->len += len;
	return (0);
}

/* The first len bytes, which must be there, are gone. */
void
chunks_take(struct chunks *q, size_t len)
{
	struct chunk *c;
	size_t n;

	q->len -= len;
	while (len > 0) {
		c = q->head;
		n = MIN(len, c->end - c->first);
		c->first += (uint32_t)n;
		len -= n;
		if (c->first < c->end)
			break;
		q->head = c->next;
		q->size -= c->size;
		free(c);
	}
	if (q->head == NULL)
		q->tail = NULL;
}

/* All but the first len bytes are gone. */
void
chunks_cut(struct chunks *q, size_t len)
{
	struct chunk *c, **link;
	size_t n;

	q->len = len;
	q->tail = NULL;
	for (link = &q->head; (c = *link) != NULL;) {
		n = MIN(len, c->end - c->first);
		len -= n;
		if (n > 0) {
			c->end = c->first + (uint32_t)n;
			q->tail = c;
			link = &c->next;
		} else {
			*link = c->next;
			q->size -= c->size;
			free(c);
		}
	}
}

/* All of `more` stands behind q from now on, and `more` is empty. */
void
chunks_join(struct chunks *q, struct chunks *more)
{
	if (more->head == NULL)
		return;
	if (q->tail == NULL)
		q->head = more->head;
	else
		q->tail->next = more->head;
	q->tail = more->tail;
	q->len += more->len;
	q->size += more->size;
	memset(more, 0, sizeof(*more));
}

/* Copies the first bytes, len at most; returns how many. */
size_t
chunks_copy(const struct chunks *q, uint8_t *to, size_t len)
{
	const struct chunk *c;
	size_t done, n;

	done = 0;
	for (c = q->head; c != NULL && done < len; c = c->next) {
		n = MIN(len - done, c->end - c->first);
		memcpy(to + done, c->data + c->first, n);
		done += n;
	}
	return (done);
}

/*
 * Says where the bytes from number `from` to before number `to` lie, in at most
 * n pieces; returns how many it takes: none if `to` is not behind `from`.
 */
int
chunks_pieces(
    const struct chunks *q, size_t from, size_t to, struct iovec *iov, int n)
{
	struct chunk *c;
	size_t have, off;
	int i;

	i = 0;
	off = 0;
	for (c = q->head; c != NULL && from < to && i < n; c = c->next) {
		have = c->end - c->first;
		if (off + have > from) {
			iov[i].iov_base = c->data + c->first + (from - off);
			iov[i++].iov_len = MIN(off + have, to) - from;
			from = MIN(off + have, to);
		}
		off += have;
	}
	return (i);
}
