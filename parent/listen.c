/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/parent.h"

/*
 * An address as all processes speak of it: 16 bytes, IPv6 or v4-mapped, in
 * network order; the port in host order.
 */
void
listen_address(
    const struct sockaddr_storage *ss, uint8_t addr[16], uint16_t *port)
{
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	if (ss->ss_family == AF_INET) {
		sin = (const void *)ss;
		memset(addr, 0, 10);
		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, &sin->sin_addr, 4);
		*port = ntohs(sin->sin_port);
	} else {
		sin6 = (const void *)ss;
		memcpy(addr, &sin6->sin6_addr, 16);
		*port = ntohs(sin6->sin6_port);
	}
}

/* ADDRESS:PORT, IPv6 in brackets. */
void
listen_text(const struct sockaddr_storage *ss, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	if (ss->ss_family == AF_INET) {
		sin = (const void *)ss;
		(void)inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		(void)snprintf(out, size, "%s:%u", host, ntohs(sin->sin_port));
	} else {
		sin6 = (const void *)ss;
		(void)inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		(void)snprintf(
		    out, size, "[%s]:%u", host, ntohs(sin6->sin6_port));
	}
}

/* Is that all addresses of this machine? */
int
listen_is_any(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	sin6 = (const void *)ss;
	sin = (const void *)ss;
	if (ss->ss_family == AF_INET)
		return (sin->sin_addr.s_addr == htonl(INADDR_ANY));
	return (IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr));
}

/* "::" alone takes IPv4 too. */
static int
listen_options(int fd, const struct sockaddr_storage *ss, int reuse)
{
	int on, v6only;

	on = 1;
	v6only = !listen_is_any(ss);
	if (reuse != 0 &&
	    setsockopt(fd, SOL_SOCKET, reuse, &on, sizeof(on)) == -1)
		return (listen_failed("setsockopt"));
	if (ss->ss_family == AF_INET6 &&
	    setsockopt(
		fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == -1)
		return (listen_failed("setsockopt"));
	return (0);
}

/*
 * A socket of the service manager or a new one; reuse is the option with which
 * it is bound, or 0.  Returns the descriptor, or -1 with errno.
 */
int
listen_bind(
    int type, int reuse, const struct sockaddr_storage *ss, socklen_t len)
{
	int error, fd;

	fd = inherit_take(type, ss);
	if (fd != -1)
		return (listen_inherited(fd, type, ss, len));
	fd = socket(ss->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (listen_failed("socket"));
	if (listen_options(fd, ss, reuse) == 0) {
		if (bind(fd, (const void *)ss, len) == 0)
			return (fd);
		(void)listen_failed("bind");
	}
	error = errno;
	(void)close(fd);
	errno = error;
	return (-1);
}

/* Keeps where the socket is bound, should that have been left open. */
int
listen_bound(struct listener *listener, int fd)
{
	listener->sslen = sizeof(listener->ss);
	if (getsockname(fd, (void *)&listener->ss, &listener->sslen) == -1)
		return (listen_failed("getsockname"));
	return (0);
}

/*
 * A port of the kernel's choice is taken again by its number: a socket that
 * was bound by number keeps it whatever becomes of it (listen_check.c).
 */
static int
listen_tcp_socket(struct listener *listener)
{
	uint8_t addr[16];
	uint16_t port;
	int chosen, fd;

	listen_address(&listener->ss, addr, &port);
	fd = listen_bind(
	    SOCK_STREAM, SO_REUSEADDR, &listener->ss, listener->sslen);
	if (fd == -1 || listen_bound(listener, fd) == -1 || port != 0)
		return (fd);
	chosen = fd;
	fd = listen_bind(
	    SOCK_STREAM, SO_REUSEADDR, &listener->ss, listener->sslen);
	(void)close(chosen);
	return (fd);
}

static void
listen_websocket(struct listener *listener, const struct conf_address *address)
{
	int fd, on, defer, unsent;

	on = 1;
	defer = 1;
	unsent = LISTEN_UNSENT;
	fd = listen_tcp_socket(listener);
	if (fd == -1 || listen_again(fd) == -1)
		listen_fail(address, errno);
	/* Accepted sockets inherit both: one call for all of them. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
		sizeof(unsent)) == -1) {
		(void)listen_failed("setsockopt");
		listen_fail(address, errno);
	}
	/* No worker is woken before the request is there, up to a second. */
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer));
	listener->fds[listener->nfds++] = fd;
}

/*
 * Binds all that the configuration names.  Fatal, with the line and the
 * remedy, if one of them can't be had.
 */
void
listen_all(struct parent *parent)
{
	struct conf_address *address;
	struct listener *listener;

	TAILQ_INIT(&parent->listeners);
	TAILQ_FOREACH(address, &parent->conf->addresses, entry) {
		if (address->kind != CONF_LISTEN &&
		    address->kind != CONF_LISTEN_UDP)
			continue;
		listener = calloc(1, sizeof(*listener));
		if (listener == NULL)
			fatal("listeners");
		listener->ss = address->ss;
		listener->sslen = address->sslen;
		if (address->kind == CONF_LISTEN) {
			listener->kind = LISTENER_WEBSOCKET;
			listen_websocket(listener, address);
		} else {
			listener->kind = LISTENER_UDP;
			listen_udp(parent, listener, address);
		}
		TAILQ_INSERT_TAIL(&parent->listeners, listener, entry);
	}
	listen_udp_further(parent);
	inherit_close();
}

/* One line for each real address. */
void
listen_print(struct parent *parent)
{
	char text[LISTEN_TEXT];
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		listen_text(&listener->ss, text, sizeof(text));
		log_info("listening on %s (%s)", text,
		    listener->kind == LISTENER_UDP ? "udp" : "websocket");
	}
}

/* Whoever connects from now on is told at once that nobody is here. */
void
listen_close(struct parent *parent)
{
	struct listener *listener;
	uint32_t share;
	int i;

	while ((listener = TAILQ_FIRST(&parent->listeners)) != NULL) {
		TAILQ_REMOVE(&parent->listeners, listener, entry);
		for (i = 0; i < listener->nfds; i++)
			(void)close(listener->fds[i]);
		for (share = 1; share < listener->nshares; share++)
			(void)close(listener->shares[share]);
		free(listener);
	}
}
