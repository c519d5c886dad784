/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <fcntl.h>
#include <unistd.h>

#include "parent/inherit.h"

#include "regress/unit/test.h"

/* What the manager has opened as 3, 4, 5 and 6: TCP, UDP twice, IPv6. */
static struct sockaddr_storage tcp, udp, tcp6;

static int
bind_as(int want, int family, int type, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *sin6;
	struct sockaddr_in *sin;
	socklen_t len;
	int fd, on;

	on = 1;
	if (ss->ss_family == 0 && family == AF_INET) {
		sin = (void *)ss;
		sin->sin_family = AF_INET;
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else if (ss->ss_family == 0) {
		sin6 = (void *)ss;
		sin6->sin6_family = AF_INET6;
		sin6->sin6_addr = in6addr_loopback;
	}
	fd = socket(family, type, 0);
	len = sizeof(*ss);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)ss, sizeof(*ss)) == -1 ||
	    getsockname(fd, (struct sockaddr *)ss, &len) == -1)
		return (-1);
	if (fd != want)
		(void)dup2(fd, want);
	return (0);
}

static void
say(const char *count, int pid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", pid);
	(void)setenv("LISTEN_PID", text, 1);
	(void)setenv("LISTEN_FDS", count, 1);
}

static void
manager(void)
{
	closefrom(3);
	if (bind_as(3, AF_INET, SOCK_STREAM, &tcp) == -1 ||
	    bind_as(4, AF_INET, SOCK_DGRAM, &udp) == -1 ||
	    bind_as(5, AF_INET, SOCK_DGRAM, &udp) == -1 ||
	    bind_as(6, AF_INET6, SOCK_STREAM, &tcp6) == -1)
		exit(1);
	(void)dup2(STDERR_FILENO, 7);
}

static void
those_of_another_process_are_closed(void)
{
	manager();
	say("4", getpid() + 1);
	inherit_sockets();
	CHECK(inherit_take(SOCK_STREAM, &tcp) == -1);
	CHECK(fcntl(3, F_GETFD) == -1);
}

static void
each_is_taken_once_and_by_its_address(void)
{
	struct sockaddr_storage other;

	manager();
	say("4", getpid());
	inherit_sockets();
	CHECK(fcntl(7, F_GETFD) == -1);
	other = tcp;
	((struct sockaddr_in *)(void *)&other)->sin_port ^= htons(1);
	CHECK(inherit_take(SOCK_STREAM, &other) == -1);
	CHECK(inherit_take(SOCK_DGRAM, &tcp) == -1);
	CHECK(inherit_take(SOCK_STREAM, &tcp) == 3);
	CHECK(inherit_take(SOCK_STREAM, &tcp) == -1);
	CHECK(inherit_take(SOCK_DGRAM, &udp) == 4);
	CHECK(inherit_take(SOCK_DGRAM, &udp) == 5);
	CHECK(inherit_take(SOCK_DGRAM, &udp) == -1);
	CHECK(fcntl(3, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
}

static void
what_nobody_uses_is_kept(void)
{
	inherit_report();
	CHECK(inherit_take(SOCK_STREAM, &tcp6) == 6);
	CHECK(inherit_keep(4));
	CHECK(inherit_take(SOCK_DGRAM, &udp) == 4);
	CHECK(!inherit_keep(7));
}

static void
what_is_of_no_use_is_forgotten(void)
{
	CHECK(inherit_has(5));
	inherit_drop(5);
	CHECK(fcntl(5, F_GETFD) == -1);
	CHECK(!inherit_has(5));
	CHECK(!inherit_has(-1));
	CHECK(inherit_take(SOCK_DGRAM, &udp) == -1);
}

int
main(void)
{
	RUN(those_of_another_process_are_closed);
	RUN(each_is_taken_once_and_by_its_address);
	RUN(what_nobody_uses_is_kept);
	RUN(what_is_of_no_use_is_forgotten);
	return (test_failed());
}
