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

#include "common/address.h"
#include "common/attributes.h"
#include "common/log.h"
#include "parent/inherit.h"

#define INHERIT_FIRST (STDERR_FILENO + 1)
#define INHERIT_MAX   1024

/*
 * What a service manager has opened is open for as long as it wants, whatever
 * we do; and as we may have no other means to get it again, we keep it.
 */
static struct inherited {
	int fd;    /* -1: closed, as it was of no use */
	int taken; /* boolean */
	int ours;  /* boolean: another parent has left it, successor.c */
	char name[INHERIT_NAME_LEN]; /* by which the manager knows it */
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

static int
inherit_order(const void *a, const void *b)
{
	const struct inherited *x, *y;

	x = a;
	y = b;
	return (
	    x->ours != y->ours ? x->ours - y->ours : strcmp(x->name, y->name));
}

/*
 * What we have had the manager keep for us is ours, in the order of its name;
 * the rest stays as it is, as the manager's names are not in order.
 */
static void
inherit_names(void)
{
	const char *names;
	size_t len;
	int i;

	names = getenv("LISTEN_FDNAMES");
	for (i = 0; i < inherit_nfds; i++) {
		inherited[i].name[0] = '\0';
		if (names == NULL)
			continue;
		len = strcspn(names, ":");
		inherited[i].ours =
		    len >= sizeof(INHERIT_OURS) - 1 &&
		    len < sizeof(inherited[i].name) &&
		    strncmp(names, INHERIT_OURS, sizeof(INHERIT_OURS) - 1) == 0;
		if (inherited[i].ours) {
			memcpy(inherited[i].name, names, len);
			inherited[i].name[len] = '\0';
		}
		names = names[len] == ':' ? names + len + 1 : NULL;
	}
	/* In this order they are looked for. */
	if (mergesort(inherited, (size_t)inherit_nfds, sizeof(inherited[0]),
		inherit_order) == -1)
		fatal("sockets of the service manager");
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
		inherited[i].ours = 0;
	}
	inherit_names();
	if (attributes_close_above(INHERIT_FIRST + inherit_nfds - 1) == -1)
		fatal("close_range, then close of each descriptor");
}

/*
 * Another parent has left this one; in the order in which they were bound.
 * Returns 0, or -1: there is no room for it.
 */
int
inherit_add(int fd)
{
	if (inherit_nfds == INHERIT_MAX)
		return (-1);
	inherited[inherit_nfds].fd = fd;
	inherited[inherit_nfds].taken = 0;
	inherited[inherit_nfds++].ours = 1;
	return (0);
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

/* Boolean: whichever the kernel chooses; the last parent had it do so. */
static int
inherit_has_no_port(const struct sockaddr_storage *ss)
{
	uint8_t addr[16];

	return (address_of(ss, addr) == 0);
}

static int
inherit_take_if(int type, const struct sockaddr_storage *ss, int any_port)
{
	int fd, i;

	for (i = 0; i < inherit_nfds; i++) {
		fd = inherited[i].fd;
		if (fd == -1 || inherited[i].taken ||
		    !inherit_is(fd, type, ss,
			any_port ||
			    (inherited[i].ours && inherit_has_no_port(ss))))
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

/* What the manager keeps for us under that name, likewise. */
int
inherit_take_named(const char *name)
{
	int i;

	for (i = 0; i < inherit_nfds; i++)
		if (inherited[i].fd != -1 && !inherited[i].taken &&
		    strcmp(inherited[i].name, name) == 0) {
			inherited[i].taken = 1;
			return (inherited[i].fd);
		}
	return (-1);
}

/*
 * All that the manager keeps for us: calls let_go with each name.  It is open
 * here as well by now.
 */
void
inherit_each_name(void (*let_go)(const char *))
{
	int i;

	for (i = 0; i < inherit_nfds; i++)
		if (inherited[i].name[0] != '\0')
			let_go(inherited[i].name);
}

/* Likewise the UNIX socket of that name which listens. */
int
inherit_take_local(const struct sockaddr_un *sun)
{
	struct sockaddr_un bound;
	socklen_t len;
	int i;

	for (i = 0; i < inherit_nfds; i++) {
		memset(&bound, 0, sizeof(bound));
		len = sizeof(bound);
		if (inherited[i].fd == -1 || inherited[i].taken ||
		    getsockname(inherited[i].fd, (void *)&bound, &len) == -1 ||
		    bound.sun_family != AF_UNIX ||
		    strcmp(bound.sun_path, sun->sun_path) != 0)
			continue;
		inherited[i].taken = 1;
		return (inherited[i].fd);
	}
	return (-1);
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
		if (inherited[i].fd != -1 && !inherited[i].ours)
			return (inherited[i].fd);
	return (-1);
}

/* Boolean: has the service manager opened it? */
int
inherit_has(int fd)
{
	int i;

	i = fd == -1 ? -1 : inherit_find(fd);
	return (i != -1 && !inherited[i].ours);
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
	if (!inherited[i].ours)
		return (1);
	inherited[i].fd = -1;
	return (0);
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

	for (i = 0; i < inherit_nfds; i++) {
		if (inherited[i].fd == -1 || inherited[i].taken)
			continue;
		/* The configuration has changed since. */
		if (inherited[i].ours)
			inherit_drop(inherited[i].fd);
		else
			log_warnx(
			    "socket %d of the service manager: no "
			    "\"listen\" line has its address, nor is it "
			    "a further UDP port of one; kept for a reload "
			    "that names it",
			    inherited[i].fd);
	}
}
