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
 * A port of the kernel's choice is taken again by its number: a socket that
 * was bound by number keeps it whatever becomes of it (listen_check.c).
 */
static int
listen_tcp_socket(struct listener *listener)
{
	uint8_t addr[16];
	uint16_t port;
	int chosen, fd;

	port = address_of(&listener->ss, addr);
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
listen_tcp(struct listener *listener, const struct conf_address *address)
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
		    address->kind != CONF_LISTEN_UDP &&
		    address->kind != CONF_METRICS)
			continue;
		listener = calloc(1, sizeof(*listener));
		if (listener == NULL)
			fatal("listeners");
		listener->ss = address->ss;
		listener->sslen = address->sslen;
		listener->proxy_protocol = address->proxy_protocol;
		if (address->kind == CONF_LISTEN_UDP) {
			listener->kind = LISTENER_UDP;
			listen_udp(parent, listener, address);
		} else {
			listener->kind = address->kind == CONF_METRICS
					     ? LISTENER_METRICS
					     : LISTENER_WEBSOCKET;
			listen_tcp(listener, address);
		}
		TAILQ_INSERT_TAIL(&parent->listeners, listener, entry);
	}
	listen_udp_further(parent);
	inherit_close();
}

/* Boolean: is any of the listeners of this kind? */
int
listen_has(const struct parent *parent, enum listener_kind kind)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind == kind)
			return (1);
	return (0);
}

/* One line for each real address. */
void
listen_print(struct parent *parent)
{
	char text[LISTEN_TEXT];
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		listen_text(&listener->ss, text);
		log_info("listening on %s (%s)", text, listen_kind(listener));
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
