/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/log.h"
#include "worker/route_read.h"
#include "worker/worker.h"

/*
 * Packets from the other workers, see route.c.  Neither end believes the other
 * (relay_delivery()).
 */

#define ROUTE_READS 4 /* in one turn: what the socket holds at most */

/* The next whole message at `bytes`: its length, 0 if incomplete, -1 if bad. */
static ssize_t
route_recv_message(struct sibling *sib, uint8_t *bytes, size_t len)
{
	struct imsg_header header;

	if (len < ROUTE_HEADER)
		return (0);
	memcpy(&header, bytes, sizeof(header));
	if (header.type != WW_PACKET || header.len < ROUTE_HEADER ||
	    header.len > ROUTE_HEADER + PROTO_DELIVERY_MAX)
		return (-1);
	if (len < header.len)
		return (0);
	relay_delivery(sib->worker, sib->number, header.peerid, header.pid,
	    bytes + ROUTE_HEADER, header.len - ROUTE_HEADER);
	return ((ssize_t)header.len);
}

static void
route_recv_lost(struct sibling *sib, const char *reason)
{
	if (reason != NULL)
		log_warnx("worker %u %s: channel closed", sib->number, reason);
	route_close(sib);
}

static void
route_recv(struct ev_loop *loop, ev_io *io, int revents)
{
	int i;

	for (i = 0; i < ROUTE_READS; i++)
		if (!route_read(io->data, route_recv_message, route_recv_lost))
			return;
}

/* PW_SIBLING, see route_open(). */
const char *
route_recv_open(struct worker *w, uint32_t number, int fd)
{
	if (number >= w->hello.nworkers || number == w->hello.worker)
		return ("no such sibling");
	(void)route_open(w, number, fd, route_recv);
	return (NULL);
}
