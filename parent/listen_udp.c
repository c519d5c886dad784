/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/parent.h"

/*
 * UDP sockets.  All of one address share its port, and belong to the workers
 * in turn: worker i has those with the numbers i, i + workers, ...
 */

/*
 * A socket that is bound to all addresses tells at which one a datagram came,
 * since the answer must leave from there.
 */
static int
listen_pktinfo(int fd, const struct sockaddr_storage *ss)
{
	int on;

	on = 1;
	if (!listen_is_any(ss))
		return (0);
	if (ss->ss_family == AF_INET)
		return (
		    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
	return (
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)));
}

/*
 * What each has besides its port: buffers as large as the kernel allows.  What
 * it doesn't is no error.  Returns fd, or -1 with errno, and fd is closed.
 */
static int
listen_udp_ready(int fd, const struct sockaddr_storage *ss)
{
	int error, size;

	size = UDP_BUFFER;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (listen_pktinfo(fd, ss) == 0)
		return (fd);
	error = errno;
	(void)listen_failed("setsockopt");
	inherit_drop(fd);
	errno = error;
	return (-1);
}

/* One more that shares the port.  The descriptor, or -1 with errno. */
int
listen_udp_socket(const struct listener *listener)
{
	int fd;

	fd = listen_bind(SOCK_DGRAM, SO_REUSEPORT, &listener->ss,
	    listener->sslen, listener->nfds > 0 ? listener->fds[0] : -1);
	return (fd == -1 ? -1 : listen_udp_ready(fd, &listener->ss));
}

/* Does another listener of ours have this port, at whatever address? */
static int
listen_udp_is_ours(
    const struct parent *parent, const struct sockaddr_storage *ss)
{
	const struct listener *other;
	uint16_t port, wanted;
	uint8_t addr[16];

	wanted = address_of(ss, addr);
	TAILQ_FOREACH(other, &parent->listeners, entry) {
		port = address_of(&other->ss, addr);
		if (other->kind == LISTENER_UDP && port == wanted)
			return (1);
	}
	return (0);
}

/*
 * The first of an address decides the port of the others.  It is bound as if it
 * were the only one: so nobody else of our user has sockets there, in between
 * ours or before them.
 */
static int
listen_udp_first(const struct parent *parent, const struct listener *listener)
{
	int fd, on;

	if (listen_udp_is_ours(parent, &listener->ss))
		return (listen_udp_socket(listener));
	on = 1;
	fd = listen_bind(SOCK_DGRAM, 0, &listener->ss, listener->sslen, -1);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1)
		return (fd == -1 ? -1 : listen_failed("setsockopt"));
	return (listen_udp_ready(fd, &listener->ss));
}

/* All that a service manager has opened, or some would have no reader. */
static int
listen_udp_inherited(
    struct listener *listener, const struct conf_address *address)
{
	int fd;

	while ((fd = inherit_take(SOCK_DGRAM, &listener->ss)) != -1) {
		if (listener->nfds == LISTEN_UDP_MAX) {
			log_warnx("%s:%d: more than %d sockets of the service "
				  "manager have this address and port",
			    address->file, address->line, LISTEN_UDP_MAX);
			(void)inherit_keep(fd);
			return (-1);
		}
		fd = listen_inherited(
		    fd, SOCK_DGRAM, &listener->ss, listener->sslen);
		if (fd == -1 || listen_udp_ready(fd, &listener->ss) == -1)
			return (listen_fail(address, errno));
		listener->fds[listener->nfds++] = fd;
		listener->left = 1;
		/* The others share its port. */
		if (listen_bound(listener, fd) == -1)
			return (listen_fail(address, errno));
	}
	return (0);
}

/*
 * At least one socket for each worker.  Returns 0, or -1 with the reason logged
 * if they cannot be had.
 */
int
listen_udp(const struct parent *parent, struct listener *listener,
    const struct conf_address *address)
{
	int fd, inherited;

	if (listen_udp_inherited(listener, address) == -1)
		return (-1);
	inherited = listener->nfds;
	while ((uint32_t)listener->nfds < parent->nworkers) {
		fd = listener->nfds == 0 ? listen_udp_first(parent, listener)
					 : listen_udp_socket(listener);
		if (fd == -1 && inherited > 0) {
			log_warnx(
			    "%s:%d: %d UDP sockets of the service manager "
			    "for %u workers, and no others can be had (%s): "
			    "one ListenDatagram= for each worker",
			    address->file, address->line, inherited,
			    parent->nworkers, strerror(errno));
			return (-1);
		}
		if (fd == -1)
			return (listen_fail(address, errno));
		listener->fds[listener->nfds++] = fd;
		if (listen_bound(listener, fd) == -1)
			return (listen_fail(address, errno));
	}
	return (0);
}

/*
 * As many more as it takes for so many workers, behind those that there are, as
 * the kernel numbers them.  Returns 0, or -1 with errno and as many as before.
 */
int
listen_udp_more(struct listener *listener, uint32_t nworkers)
{
	int before, error, fd;

	before = listener->nfds;
	while ((uint32_t)listener->nfds < nworkers) {
		fd = listen_udp_socket(listener);
		if (fd == -1) {
			error = errno;
			listen_udp_fewer(listener, before);
			errno = error;
			return (-1);
		}
		listener->fds[listener->nfds++] = fd;
	}
	return (0);
}

/* Nobody has the last ones yet. */
void
listen_udp_fewer(struct listener *listener, int nfds)
{
	while (listener->nfds > nfds)
		(void)close(listener->fds[--listener->nfds]);
}

/*
 * Further ports that a service manager has opened: gossip can leave from them
 * where we cannot open our own.
 */
void
listen_udp_further(struct parent *parent)
{
	struct listener *listener;
	int fd;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (listener->kind != LISTENER_UDP)
			continue;
		while (
		    listener->nshares < SHARES_MAX &&
		    (fd = inherit_take_port(SOCK_DGRAM, &listener->ss)) != -1) {
			fd = listen_inherited(
			    fd, SOCK_DGRAM, &listener->ss, listener->sslen);
			if (fd == -1 ||
			    listen_udp_ready(fd, &listener->ss) == -1) {
				log_warn("further port of the service manager");
				continue;
			}
			listener->shares[listener->nshares++] = fd;
		}
	}
}

/*
 * A further UDP port of the same address, for gossip.  Returns the descriptor,
 * or -1 with errno.
 */
int
listen_udp_share(const struct listener *listener)
{
	struct sockaddr_storage ss;
	int fd;

	ss = listener->ss;
	if (ss.ss_family == AF_INET)
		((struct sockaddr_in *)(void *)&ss)->sin_port = 0;
	else
		((struct sockaddr_in6 *)(void *)&ss)->sin6_port = 0;
	fd = listen_bind(SOCK_DGRAM, SO_REUSEADDR, &ss, listener->sslen, -1);
	return (fd == -1 ? -1 : listen_udp_ready(fd, &listener->ss));
}
