/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "worker/worker.h"

/*
 * Packets from the other workers, see route.c.  Neither end believes the other
 * (relay_delivery()).
 */

#define ROUTE_READS 4 /* in one turn: what the socket holds at most */

/* The next whole message at `bytes`: its length, 0 if incomplete, -1 if bad. */
static ssize_t
route_recv_message(
    struct worker *w, struct sibling *sib, uint8_t *bytes, size_t len)
{
	struct imsg_header header;

	if (len < ROUTE_HEADER)
		return (0);
	memcpy(&header, bytes, sizeof(header));
	if (header.type != WW_PACKET || header.len < ROUTE_HEADER ||
	    header.len > ROUTE_MESSAGE_MAX)
		return (-1);
	if (len < header.len)
		return (0);
	relay_delivery(w, sib->number, header.peerid, header.pid,
	    bytes + ROUTE_HEADER, header.len - ROUTE_HEADER);
	return ((ssize_t)header.len);
}

/* Deals with the n bytes at w->rx and keeps what is incomplete. */
static void
route_recv_bytes(struct worker *w, struct sibling *sib, size_t n)
{
	size_t off;
	ssize_t r;

	r = 0;
	for (off = 0; off < n; off += (size_t)r) {
		r = route_recv_message(w, sib, w->rx + off, n - off);
		if (r <= 0)
			break;
	}
	burst_end(w);
	if (r == -1) {
		log_warnx(
		    "worker %u broke the rules: channel closed", sib->number);
		route_close(sib);
		return;
	}
	sib->part_len = (uint32_t)(n - off);
	if (sib->part_len > 0)
		memcpy(sib->part, w->rx + off, sib->part_len);
}

/* As much as one read takes; 1 if there may be more. */
static int
route_recv_once(struct worker *w, struct sibling *sib)
{
	size_t room;
	ssize_t n;

	memcpy(w->rx, sib->part, sib->part_len);
	room = RX_SIZE - sib->part_len;
	/* Without room for descriptors the kernel closes any that come. */
	n = recv(sib->reader.fd, w->rx + sib->part_len, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n <= 0) {
		route_close(sib);
		return (0);
	}
	route_recv_bytes(w, sib, sib->part_len + (size_t)n);
	return ((size_t)n == room && sib->open);
}

static void
route_recv(struct ev_loop *loop, ev_io *io, int revents)
{
	struct sibling *sib;
	int i;

	sib = io->data;
	for (i = 0; i < ROUTE_READS; i++)
		if (!route_recv_once(sib->worker, sib))
			return;
}

/* PW_SIBLING, see route_open(). */
const char *
route_recv_open(struct worker *w, uint32_t number, int fd)
{
	return (route_open(w, number, fd, route_recv));
}
