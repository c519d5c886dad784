/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include "metrics/sandbox.h"

#include "regress/unit/sandbox_child.h"

static int pair[2], listener, epoll;

static const struct act_call forbidden[] = {
	CHILD_CALL(accept4, ACT_DIES, 0, 0, 0, 0),
	CHILD_CALL(getsockname, ACT_DIES, 0, 0, 0),
	CHILD_CALL(sendmmsg, ACT_DIES, 0, 0, 0, 0),
	CHILD_CALL(recvmmsg, ACT_DIES, 0, 0, 0, 0, 0),
	CHILD_CALL(read, ACT_DIES, 0, 0, 0),
	CHILD_CALL(sendmsg, ACT_DIES, 0, 0, MSG_FASTOPEN),
	CHILD_CALL(sendto, ACT_DIES, 0, 0, 0, MSG_FASTOPEN, 0, 0),
	{ "recvfrom_error", ACT_DIES, SYS_recvfrom,
	    { 0, 0, 0, MSG_ERRQUEUE, 0, 0 } },
	{ "sendto_address", ACT_DIES, SYS_sendto,
	    { 0, 0, 0, 0, (long)"x", 1 } },
};

static void
enter(void)
{
	child_confined();
	metrics_sandbox();
}

static void
table_is_short(void)
{
	int n;

	n = act_count(metrics_sandbox_rules, metrics_sandbox_nrules);
	CHECK(n > 0);
	CHECK(n <= 40);
}

/* A request, from its first byte to its last. */
static int
act_serve(const void *arg)
{
	struct epoll_event ev;
	char c;

	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) == -1 ||
	    epoll_wait(epoll, &ev, 1, 0) == -1)
		return (-1);
	if (accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) == -1 &&
	    errno != EAGAIN)
		return (-1);
	if (send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 ||
	    recv(pair[1], &c, 1, 0) != 1)
		return (-1);
	return (close(pair[1]));
}

int
main(void)
{
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	epoll = epoll_create1(0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 || listener == -1 ||
	    listen(listener, 1) == -1 || epoll == -1)
		return (1);
	RUN(table_is_short);
	child_acts("metrics", enter);
	act_calls(forbidden, sizeof(forbidden) / sizeof(forbidden[0]));
	act_run("serve", ACT_LIVES, act_serve, NULL);
	return (test_failed());
}
