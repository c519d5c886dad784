/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <unistd.h>

#include "common/sandbox.h"
#include "regress/unit/test.h"

#define OWN                                    \
	{                                      \
		0, UINT64_MAX, SANDBOX_OWN_PID \
	}

static const struct sandbox_rule rules[] = {
	SANDBOX_ALLOW(exit_group),
	SANDBOX_ALLOW(getppid),
	SANDBOX_ALLOW1(kill, OWN),
	SANDBOX_ALLOW2(lseek, SANDBOX_IS(0, 7), SANDBOX_BITS(2, 1)),
	SANDBOX_ALLOW1(dup, SANDBOX_IS(0, 50)),
	SANDBOX_ALLOW1(dup, SANDBOX_IS(0, 51)),
	SANDBOX_DENY(umask, EACCES),
};

#ifdef SANDBOX_NONE
#define DIES LIVES
#else
#define DIES (128 + SIGSYS)
#endif
#define LIVES  0
#define DENIED 3

/* What becomes of a process that makes this call in its sandbox. */
static int
makes(long call, long a, long b, long c)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (a == -1)
			a = getpid();
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		sandbox_enter(rules, sizeof(rules) / sizeof(rules[0]));
		_exit(syscall(call, a, b, c) == -1 && errno == EACCES ? DENIED
								      : LIVES);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return (-1);
	return (
	    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void
test_what_has_a_row_is_allowed_and_all_else_kills(void)
{
	CHECK(makes(SYS_getppid, 0, 0, 0) == LIVES);
	CHECK(makes(SYS_getuid, 0, 0, 0) == DIES);
	CHECK(makes(SYS_read, 0, 0, 0) == DIES);
}

/* By all 64 bits of an argument, and by all checks of a row. */
static void
test_arguments_are_looked_at(void)
{
	CHECK(makes(SYS_lseek, 7, 0, 0) == LIVES);
	CHECK(makes(SYS_lseek, 7, 0, 1) == LIVES);
	CHECK(makes(SYS_lseek, 7, 0, 2) == DIES);
	CHECK(makes(SYS_lseek, 8, 0, 0) == DIES);
#if LONG_MAX > INT32_MAX
	CHECK(makes(SYS_lseek, 7 | 1L << 32, 0, 0) == DIES);
	CHECK(makes(SYS_lseek, 7, 0, 1L << 40) == DIES);
#endif
}

static void
test_rows_of_one_call_add_up(void)
{
	CHECK(makes(SYS_dup, 50, 0, 0) == LIVES);
	CHECK(makes(SYS_dup, 51, 0, 0) == LIVES);
	CHECK(makes(SYS_dup, 52, 0, 0) == DIES);
}

static void
test_a_process_may_mean_itself(void)
{
	CHECK(makes(SYS_kill, -1, 0, 0) == LIVES);
	CHECK(makes(SYS_kill, getpid(), 0, 0) == DIES);
}

/* In a strict build, it kills. */
static void
test_what_a_library_only_tries(void)
{
#if defined(SANDBOX_STRICT) || defined(SANDBOX_NONE)
	CHECK(makes(SYS_umask, 0, 0, 0) == DIES);
#else
	CHECK(makes(SYS_umask, 0, 0, 0) == DENIED);
#endif
}

static void
test_machines_whose_calls_are_known(void)
{
	CHECK(sandbox_knows(SCMP_ARCH_X86_64));
	CHECK(sandbox_knows(SCMP_ARCH_AARCH64));
	CHECK(!sandbox_knows(SCMP_ARCH_X32) && !sandbox_knows(SCMP_ARCH_X86));
	CHECK(!sandbox_knows(SCMP_ARCH_ARM));
	CHECK(!sandbox_knows(SCMP_ARCH_S390X));
}

int
main(void)
{
	RUN(test_machines_whose_calls_are_known);
	RUN(test_what_has_a_row_is_allowed_and_all_else_kills);
	RUN(test_arguments_are_looked_at);
	RUN(test_rows_of_one_call_add_up);
	RUN(test_a_process_may_mean_itself);
	RUN(test_what_a_library_only_tries);
	return (test_failed());
}
