/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/parent.h"

/*
 * All workers share the listeners, and a worker shares its UDP sockets with
 * its successors.  The sandbox lets a worker do nothing to them that lasts
 * (worker/sandbox.c); should one have found a way all the same, then it costs
 * the others nothing once it is dead.  So may those who had a socket before we
 * inherited it.
 */

/* Says that a socket was of no use any more, and how mending it has ended. */
static void
listen_report(
    const struct process *dead, const struct listener *listener, int error)
{
	char text[LISTEN_TEXT];

	listen_text(&listener->ss, text);
	log_warnx("security: %s (pid %d) is dead, and the socket of %s (%s) "
		  "was of no use any more: %s%s",
	    dead->place->name, dead->pid, text, listen_kind(listener),
	    error == 0 ? "mended" : "restart beacond and its socket unit: ",
	    error == 0 ? "" : strerror(error));
	if (error == 0)
		counters_add(COUNTER_SOCKETS_MENDED, 1);
}

/*
 * One of the dead worker's UDP sockets.  The new one is bound before the old
 * one is closed: thereby it takes its place among those that the kernel spreads
 * datagrams over, and the others keep theirs.
 */
static void
listen_check_udp(const struct process *dead, const struct listener *listener,
    int (*open_new)(const struct listener *), int *fd)
{
	int new;

	if (*fd != -1 && listen_udp_works(*fd, &listener->ss, listener->sslen))
		return;
	new = open_new(listener);
	listen_report(dead, listener, new == -1 ? errno : 0);
	if (*fd != -1)
		inherit_drop(*fd);
	*fd = new;
}

/*
 * All of one address; the first worker alone has further ports.  Returns 0, or
 * -1 if one that shares the port is lost.
 */
static int
listen_check_worker(const struct process *dead, struct listener *listener)
{
	uint32_t share;
	int i, result;

	result = 0;
	for (i = (int)place_share(dead->place); i < listener->nfds;
	     i += (int)dead->parent->nworkers) {
		listen_check_udp(
		    dead, listener, listen_udp_socket, &listener->fds[i]);
		if (listener->fds[i] == -1)
			result = -1;
	}
	if (place_share(dead->place) != 0)
		return (result);
	for (share = 1; share < listener->nshares; share++)
		listen_check_udp(
		    dead, listener, listen_udp_share, &listener->shares[share]);
	return (result);
}

/*
 * A worker is dead and its successor has not been told of any socket yet: all
 * that it shared is put in order.  Returns 0, or -1 if it left a gap among the
 * UDP sockets of an address, which the last of them fills.
 */
int
listen_check(struct process *dead)
{
	struct listener *listener;
	int result;

	result = 0;
	TAILQ_FOREACH(listener, &dead->parent->listeners, entry) {
		if (listener->kind == LISTENER_UDP) {
			if (listen_check_worker(dead, listener) == -1)
				result = -1;
		} else if (!listen_accepts(listener->fds[0]))
			listen_report(dead, listener,
			    listen_again(listener->fds[0]) == -1 ? errno : 0);
	}
	return (result);
}

/*
 * As root: uid is whom the parent will be when a socket has to be replaced.
 * The kernel lets only sockets of one owner share a port.
 */
int
listen_chown(struct parent *parent, uid_t uid)
{
	struct listener *listener;
	int i;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		for (i = 0; i < listener->nfds; i++)
			if (fchown(listener->fds[i], uid, (gid_t)-1) == -1)
				return (-1);
	return (0);
}
