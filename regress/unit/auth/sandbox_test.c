/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/sandbox.h"

#include "regress/unit/sandbox_child.h"

static int pair[2];

static const struct act_call forbidden[] = {
	/* auth never sees a client */
	CHILD_CALL(accept4, ACT_DIES, 0, 0, 0, 0),
	CHILD_CALL(getsockname, ACT_DIES, 0, 0, 0),
	CHILD_CALL(sendmmsg, ACT_DIES, 0, 0, 0, 0),
	CHILD_CALL(recvmmsg, ACT_DIES, 0, 0, 0, 0, 0),
	CHILD_CALL(sendmsg, ACT_DIES, 0, 0, MSG_FASTOPEN),
	CHILD_CALL(sendto, ACT_DIES, 0, 0, 0, MSG_FASTOPEN, 0, 0),
	{ "sendto_more", ACT_DIES, SYS_sendto, { 0, 0, 0, MSG_MORE, 0, 0 } },
	{ "sendto_address", ACT_DIES, SYS_sendto,
	    { 0, 0, 0, 0, (long)"x", 1 } },
};

static void
enter(void)
{
	child_confined();
	auth_sandbox();
}

static void
table_is_short(void)
{
	int n;

	n = act_count(auth_sandbox_rules, auth_sandbox_nrules);
	CHECK(n > 0);
	CHECK(n <= 40);
}

/* The parent's messages bring the key file. */
static int
act_key_file(const void *arg)
{
	struct msghdr msg;
	struct iovec iov;
	char c;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = &c;
	iov.iov_len = 1;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	c = 'x';
	if (sendmsg(pair[0], &msg, MSG_NOSIGNAL) != 1 ||
	    recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC) != 1)
		return (-1);
	if (read(child_map_fd, &c, 1) != 1)
		return (-1);
	errno = EIO;
	return (c == 7 ? close(child_map_fd) : -1);
}

int
main(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return (1);
	RUN(table_is_short);
	child_acts("auth", enter);
	act_calls(forbidden, sizeof(forbidden) / sizeof(forbidden[0]));
	act_run("key_file", ACT_LIVES, act_key_file, NULL);
	return (test_failed());
}
