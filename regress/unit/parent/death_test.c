/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <signal.h>

#include "regress/unit/parent/parts.h"

/* What is said of a child that is dead, and what of it speaks of a break-in. */

static char said[4096];

/* The line, if there is one. */
static const char *
says(int status, int pid)
{
	struct process *p;
	int pair[2], saved;
	ssize_t n;

	p = parent.auth.child;
	p->pid = pid;
	if (pipe(pair) == -1)
		return (NULL);
	saved = dup(STDERR_FILENO);
	(void)dup2(pair[1], STDERR_FILENO);
	death_log(p, status);
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(pair[1]);
	n = read(pair[0], said, sizeof(said) - 1);
	(void)close(pair[0]);
	said[n > 0 ? n : 0] = '\0';
	return (said);
}

static void
test_by_a_signal(void)
{
	CHECK(strstr(says(SIGSEGV, 12), "security: child (pid 12) died of "
					"SIGSEGV") != NULL);
	CHECK(COUNTED(SECURITY) == 1);
	CHECK(strstr(says(SIGKILL, 13), "beacond: child (pid 13) died of "
					"SIGKILL") != NULL);
	CHECK(strstr(says(SIGUSR1, 14), "died of signal") != NULL);
	CHECK(COUNTED(SECURITY) == 1);
}

static void
test_by_itself(void)
{
	CHECK(strstr(says(3 << 8, 15), "exited with status 3") != NULL);
	CHECK(strstr(says(0, 15), "exited with status 0") != NULL);
	/* As it was told. */
	parent.auth.retired = 1;
	CHECK(says(0, 15)[0] == '\0');
	CHECK(strstr(says(1 << 8, 15), "exited with status 1") != NULL);
	parent.auth.retired = 0;
}

static void
test_one_that_was_killed(void)
{
	parent.auth.child->killed = 1;
	CHECK(says(SIGSYS, 16)[0] == '\0');
	parent.auth.child->killed = 0;
	parent.stopping = 2;
	CHECK(says(SIGKILL, 16)[0] == '\0');
	CHECK(COUNTED(SECURITY) == 1);
}

int
main(void)
{
	log_init("beacond", LOG_TO_STDERR);
	parts_init();
	RUN(test_by_a_signal);
	RUN(test_by_itself);
	RUN(test_one_that_was_killed);
	return (test_failed());
}
