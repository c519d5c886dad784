/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>

#include "regress/unit/parent/manager.h"
#include "regress/unit/test.h"

static struct parent parent;
static struct config conf;
static struct conf_address address;

static void
line(enum conf_address_kind kind)
{
	address.kind = kind;
	(void)strlcpy(address.file, "file", sizeof(address.file));
	address.line = 1;
	loopback(&address.ss, &address.sslen);
}

static void
test_lines_that_name_a_listener(void)
{
	enum listener_kind kind;

	line(CONF_METRICS);
	CHECK(listen_named(&address, &kind) && kind == LISTENER_METRICS);
	line(CONF_LISTEN_UDP);
	CHECK(listen_named(&address, &kind) && kind == LISTENER_UDP);
	line(CONF_LISTEN);
	CHECK(listen_named(&address, &kind) && kind == LISTENER_WEBSOCKET);
	line(CONF_PEER_BEACON);
	CHECK(!listen_named(&address, &kind));
}

/* Bound by number, so that it keeps its port; and set for what it accepts. */
static void
test_a_listener_of_tcp(void)
{
	struct listener *listener, after;
	int fd;

	line(CONF_LISTEN);
	listener = listen_open(&parent, &address, 0);
	CHECK(listener != NULL && TAILQ_FIRST(&parent.listeners) == listener);
	fd = listener->fds[0];
	CHECK(listen_accepts(fd) && port_of(&listener->ss) != 0);
	CHECK(port_of(&listener->named) == 0);
	CHECK(option_of(fd, IPPROTO_TCP, TCP_NODELAY));
	CHECK(option_of(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == LISTEN_UNSENT);
	CHECK(shutdown(fd, SHUT_RD) == 0 && listen_again(fd) == 0);
	CHECK(listen_bound(&after, fd) == 0);
	CHECK(port_of(&after.ss) == port_of(&listener->ss));
	listen_close(&parent);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

/* Each kind has its own, and one that is free again is given again. */
static void
test_numbers(void)
{
	struct listener *first, *second, *udp;

	line(CONF_LISTEN);
	first = listen_open(&parent, &address, 0);
	second = listen_open(&parent, &address, 0);
	CHECK(!listen_has(&parent, LISTENER_UDP));
	line(CONF_LISTEN_UDP);
	udp = listen_open(&parent, &address, 0);
	CHECK(first != NULL && second != NULL && udp != NULL);
	CHECK(first->number == 0 && second->number == 1 && udp->number == 0);
	CHECK(listen_has(&parent, LISTENER_UDP));
	TAILQ_REMOVE(&parent.listeners, first, entry);
	listen_free(first);
	line(CONF_LISTEN);
	first = listen_open(&parent, &address, 0);
	CHECK(first != NULL && first->number == 0);
	listen_close(&parent);
	CHECK(TAILQ_EMPTY(&parent.listeners));
}

static void
test_a_port_that_is_taken(void)
{
	struct listener *listener;

	line(CONF_LISTEN);
	listener = listen_open(&parent, &address, 0);
	CHECK(listener != NULL);
	address.ss = listener->ss;
	CHECK(listen_open(&parent, &address, 0) == NULL);
	/* Nor beside one that does not want it. */
	CHECK(listen_open(&parent, &address, 1) == NULL);
	CHECK(TAILQ_NEXT(listener, entry) == NULL);
	listen_close(&parent);
}

static void
test_what_a_service_manager_opened_stays_open(void)
{
	struct listener *listener, theirs;

	line(CONF_LISTEN);
	manager_kept =
	    listen_bind(SOCK_STREAM, 0, &address.ss, address.sslen, -1);
	CHECK(manager_kept != -1 && listen_bound(&theirs, manager_kept) == 0);
	CHECK(listen_again(manager_kept) == 0);
	manager_opens(manager_kept);
	address.ss = theirs.ss;
	listener = listen_open(&parent, &address, 0);
	CHECK(listener != NULL && listener->fds[0] == manager_kept);
	listen_close(&parent);
	CHECK(listen_accepts(manager_kept));
	(void)close(manager_kept);
}

int
main(void)
{
	TAILQ_INIT(&parent.listeners);
	parent.nworkers = 2;
	parent.conf = &conf;
	TAILQ_INIT(&conf.addresses);
	TAILQ_INSERT_TAIL(&conf.addresses, &address, entry);
	RUN(test_lines_that_name_a_listener);
	RUN(test_a_listener_of_tcp);
	RUN(test_numbers);
	RUN(test_a_port_that_is_taken);
	RUN(test_what_a_service_manager_opened_stays_open);
	return (test_failed());
}
