/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "worker/route_read.h"
#include "worker/worker.h"

/*
 * Packets from the other workers, see route.c.  Neither end believes the other
 * (relay_delivery()).
 */

#define ROUTE_READS 4 /* in one turn: what the socket holds at most */

/* What is no packet: see move.c.  Returns its length, or -1 if it is bad. */
static ssize_t
route_recv_other(struct sibling *sib, const struct imsg_header *header)
{
	struct worker *w;

	w = sib->worker;
	if (header->len != ROUTE_HEADER)
		return (-1);
	switch (header->type) {
	case WW_MARK:
		/* What came before it is delivered, and this is read. */
		route_message(w, sib, WW_MARKED, header->peerid, 0, NULL, 0);
		break;
	case WW_MARKED:
		move_out_marked(w, sib->number, header->peerid);
		still_marked(w, sib->number, header->peerid);
		break;
	case WW_FENCE:
		move_out_fenced(w, sib->number, header->peerid);
		break;
	default:
		return (-1);
	}
	return ((ssize_t)header->len);
}

/* The next whole message at `bytes`: its length, 0 if incomplete, -1 if bad. */
static ssize_t
route_recv_message(struct sibling *sib, uint8_t *bytes, size_t len)
{
	struct imsg_header header;

	if (len < ROUTE_HEADER)
		return (0);
	memcpy(&header, bytes, sizeof(header));
	if (header.type != WW_PACKET)
		return (route_recv_other(sib, &header));
	if (header.len < ROUTE_HEADER ||
	    header.len > ROUTE_HEADER + PROTO_DELIVERY_MAX)
		return (-1);
	if (len < header.len)
		return (0);
	relay_delivery(sib->worker, sib->number, header.peerid, header.pid,
	    bytes + ROUTE_HEADER, header.len - ROUTE_HEADER);
	return ((ssize_t)header.len);
}

/* Nothing comes from that worker any more: nobody waits for it. */
static void
route_recv_nothing(struct worker *w, uint32_t number)
{
	move_out_lost(w, number);
	still_lost(w, number);
}

static void
route_recv_lost(struct sibling *sib, const char *reason)
{
	if (reason != NULL)
		log_warnx("worker %u %s: channel closed", sib->number, reason);
	route_close(sib);
	route_recv_nothing(sib->worker, sib->number);
}

static void
route_recv(struct ev_loop *loop, ev_io *io, int revents)
{
	int i;

	if (loop_deaf(loop, io, revents))
		return;
	for (i = 0; i < ROUTE_READS; i++)
		if (!route_read(io->data, route_recv_message, route_recv_lost))
			return;
}

/* PW_SIBLING, see route_open(). */
const char *
route_recv_open(struct worker *w, uint32_t number, int fd)
{
	if (number >= PROTO_PLACES_MAX || number == w->hello.worker)
		return ("no such sibling");
	route_recv_nothing(w, number);
	(void)route_open(w, number, fd, route_recv);
	return (NULL);
}
