/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attributes.h"
#include "common/log.h"
#include "parent/inherit.h"

#define INHERIT_FIRST (STDERR_FILENO + 1)
#define INHERIT_MAX   1024

/*
 * What a service manager has opened is open for as long as it wants, whatever
 * we do; and as we may have no other means to get it again, we keep it.
 */
static struct {
	int fd;    /* -1: closed, as it was of no use */
	int taken; /* boolean */
} inherited[INHERIT_MAX];
static int inherit_nfds;

/* How many the environment says are ours. */
static int
inherit_count(void)
{
	const char *count, *error, *pid;
	long long n;

	count = getenv("LISTEN_FDS");
	pid = getenv("LISTEN_PID");
	if (count == NULL || pid == NULL)
		return (0);
	n = strtonum(pid, 1, INT32_MAX, &error);
	if (error != NULL || n != getpid())
		return (0);
	n = strtonum(count, 0, INHERIT_MAX, &error);
	if (error != NULL)
		fatalx("LISTEN_FDS \"%s\" is %s", count, error);
	return ((int)n);
}

/* At start: keeps these sockets and closes whatever else was left open. */
void
inherit_sockets(void)
{
	int fd, flags, i;

	inherit_nfds = inherit_count();
	for (i = 0; i < inherit_nfds; i++) {
		fd = INHERIT_FIRST + i;
		flags = fcntl(fd, F_GETFL);
		if (flags == -1 ||
		    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
		    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
			fatal("socket %d of the service manager", fd);
		inherited[i].fd = fd;
		inherited[i].taken = 0;
	}
	if (attributes_close_above(INHERIT_FIRST + inherit_nfds - 1) == -1)
		fatal("close_range, then close of each descriptor");
}

static int
inherit_same_address(const struct sockaddr_storage *a,
    const struct sockaddr_storage *b, int any_port)
{
	const struct sockaddr_in6 *a6, *b6;
	const struct sockaddr_in *a4, *b4;

	if (a->ss_family != b->ss_family)
		return (0);
	if (a->ss_family == AF_INET) {
		a4 = (const void *)a;
		b4 = (const void *)b;
		return ((any_port || a4->sin_port == b4->sin_port) &&
			a4->sin_addr.s_addr == b4->sin_addr.s_addr);
	}
	a6 = (const void *)a;
	b6 = (const void *)b;
	return (
	    a->ss_family == AF_INET6 &&
	    (any_port || a6->sin6_port == b6->sin6_port) &&
	    a6->sin6_scope_id == b6->sin6_scope_id &&
	    memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0);
}

static int
inherit_is(int fd, int type, const struct sockaddr_storage *ss, int any_port)
{
	struct sockaddr_storage bound;
	socklen_t len;
	int is;

	len = sizeof(is);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &len) == -1 || is != type)
		return (0);
	memset(&bound, 0, sizeof(bound));
	len = sizeof(bound);
	return (getsockname(fd, (struct sockaddr *)&bound, &len) == 0 &&
		inherit_same_address(&bound, ss, any_port));
}

static int
inherit_take_if(int type, const struct sockaddr_storage *ss, int any_port)
{
	int fd, i;

	for (i = 0; i < inherit_nfds; i++) {
		fd = inherited[i].fd;
		if (fd == -1 || inherited[i].taken ||
		    !inherit_is(fd, type, ss, any_port))
			continue;
		inherited[i].taken = 1;
		return (fd);
	}
	return (-1);
}

/*
 * A socket of this type (SOCK_STREAM, SOCK_DGRAM) that is bound to ss, non-
 * blocking and the caller's from now on; -1 if none is left.
 */
int
inherit_take(int type, const struct sockaddr_storage *ss)
{
	return (inherit_take_if(type, ss, 0));
}

/* As inherit_take(), but whatever its port is. */
int
inherit_take_port(int type, const struct sockaddr_storage *ss)
{
	return (inherit_take_if(type, ss, 1));
}

static int
inherit_find(int fd)
{
	int i;

	for (i = 0; i < inherit_nfds; i++)
		if (inherited[i].fd == fd)
			return (i);
	return (-1);
}

/* One of those that the service manager has opened; -1: there is none. */
int
inherit_any(void)
{
	int i;

	for (i = 0; i < inherit_nfds; i++)
		if (inherited[i].fd != -1)
			return (inherited[i].fd);
	return (-1);
}

/* Boolean: has the service manager opened it? */
int
inherit_has(int fd)
{
	return (fd != -1 && inherit_find(fd) != -1);
}

/*
 * The caller does not use it any more.  Returns 1 if it came from here, and is
 * kept until it is taken again; 0: the caller closes it.
 */
int
inherit_keep(int fd)
{
	int i;

	i = inherit_find(fd);
	if (i == -1)
		return (0);
	inherited[i].taken = 0;
	return (1);
}

/* Closes a socket that is of no use, wherever it came from. */
void
inherit_drop(int fd)
{
	int error, i;

	error = errno;
	i = inherit_find(fd);
	if (i != -1)
		inherited[i].fd = -1;
	(void)close(fd);
	errno = error;
}

/* After all were taken: a socket without its line in the configuration. */
void
inherit_report(void)
{
	int i;

	for (i = 0; i < inherit_nfds; i++)
		if (inherited[i].fd != -1 && !inherited[i].taken)
			log_warnx(
			    "socket %d of the service manager: no "
			    "\"listen\" line has its address, nor is it "
			    "a further UDP port of one; kept for a reload "
			    "that names it",
			    inherited[i].fd);
}
