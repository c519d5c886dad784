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

static int each[8], neach, no_more_at;

static int
note(void *arg, int fd)
{
	if (arg != each || neach == no_more_at)
		return (-1);
	each[neach++] = fd;
	return (0);
}

/* All that are open, in the order in which they were bound, until one fails. */
static void
test_each_socket(void)
{
	struct listener tcp, udp;

	memset(&tcp, 0, sizeof(tcp));
	memset(&udp, 0, sizeof(udp));
	tcp.nfds = 1;
	tcp.fds[0] = 31;
	tcp.nshares = 1;
	udp.nfds = 3;
	udp.fds[0] = 32;
	udp.fds[1] = -1;
	udp.fds[2] = 33;
	udp.nshares = 4;
	udp.shares[0] = 99; /* not one */
	udp.shares[1] = 34;
	udp.shares[2] = -1;
	udp.shares[3] = 35;
	TAILQ_INSERT_TAIL(&parent.listeners, &tcp, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &udp, entry);
	no_more_at = 8;
	CHECK(listen_each(&parent, note, each) == 0 && neach == 5);
	CHECK(each[0] == 31 && each[1] == 32 && each[2] == 33);
	CHECK(each[3] == 34 && each[4] == 35);
	for (no_more_at = 0; no_more_at < 5; no_more_at++) {
		neach = 0;
		CHECK(listen_each(&parent, note, each) == -1);
		CHECK(neach == no_more_at);
	}
	TAILQ_INIT(&parent.listeners);
	CHECK(listen_each(&parent, note, each) == 0);
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
	RUN(test_each_socket);
	RUN(test_what_a_service_manager_opened_stays_open);
	return (test_failed());
}
