/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_ROUTE_READ_H
#define WORKER_ROUTE_READ_H

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "worker/worker.h"

/*
 * How a channel in bulk is read.  Here, so that what becomes of a message is no
 * call through a pointer: all packets for another worker pass.
 */

/* What to do with the message there: its length, 0 if incomplete, -1 if bad. */
typedef ssize_t (*route_take_fn)(struct sibling *, uint8_t *, size_t);
/* What to do at the end of it; reason NULL: the other end closed it. */
typedef void (*route_lost_fn)(struct sibling *, const char *reason);

/* Deals with the n bytes at w->rx and keeps what is incomplete. */
static inline int
route_read_bytes(struct sibling *sib, size_t n, route_take_fn take)
{
	struct worker *w;
	size_t off;
	ssize_t r;

	w = sib->worker;
	r = 0;
	for (off = 0; off < n; off += (size_t)r) {
		r = take(sib, w->rx + off, n - off);
		if (r <= 0)
			break;
	}
	burst_end(w);
	if (r == -1)
		return (-1);
	sib->part_len = (uint32_t)(n - off);
	if (sib->part_len > 0)
		memcpy(sib->part, w->rx + off, sib->part_len);
	return (0);
}

/*
 * Reads once from a channel in bulk.  take gets each whole message in place,
 * may overwrite it, and keeps it until burst_end(); lost is told of the end.
 * Returns 1 if there may be more to read.
 */
static inline int
route_read(struct sibling *sib, route_take_fn take, route_lost_fn lost)
{
	struct worker *w;
	size_t room;
	ssize_t n;

	w = sib->worker;
	memcpy(w->rx, sib->part, sib->part_len);
	room = RX_SIZE - sib->part_len;
	/* Without room for descriptors the kernel closes any that come. */
	n = recv(sib->reader.fd, w->rx + sib->part_len, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n <= 0) {
		lost(sib, NULL);
		return (0);
	}
	if (route_read_bytes(sib, sib->part_len + (size_t)n, take) == -1) {
		lost(sib, "broke the rules");
		return (0);
	}
	return ((size_t)n == room && sib->open);
}

#endif /* WORKER_ROUTE_READ_H */
