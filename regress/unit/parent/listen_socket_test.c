/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <fcntl.h>

#include "regress/unit/parent/manager.h"
#include "regress/unit/test.h"

static int
bound(int type, int reuse, struct listener *listener)
{
	int fd;

	fd = listen_bind(type, reuse, &listener->ss, listener->sslen, -1);
	if (fd == -1 || listen_bound(listener, fd) == -1)
		abort();
	return (fd);
}

static void
test_bound_and_no_other_beside_it(void)
{
	struct listener listener;
	int fd;

	loopback(&listener.ss, &listener.sslen);
	fd = bound(SOCK_STREAM, 0, &listener);
	CHECK(port_of(&listener.ss) != 0);
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	CHECK(!listen_accepts(fd) && listen_again(fd) == 0);
	CHECK(listen_bind(SOCK_STREAM, 0, &listener.ss, listener.sslen, -1) ==
	      -1);
	CHECK(errno == EADDRINUSE);
	CHECK(strcmp(listen_failed_call(), "bind") == 0);
	(void)close(fd);
}

static void
test_one_port_is_shared_if_both_want_that(void)
{
	struct listener listener;
	int one, other;

	loopback(&listener.ss, &listener.sslen);
	one = bound(SOCK_DGRAM, SO_REUSEPORT, &listener);
	CHECK(
	    listen_bind(SOCK_DGRAM, 0, &listener.ss, listener.sslen, -1) == -1);
	CHECK(errno == EADDRINUSE);
	other = listen_bind(
	    SOCK_DGRAM, SO_REUSEPORT, &listener.ss, listener.sslen, -1);
	CHECK(other != -1);
	(void)close(one);
	(void)close(other);
}

/* The same socket, at the same port, whoever has ended its listening. */
static void
test_a_listener_listens_again(void)
{
	struct listener listener, after;
	int chosen, fd;

	loopback(&listener.ss, &listener.sslen);
	chosen = bound(SOCK_STREAM, 0, &listener);
	/* By its number, or it loses its port with that. */
	fd = bound(SOCK_STREAM, 0, &listener);
	(void)close(chosen);
	CHECK(listen_again(fd) == 0 && listen_accepts(fd));
	CHECK(shutdown(fd, SHUT_RD) == 0 && !listen_accepts(fd));
	CHECK(listen_again(fd) == 0 && listen_accepts(fd));
	CHECK(listen_bound(&after, fd) == 0);
	CHECK(port_of(&after.ss) == port_of(&listener.ss));
	(void)close(fd);
}

/* What waits to be read is no fault of the socket. */
static void
test_a_udp_socket_that_was_shut_down(void)
{
	static const int ways[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	struct listener listener;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		loopback(&listener.ss, &listener.sslen);
		fd = bound(SOCK_DGRAM, 0, &listener);
		CHECK(sendto(fd, "x", 1, 0, (void *)&listener.ss,
			  listener.sslen) == 1);
		CHECK(listen_udp_works(fd, &listener.ss, listener.sslen));
		(void)shutdown(fd, ways[i]);
		CHECK(!listen_udp_works(fd, &listener.ss, listener.sslen));
		(void)close(fd);
	}
}

static void
test_those_of_a_service_manager(void)
{
	struct listener listener;
	int fd;

	loopback(&listener.ss, &listener.sslen);
	fd = bound(SOCK_STREAM, 0, &listener);
	/* It does not listen: mended. */
	manager_opens(fd);
	CHECK(listen_bind(SOCK_STREAM, 0, &listener.ss, listener.sslen, -1) ==
	      fd);
	CHECK(listen_accepts(fd) && manager_dropped == -1);
	(void)close(fd);
	loopback(&listener.ss, &listener.sslen);
	fd = bound(SOCK_DGRAM, 0, &listener);
	manager_opens(fd);
	CHECK(
	    listen_bind(SOCK_DGRAM, 0, &listener.ss, listener.sslen, -1) == fd);
	/* It is shut down: given back. */
	(void)shutdown(fd, SHUT_RDWR);
	manager_opens(fd);
	CHECK(
	    listen_bind(SOCK_DGRAM, 0, &listener.ss, listener.sslen, -1) == -1);
	CHECK(errno == ESHUTDOWN && manager_dropped == fd);
	CHECK(
	    strcmp(listen_failed_call(), "socket of the service manager") == 0);
}

int
main(void)
{
	RUN(test_bound_and_no_other_beside_it);
	RUN(test_one_port_is_shared_if_both_want_that);
	RUN(test_a_listener_listens_again);
	RUN(test_a_udp_socket_that_was_shut_down);
	RUN(test_those_of_a_service_manager);
	return (test_failed());
}
