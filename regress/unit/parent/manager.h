/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_PARENT_MANAGER_H
#define REGRESS_UNIT_PARENT_MANAGER_H

#include <sys/socket.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/inherit.h"
#include "parent/parent.h"

/* Takes the place of parent/inherit.c: what a service manager has opened. */
static int manager_fds[LISTEN_UDP_MAX + 1], manager_nfds;
static int manager_port = -1;    /* a further port */
static int manager_dropped = -1; /* the last that was of no use */
static int manager_kept = -1;    /* is not to be closed */

int
inherit_take(int type, const struct sockaddr_storage *ss)
{
	return (manager_nfds == 0 ? -1 : manager_fds[--manager_nfds]);
}

int
inherit_take_port(int type, const struct sockaddr_storage *ss)
{
	int fd;

	fd = manager_port;
	manager_port = -1;
	return (fd);
}

int
inherit_any(void)
{
	return (manager_nfds == 0 ? -1 : manager_fds[0]);
}

int
inherit_keep(int fd)
{
	return (fd == manager_kept);
}

void
inherit_drop(int fd)
{
	manager_dropped = fd;
	(void)close(fd);
}

void
inherit_report(void)
{
}

static inline void
manager_opens(int fd)
{
	manager_fds[manager_nfds++] = fd;
}

/* 127.0.0.1, at a port of the kernel's choice. */
static inline void
loopback(struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *four;

	memset(ss, 0, sizeof(*ss));
	four = (void *)ss;
	four->sin_family = AF_INET;
	four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*len = sizeof(*four);
}

static inline in_port_t
port_of(const struct sockaddr_storage *ss)
{
	return (((const struct sockaddr_in *)(const void *)ss)->sin_port);
}

static inline int
option_of(int fd, int level, int name)
{
	socklen_t len;
	int value;

	value = 0;
	len = sizeof(value);
	if (getsockopt(fd, level, name, &value, &len) == -1)
		abort();
	return (value);
}

#endif /* REGRESS_UNIT_PARENT_MANAGER_H */
