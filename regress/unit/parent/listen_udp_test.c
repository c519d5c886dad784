/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>

#include "regress/unit/parent/manager.h"
#include "regress/unit/test.h"

#define WORKERS 3

static struct parent parent;
static struct config conf;
static struct conf_address address;
static struct listener listener;

static void
begin(void)
{
	TAILQ_INIT(&parent.listeners);
	parent.nworkers = WORKERS;
	TAILQ_INIT(&conf.addresses);
	TAILQ_INSERT_TAIL(&conf.addresses, &address, entry);
	address.kind = CONF_LISTEN_UDP;
	(void)strlcpy(address.file, "file", sizeof(address.file));
	address.line = 1;
}

static void
fresh(void)
{
	memset(&listener, 0, sizeof(listener));
	listener.kind = LISTENER_UDP;
	listener.nshares = 1;
	loopback(&listener.ss, &listener.sslen);
	address.ss = listener.ss;
	address.sslen = listener.sslen;
	manager_dropped = -1;
}

static void
gone(void)
{
	while (listener.nfds > 0)
		(void)close(listener.fds[--listener.nfds]);
}

static int
open_one(void)
{
	int fd;

	fd = listen_udp_socket(&listener);
	if (fd == -1 || listen_bound(&listener, fd) == -1)
		abort();
	return (fd);
}

static void
test_one_for_each_worker_at_one_port(void)
{
	struct listener each;
	int i;

	fresh();
	CHECK(listen_udp(&parent, &listener, &address) == 0);
	CHECK(listener.nfds == WORKERS && port_of(&listener.ss) != 0);
	for (i = 0; i < WORKERS; i++) {
		CHECK(listen_bound(&each, listener.fds[i]) == 0);
		CHECK(port_of(&each.ss) == port_of(&listener.ss));
		/* It is bound to one address, from which answers leave. */
		CHECK(!option_of(listener.fds[i], IPPROTO_IP, IP_PKTINFO));
	}
	gone();
}

static void
test_all_addresses_tell_which_it_was(void)
{
	struct sockaddr_in *four;

	fresh();
	four = (void *)&listener.ss;
	four->sin_addr.s_addr = htonl(INADDR_ANY);
	CHECK(listen_udp(&parent, &listener, &address) == 0);
	CHECK(option_of(listener.fds[WORKERS - 1], IPPROTO_IP, IP_PKTINFO));
	gone();
}

/* Another program of our user may not have joined in before us. */
static void
test_the_first_is_alone_at_its_port(void)
{
	struct listener theirs;

	fresh();
	theirs = listener;
	theirs.fds[0] = open_one();
	theirs.ss = listener.ss;
	CHECK(listen_udp(&parent, &listener, &address) == -1);
	CHECK(listener.nfds == 0);
	/* Unless that is of ours. */
	TAILQ_INSERT_TAIL(&parent.listeners, &theirs, entry);
	CHECK(listen_udp(&parent, &listener, &address) == 0);
	CHECK(listener.nfds == WORKERS);
	TAILQ_REMOVE(&parent.listeners, &theirs, entry);
	(void)close(theirs.fds[0]);
	gone();
}

static void
test_all_of_a_service_manager_are_used(void)
{
	int i;

	fresh();
	for (i = 0; i <= WORKERS; i++)
		manager_fds[i] = open_one();
	manager_nfds = WORKERS + 1;
	CHECK(listen_udp(&parent, &listener, &address) == 0);
	CHECK(listener.nfds == WORKERS + 1 && manager_nfds == 0);
	CHECK(listener.fds[0] == manager_fds[WORKERS]);
	gone();
	/* One that was shut down would have no reader. */
	fresh();
	manager_opens(open_one());
	(void)shutdown(manager_fds[0], SHUT_RD);
	CHECK(listen_udp(&parent, &listener, &address) == -1);
	CHECK(manager_dropped == manager_fds[0] && listener.nfds == 0);
}

static void
test_further_ports(void)
{
	struct listener further;
	struct listener at;

	fresh();
	further = listener;
	CHECK(listen_udp(&parent, &listener, &address) == 0);
	TAILQ_INSERT_TAIL(&parent.listeners, &listener, entry);
	/* As they are bound for gossip, */
	listener.shares[1] = listen_udp_share(&listener);
	CHECK(listener.shares[1] != -1);
	CHECK(listen_bound(&at, listener.shares[1]) == 0);
	CHECK(port_of(&at.ss) != port_of(&listener.ss));
	(void)close(listener.shares[1]);
	/* and as a service manager has opened them. */
	manager_port = listen_udp_socket(&further);
	at.fds[0] = manager_port;
	listen_udp_further(&parent);
	CHECK(listener.nshares == 2 && listener.shares[1] == at.fds[0]);
	(void)close(listener.shares[1]);
	manager_port = listen_udp_socket(&further);
	(void)shutdown(manager_port, SHUT_RDWR);
	listen_udp_further(&parent);
	CHECK(listener.nshares == 2);
	TAILQ_REMOVE(&parent.listeners, &listener, entry);
	gone();
}

int
main(void)
{
	begin();
	RUN(test_one_for_each_worker_at_one_port);
	RUN(test_all_addresses_tell_which_it_was);
	RUN(test_the_first_is_alone_at_its_port);
	RUN(test_all_of_a_service_manager_are_used);
	RUN(test_further_ports);
	return (test_failed());
}
