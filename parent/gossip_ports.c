/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>

#include "common/log.h"
#include "parent/parent.h"

/*
 * The ports that we tell other beacons from.  A receiver takes each Sync for
 * the whole truth about its source port, and one holds PROTO_SYNC_MAX nodes: so
 * the nodes are spread over as many ports ("shares") as it takes.  Share 0 is
 * the listening port.  The number of shares is a power of two and never
 * shrinks; when it is doubled, nodes move only to shares with a higher number,
 * and those are sent first: no node is left out in between.
 */
#define GOSSIP_SHARE_FILL 14000 /* nodes a share on average, at most */

/* Worker 0 alone has the ports of the other shares; NULL: it is down. */
struct process *
gossip_ports_owner(struct parent *parent)
{
	return (process_worker(parent, 0));
}

static void
gossip_ports_send(
    struct process *worker, const struct listener *listener, uint32_t share)
{
	struct msg_udp udp;
	int fd;

	fd = fcntl(listener->shares[share], F_DUPFD_CLOEXEC, 0);
	if (fd == -1) {
		log_warn("port for gossip");
		return;
	}
	udp.kind = UDP_SHARE;
	udp.listener = listener->number;
	udp.share = share;
	process_send(worker, PW_UDP, fd, &udp, sizeof(udp));
}

/* The ports of all further shares, for worker 0 that was just started. */
void
gossip_ports_introduce(struct process *worker)
{
	struct listener *listener;
	uint32_t i;

	TAILQ_FOREACH(listener, &worker->parent->listeners, entry)
		for (i = 1; i < listener->nshares; i++)
			gossip_ports_send(worker, listener, i);
}

/* Those of one address, for its owner, whom all of them were taken from. */
void
gossip_ports_again(struct process *worker, const struct listener *listener)
{
	uint32_t i;

	for (i = 1; i < listener->nshares; i++)
		gossip_ports_send(worker, listener, i);
}

/* A reload has brought more of them: all since the last that were there. */
void
gossip_ports_added(struct parent *parent, const struct listener *listener)
{
	uint32_t i;

	for (i = listener->nshares_before; i < listener->nshares; i++)
		gossip_ports_send(gossip_ports_owner(parent), listener, i);
}

/* One address of each family is enough to reach everybody. */
static int
gossip_ports_used(const struct parent *parent, const struct listener *listener)
{
	const struct listener *first;

	TAILQ_FOREACH(first, &parent->listeners, entry)
		if (first->kind == LISTENER_UDP &&
		    first->ss.ss_family == listener->ss.ss_family)
			return (first == listener);
	return (0);
}

/* Opens port `share`.  Returns 0, or -1 with errno. */
static int
gossip_ports_open(struct parent *parent, uint32_t share)
{
	struct listener *listener;
	int fd;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (!gossip_ports_used(parent, listener) ||
		    listener->nshares > share)
			continue;
		fd = listen_udp_share(listener);
		if (fd == -1)
			return (-1);
		listener->shares[share] = fd;
		listener->nshares = share + 1;
		gossip_ports_send(gossip_ports_owner(parent), listener, share);
	}
	return (0);
}

/*
 * Enough shares for so many nodes, as far as ports can be had.  Returns 0, or
 * -1 with errno if there are too few.
 */
int
gossip_ports_grow(struct parent *parent, uint32_t nodes)
{
	struct gossip *gossip;
	uint32_t i;

	gossip = &parent->gossip;
	while (gossip->shares < SHARES_MAX &&
	       nodes > gossip->shares * GOSSIP_SHARE_FILL) {
		for (i = gossip->shares; i < gossip->shares * 2; i++)
			if (gossip_ports_open(parent, i) == -1)
				return (-1);
		gossip->shares *= 2;
	}
	return (0);
}
