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
	fd = listen_bind(SOCK_STREAM, 0, &listener->ss, listener->sslen, -1);
	/* One that goes by this reload has the port: beside that, then. */
	if (fd == -1 && errno == EADDRINUSE && listener->beside)
		return (listen_bind(SOCK_STREAM, SO_REUSEPORT, &listener->ss,
		    listener->sslen, -1));
	listener->beside = 0;
	if (fd == -1 || listen_bound(listener, fd) == -1 || port != 0 ||
	    listen_accepts(fd))
		return (fd);
	chosen = fd;
	fd = listen_bind(SOCK_STREAM, 0, &listener->ss, listener->sslen, -1);
	(void)close(chosen);
	return (fd);
}

/* Returns 0, or -1 with errno. */
static int
listen_tcp_ready(int fd)
{
	int defer, on, unsent;

	on = 1;
	defer = 1;
	unsent = LISTEN_UNSENT;
	if (listen_again(fd) == -1)
		return (-1);
	/* Accepted sockets inherit both: one call for all of them. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
		sizeof(unsent)) == -1)
		return (listen_failed("setsockopt"));
	/* No worker is woken before the request is there, up to a second. */
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer));
	return (0);
}

static int
listen_tcp(struct listener *listener, const struct conf_address *address)
{
	int fd;

	fd = listen_tcp_socket(listener);
	if (fd == -1)
		return (listen_fail(address, errno));
	listener->fds[listener->nfds++] = fd;
	if (listen_tcp_ready(fd) == -1)
		return (listen_fail(address, errno));
	return (0);
}

/* Boolean: does this line name something to listen on?  Then *kind is set. */
int
listen_named(const struct conf_address *address, enum listener_kind *kind)
{
	switch (address->kind) {
	case CONF_LISTEN:
		*kind = LISTENER_WEBSOCKET;
		return (1);
	case CONF_LISTEN_UDP:
		*kind = LISTENER_UDP;
		return (1);
	case CONF_METRICS:
		*kind = LISTENER_METRICS;
		return (1);
	default:
		return (0);
	}
}

/* The lowest that no other of its kind has. */
static uint32_t
listen_number(const struct parent *parent, enum listener_kind kind)
{
	const struct listener *other;
	uint32_t number;

	number = 0;
	do {
		TAILQ_FOREACH(other, &parent->listeners, entry)
			if (other->kind == kind && other->number == number)
				break;
	} while (other != NULL && ++number < PROTO_LISTENER_NUMBERS);
	return (number);
}

/* Closes it; what a service manager has opened stays open. */
void
listen_free(struct listener *listener)
{
	uint32_t share;
	int i;

	for (i = 0; i < listener->nfds; i++)
		if (listener->fds[i] != -1 && !inherit_keep(listener->fds[i]))
			(void)close(listener->fds[i]);
	for (share = 1; share < listener->nshares; share++)
		if (!inherit_keep(listener->shares[share]))
			(void)close(listener->shares[share]);
	free(listener);
}

/*
 * Binds what that line names, as one more of the parent's listeners; beside: in
 * place of another that goes.  Returns it, or NULL, and then the line and the
 * remedy are in the log.
 */
struct listener *
listen_open(
    struct parent *parent, const struct conf_address *address, int beside)
{
	struct listener *listener;

	listener = calloc(1, sizeof(*listener));
	if (listener == NULL || !listen_named(address, &listener->kind)) {
		(void)listen_fail(address, ENOMEM);
		free(listener);
		return (NULL);
	}
	listener->named = address->ss;
	listener->ss = address->ss;
	listener->sslen = address->sslen;
	listener->proxy_protocol = address->proxy_protocol;
	listener->nshares = 1;
	listener->beside = beside;
	listener->number = listen_number(parent, listener->kind);
	if ((listener->kind == LISTENER_UDP
		    ? listen_udp(parent, listener, address)
		    : listen_tcp(listener, address)) == -1) {
		listen_free(listener);
		return (NULL);
	}
	TAILQ_INSERT_TAIL(&parent->listeners, listener, entry);
	return (listener);
}

/*
 * Binds all that the configuration names.  Fatal, with the line and the
 * remedy, if one of them can't be had.
 */
void
listen_all(struct parent *parent)
{
	struct conf_address *address;
	enum listener_kind kind;

	TAILQ_INIT(&parent->listeners);
	TAILQ_FOREACH(address, &parent->conf->addresses, entry)
		if (listen_named(address, &kind) &&
		    listen_open(parent, address, 0) == NULL)
			exit(1);
	listen_udp_further(parent);
	inherit_report();
}

/*
 * Calls fn with each socket, in the order in which they were bound, until it
 * returns -1.  Returns what it has returned last.
 */
int
listen_each(const struct parent *parent, int (*fn)(void *, int), void *arg)
{
	const struct listener *listener;
	uint32_t share;
	int i;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		for (i = 0; i < listener->nfds; i++)
			if (listener->fds[i] != -1 &&
			    fn(arg, listener->fds[i]) == -1)
				return (-1);
		for (share = 1; share < listener->nshares; share++)
			if (listener->shares[share] != -1 &&
			    fn(arg, listener->shares[share]) == -1)
				return (-1);
	}
	return (0);
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

/* With its real address. */
void
listen_print(const struct listener *listener)
{
	char text[LISTEN_TEXT];

	listen_text(&listener->ss, text);
	log_info("listening on %s (%s)", text, listen_kind(listener));
}

/* One line for each. */
void
listen_print_all(const struct parent *parent)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		listen_print(listener);
}

/* Whoever connects from now on is told at once that nobody is here. */
void
listen_close(struct parent *parent)
{
	struct listener *listener;

	while ((listener = TAILQ_FIRST(&parent->listeners)) != NULL) {
		TAILQ_REMOVE(&parent->listeners, listener, entry);
		listen_free(listener);
	}
}
