/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include <ev.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"

/* Where libev would say so on standard error, and abort. */
static void
loop_failed(const char *what)
{
	fatal("%s", what);
}

/* What libev takes for granted: without a word it would run, and hear nothing.
 */
static void
loop_check(void)
{
	struct epoll_event event;
	int inner, outer;

	inner = epoll_create1(EPOLL_CLOEXEC);
	outer = epoll_create1(EPOLL_CLOEXEC);
	if (inner == -1 || outer == -1)
		fatal("epoll_create1");
	event.events = EPOLLIN;
	event.data.fd = inner;
	if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) == -1)
		fatal("epoll_ctl");
	if (epoll_wait(outer, &event, 1, 0) == -1)
		fatal("epoll_wait");
	(void)close(inner);
	(void)close(outer);
}

/*
 * The loop of this process; fatal if there can't be one.  children: boolean, it
 * has some (ev_child).
 */
struct ev_loop *
loop_open(int children)
{
	struct ev_loop *loop;

	loop_check();
	ev_set_syserr_cb(loop_failed);
	loop = children ? ev_default_loop(EVFLAG_NOENV | EVBACKEND_EPOLL)
			: ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (loop == NULL)
		fatalx("libev: no event loop");
	return (loop);
}
