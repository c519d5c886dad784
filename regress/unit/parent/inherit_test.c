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

/* ---- of another parent ---- */

static char let_go[100]; /* names */

static void
is_let_go(const char *name)
{
	(void)strlcat(let_go, name, sizeof(let_go));
	(void)strlcat(let_go, " ", sizeof(let_go));
}

/* Those that it has had the manager keep come in the order of their names. */
static void
what_was_kept_is_taken_by_name_and_in_order(void)
{
	manager();
	say("5", getpid());
	(void)setenv("LISTEN_FDNAMES",
	    "beacond-file:beacond-socket-0001:beacond-socket-0000:"
	    "beacond.socket",
	    1);
	inherit_sockets();
	CHECK(inherit_take_named("beacond-queue-0000") == -1);
	CHECK(inherit_take_named("beacond.socket") == -1);
	CHECK(inherit_take_named("beacond-file") == 3);
	CHECK(inherit_take_named("beacond-file") == -1);
	CHECK(inherit_take(SOCK_DGRAM, &udp) == 5);
	CHECK(inherit_take(SOCK_DGRAM, &udp) == 4);
	/* That one is the manager's own, and what it keeps for us is not. */
	CHECK(inherit_any() == 6);
	CHECK(inherit_has(6) && !inherit_has(4) && !inherit_has(3));
	inherit_each_name(is_let_go);
	CHECK(strcmp(let_go, "beacond-file beacond-socket-0000 "
			     "beacond-socket-0001 ") == 0);
}

/* Of ours is closed what the configuration has not any more. */
static void
what_was_kept_and_is_of_no_use_is_closed(void)
{
	manager();
	say("4", getpid());
	(void)setenv("LISTEN_FDNAMES", "x:beacond-b:beacond-a:y", 1);
	inherit_sockets();
	CHECK(inherit_take(SOCK_DGRAM, &udp) == 5);
	inherit_report();
	CHECK(fcntl(3, F_GETFD) != -1 && fcntl(5, F_GETFD) != -1);
	CHECK(fcntl(4, F_GETFD) == -1 && fcntl(6, F_GETFD) != -1);
	/* Whoever does not use it any more closes it, unlike the manager's. */
	CHECK(!inherit_keep(5) && !inherit_has(5));
	CHECK(inherit_keep(6));
}

/* Names that are none of ours, too many or too few, do no harm. */
static void
names_that_make_no_sense(void)
{
	char name[200];

	manager();
	say("4", getpid());
	(void)memset(name, 'a', sizeof(name));
	(void)memcpy(name, "beacond-", 8);
	(void)memcpy(name + sizeof(name) - 10, ":::::::::", 10);
	(void)setenv("LISTEN_FDNAMES", name, 1);
	inherit_sockets();
	let_go[0] = '\0';
	inherit_each_name(is_let_go);
	CHECK(let_go[0] == '\0' && inherit_has(3) && inherit_has(6));
	CHECK(inherit_take(SOCK_STREAM, &tcp) == 3);
	manager();
	(void)setenv("LISTEN_FDNAMES", "", 1);
	inherit_sockets();
	CHECK(inherit_take(SOCK_STREAM, &tcp) == 3 && inherit_has(3));
	(void)unsetenv("LISTEN_FDNAMES");
}

/* The kernel has chosen a port for the last parent: it stays. */
static void
a_port_that_was_chosen_stays(void)
{
	struct sockaddr_storage any;
	int fd;

	closefrom(3);
	say("0", getpid());
	inherit_sockets();
	manager();
	CHECK(inherit_add(3) == 0 && inherit_add(4) == 0);
	any = tcp;
	((struct sockaddr_in *)(void *)&any)->sin_port = 0;
	CHECK(inherit_take(SOCK_STREAM, &any) == 3);
	CHECK(inherit_take(SOCK_STREAM, &any) == -1);
	CHECK(inherit_take(SOCK_DGRAM, &any) == 4);
	/* The manager's are as they are written down. */
	closefrom(3);
	manager();
	say("4", getpid());
	inherit_sockets();
	CHECK(inherit_take(SOCK_STREAM, &any) == -1);
	for (fd = 0; inherit_add(6) == 0; fd++)
		CHECK(fd < 100000);
	CHECK(fd > 100);
}

static void
a_local_socket_is_taken_by_its_path(void)
{
	struct sockaddr_un sun;
	int fd;

	closefrom(3);
	say("0", getpid());
	inherit_sockets();
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path),
	    "/tmp/inherit_test.%d", getpid());
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(fd != -1 && bind(fd, (void *)&sun, sizeof(sun)) == 0);
	(void)unlink(sun.sun_path);
	CHECK(inherit_add(fd) == 0);
	sun.sun_path[5] ^= 1;
	CHECK(inherit_take_local(&sun) == -1);
	sun.sun_path[5] ^= 1;
	CHECK(inherit_take_local(&sun) == fd && inherit_take_local(&sun) == -1);
}

int
main(void)
{
	RUN(those_of_another_process_are_closed);
	RUN(each_is_taken_once_and_by_its_address);
	RUN(what_nobody_uses_is_kept);
	RUN(what_is_of_no_use_is_forgotten);
	RUN(what_was_kept_is_taken_by_name_and_in_order);
	RUN(what_was_kept_and_is_of_no_use_is_closed);
	RUN(names_that_make_no_sense);
	RUN(a_port_that_was_chosen_stays);
	RUN(a_local_socket_is_taken_by_its_path);
	return (test_failed());
}
