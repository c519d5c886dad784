/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "regress/bench/bare.h"

#define BARE_LIFETIME 3600 /* seconds, whatever happens */

/*
 * A listening TCP socket on a port that the kernel chooses and the benchmark
 * reads from standard error; name is the program's.
 */
int
bare_listener(const char *name)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(1, "socket");
	if (bind(fd, (struct sockaddr *)&sin, len) == -1)
		err(1, "bind");
	if (listen(fd, 65535) == -1)
		err(1, "listen");
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	fprintf(stderr, "%s: listening on 127.0.0.1:%d (tcp)\n", name,
	    ntohs(sin.sin_port));
	return (fd);
}

/*
 * An epoll instance that watches fd; its events have no data (NULL).  Also sees
 * to enough descriptors, and to an end in any case.
 */
int
bare_epoll(int fd)
{
	struct epoll_event ev;
	struct rlimit rl;
	int epfd;

	alarm(BARE_LIFETIME);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(1, "getrlimit");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(1, "setrlimit");
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd == -1)
		err(1, "epoll_create1");
	ev.events = EPOLLIN;
	ev.data.ptr = NULL;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
	return (epfd);
}
