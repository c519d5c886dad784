/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include <seccomp.h>

#include "worker/sandbox.h"

#include "regress/unit/sandbox_child.h"

static int pair[2], listener, udp, epoll;

static const int hot[] = {
	SCMP_SYS(epoll_wait),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
};

/* A connection goes to another worker, who looks at it; 0 is shared by all. */
static const struct act_call moving[] = {
	{ "fcntl_dup", ACT_LIVES, SYS_fcntl, { 0, F_DUPFD_CLOEXEC, 0 } },
	{ "fcntl_look", ACT_LIVES, SYS_fcntl, { 0, F_GETFL } },
	{ "fcntl_dup_below", ACT_DIES, SYS_fcntl, { 0, F_DUPFD, 0 } },
	{ "fcntl_owner", ACT_DIES, SYS_fcntl, { 0, F_SETOWN, 1 } },
};

static void
enter(void)
{
	child_confined();
	worker_sandbox();
}

static void
table_is_short(void)
{
	int n;

	n = act_count(worker_sandbox_rules, worker_sandbox_nrules);
	CHECK(n > 0);
	CHECK(n <= 40);
}

static void
hot_calls_have_no_checks(void)
{
	size_t i, j;
	int found;

	for (i = 0; i < sizeof(hot) / sizeof(hot[0]); i++) {
		found = 0;
		for (j = 0; j < worker_sandbox_nrules; j++)
			if (worker_sandbox_rules[j].call == hot[i] &&
			    worker_sandbox_rules[j].nchecks == 0)
				found = 1;
		CHECK(found);
	}
}

/* What a worker does all day. */
static int
act_messages(const void *arg)
{
	struct mmsghdr mm;
	struct iovec iov;
	char c;

	memset(&mm, 0, sizeof(mm));
	iov.iov_base = &c;
	iov.iov_len = 1;
	mm.msg_hdr.msg_iov = &iov;
	mm.msg_hdr.msg_iovlen = 1;
	c = 'x';
	if (send(pair[0], &c, 1, MSG_NOSIGNAL) != 1 ||
	    sendmsg(pair[0], &mm.msg_hdr, MSG_NOSIGNAL) != 1 ||
	    sendmmsg(pair[0], &mm, 1, 0) != 1 ||
	    send(pair[0], &c, 1, MSG_NOSIGNAL) != 1)
		return (-1);
	if (recv(pair[1], &c, 1, 0) != 1 || readv(pair[1], &iov, 1) != 1 ||
	    recvmsg(pair[1], &mm.msg_hdr, MSG_CMSG_CLOEXEC) != 1 ||
	    recvmmsg(pair[1], &mm, 1, 0, NULL) != 1)
		return (-1);
	return (close(pair[0]));
}

static int
act_sockets(const void *arg)
{
	struct sockaddr_storage ss;
	struct epoll_event ev;
	socklen_t len;
	int v6only;

	len = sizeof(ss);
	if (getsockname(udp, (struct sockaddr *)&ss, &len) == -1)
		return (-1);
	len = sizeof(v6only);
	if (getsockopt(udp, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len) == -1)
		return (-1);
	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) == -1 ||
	    epoll_wait(epoll, &ev, 1, 0) == -1)
		return (-1);
	if (accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) == -1 &&
	    errno != EAGAIN)
		return (-1);
	return (0);
}

static void
prepare(void)
{
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	udp = socket(AF_INET6, SOCK_DGRAM, 0);
	epoll = epoll_create1(0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 || udp == -1 ||
	    listener == -1 || listen(listener, 1) == -1 || epoll == -1)
		exit(1);
}

int
main(void)
{
	prepare();
	RUN(table_is_short);
	RUN(hot_calls_have_no_checks);
	child_acts("worker", enter);
	act_calls(moving, sizeof(moving) / sizeof(moving[0]));
	act_run("messages", ACT_LIVES, act_messages, NULL);
	act_run("sockets", ACT_LIVES, act_sockets, NULL);
	return (test_failed());
}
