/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/child.h"
#include "common/landlock.h"
#include "regress/unit/test.h"

static int
is_zero(int resource)
{
	struct rlimit rl;

	return (getrlimit(resource, &rl) == 0 && rl.rlim_cur == 0 &&
		rl.rlim_max == 0);
}

static int
no_limits(void)
{
	return (is_zero(RLIMIT_CORE) && is_zero(RLIMIT_FSIZE) &&
		is_zero(RLIMIT_NPROC));
}

static int
no_files(void)
{
	return (open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
}

static int
dies_with_its_parent(void)
{
	int number;

	return (prctl(PR_GET_PDEATHSIG, &number) == 0 && number == SIGKILL);
}

static int
no_new_privileges(void)
{
	return (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

/* What check says in a process that is confined. */
static int
confined(int (*check)(void))
{
	static const struct child child;
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		child_confine(&child);
		_exit(check() ? 0 : 1);
	}
	return (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0);
}

static void
test_limits(void)
{
	CHECK(confined(no_limits));
}

static void
test_files(void)
{
	int ruleset;

	ruleset = landlock_new(0);
	if (ruleset == -1)
		return; /* as the log says */
	(void)close(ruleset);
	CHECK(confined(no_files));
}

static void
test_rest(void)
{
	CHECK(confined(dies_with_its_parent));
	CHECK(confined(no_new_privileges));
}

int
main(void)
{
	RUN(test_limits);
	RUN(test_files);
	RUN(test_rest);
	return (test_failed());
}
