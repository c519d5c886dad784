/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_SANDBOX_ACTS_H
#define REGRESS_UNIT_SANDBOX_ACTS_H

#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "common/sandbox.h"

#include "regress/unit/test.h"

/*
 * Acts: what a process that was taken over might try, each done in a process
 * of its own that has entered the real sandbox of a role.
 */
#define ACT_DIES    (-1) /* by SIGSYS */
#define ACT_ABORTS  (-2)
#define ACT_FAULTS  (-3)
#define ACT_LIMITED (-4) /* by SIGXFSZ */
#define ACT_LIVES   0
/* anything above: the errno with which it is refused */

/* Soft denies, EACCES and the like, are deaths in a strict build. */
#ifdef SANDBOX_STRICT
#define ACT_SOFT(error) ACT_DIES
#else
#define ACT_SOFT(error) (error)
#endif

struct act_call {
	const char *name;
	int expect;
	long number;
	long args[6];
};

static const char *act_role;
static void (*act_enter)(void);

/* The end of a process: exit status is the errno of the act, 0 for none. */
static inline int
act_end(int status)
{
	if (WIFEXITED(status))
		return (WEXITSTATUS(status));
	if (!WIFSIGNALED(status))
		return (-100);
	switch (WTERMSIG(status)) {
	case SIGSYS:
		return (ACT_DIES);
	case SIGABRT:
		return (ACT_ABORTS);
	case SIGSEGV:
		return (ACT_FAULTS);
	case SIGXFSZ:
		return (ACT_LIMITED);
	default:
		return (-100 - WTERMSIG(status));
	}
}

static inline void
act_report(const char *name, int expect, int got)
{
	if (expect == got) {
		printf("ok %s_%s\n", act_role, name);
	} else {
		printf("not ok %s_%s: expected %d, got %d\n", act_role, name,
		    expect, got);
		test_failures++;
	}
	fflush(stdout);
}

/* How a process ends in which call() returns 0, or -1 with errno. */
static inline int
act_do(void (*enter)(void), int (*call)(const void *), const void *arg)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (enter != NULL)
			enter();
		_exit(call(arg) == -1 ? errno : 0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		status = 0xff << 8;
	return (act_end(status));
}

static inline void
act_run(
    const char *name, int expect, int (*call)(const void *), const void *arg)
{
#ifdef SANDBOX_NONE
	/* A build with a sanitizer has no sandbox to test. */
	return;
#endif
	if (test_listed(act_role, name))
		return;
	act_report(name, expect, act_do(act_enter, call, arg));
}

static inline int
act_call(const void *arg)
{
	const struct act_call *c;

	c = arg;
	return (syscall(c->number, c->args[0], c->args[1], c->args[2],
		    c->args[3], c->args[4], c->args[5]) == -1
		    ? -1
		    : 0);
}

static inline void
act_calls(const struct act_call *calls, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		act_run(calls[i].name, calls[i].expect, act_call, &calls[i]);
}

#ifdef __x86_64__
/* getpid(2) as a 32-bit program would call it. */
static inline int
act_int80(const void *arg)
{
	long r;

	(void)arg;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory", "cc");
	return (r < 0 ? -1 : 0);
}

static inline int
act_x32(const void *arg)
{
	(void)arg;
	return (syscall(0x40000000L | SYS_getpid) == -1 ? -1 : 0);
}
#endif

static inline void
act_foreign(void)
{
#ifdef __x86_64__
	int int80;

	/* Some hypervisors have no such entry: it faults before any filter. */
	int80 = act_do(NULL, act_int80, NULL);
	act_run("int80", int80 == ACT_FAULTS ? ACT_FAULTS : ACT_DIES, act_int80,
	    NULL);
	act_run("x32", ACT_DIES, act_x32, NULL);
#endif
}

/* How many calls a table allows; -1: a row without checks hides one with. */
static inline int
act_count(const struct sandbox_rule *rules, size_t n)
{
	size_t i, j;
	int count, seen;

	count = 0;
	for (i = 0; i < n; i++) {
		seen = rules[i].error != 0;
		for (j = 0; j < n; j++) {
			if (i == j || rules[i].call != rules[j].call)
				continue;
			if (rules[i].error != 0 || rules[j].error != 0 ||
			    rules[i].nchecks == 0 || rules[j].nchecks == 0)
				return (-1);
			seen |= j < i;
		}
		count += !seen;
	}
	return (count);
}

#endif /* REGRESS_UNIT_SANDBOX_ACTS_H */
