/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <unistd.h>

#include "common/proto.h"
#include "regress/unit/test.h"

static struct msg_hello hello;

/* What becomes of a child that such a hello comes to. */
static int
child(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		proto_check_hello(&hello, "test");
		_exit(7);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return (-1);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void
test_of_one_build(void)
{
	memset(&hello, 0xff, sizeof(hello));
	proto_fill_hello(&hello);
	CHECK(hello.worker == 0 && hello.epoch == 0);
	CHECK(proto_same_build(&hello) && child() == 7);
	/* The rest of it is not compared. */
	hello.worker = 3;
	hello.epoch = 9;
	CHECK(proto_same_build(&hello));
}

static void
test_of_another_version_or_layout(void)
{
	proto_fill_hello(&hello);
	hello.layout ^= 1;
	CHECK(!proto_same_build(&hello) && child() == 1);
	proto_fill_hello(&hello);
	hello.version[0] ^= 1;
	CHECK(!proto_same_build(&hello) && child() == 1);
	/* Whatever it is, it need not end. */
	memset(hello.version, 'x', sizeof(hello.version));
	CHECK(!proto_same_build(&hello) && child() == 1);
}

int
main(void)
{
	RUN(test_of_one_build);
	RUN(test_of_another_version_or_layout);
	return (test_failed());
}
