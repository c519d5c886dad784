/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/attributes.h"
#include "regress/unit/test.h"

/* An old kernel, or a container that denies it. */
static int denied;

int
close_range(unsigned int first, unsigned int last, int flags)
{
	rlim_t fd;

	if (denied) {
		errno = ENOSYS;
		return (-1);
	}
	for (fd = first; fd < 1024; fd++)
		(void)close((int)fd);
	return (0);
}

static void
test_signals_do_what_they_do_by_default(void)
{
	struct sigaction action;
	sigset_t blocked;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGRTMAX, SIG_IGN);
	(void)sigfillset(&blocked);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	attributes_signals();
	CHECK(sigaction(SIGPIPE, NULL, &action) == 0);
	CHECK(action.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGRTMAX, NULL, &action) == 0);
	CHECK(action.sa_handler == SIG_DFL);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0);
	CHECK(sigismember(&blocked, SIGTERM) == 0);
	CHECK(sigismember(&blocked, SIGRTMAX) == 0);
}

static int
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

/* In a process of its own: 0 if what is above goes, and what is not stays. */
static int
closes_above(void)
{
	int high, low, status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		low = open("/dev/null", O_RDONLY);
		high = fcntl(low, F_DUPFD, 500);
		if (high < 500 || attributes_close_above(low) == -1)
			_exit(1);
		_exit(is_open(low) && is_open(2) && !is_open(high) &&
			      !is_open(low + 1)
			  ? 0
			  : 2);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return (-1);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void
test_descriptors_above_are_closed(void)
{
	CHECK(closes_above() == 0);
	denied = 1;
	CHECK(closes_above() == 0);
	denied = 0;
}

int
main(void)
{
	RUN(test_signals_do_what_they_do_by_default);
	RUN(test_descriptors_above_are_closed);
	return (test_failed());
}
