/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/syscall.h>

#include <linux/seccomp.h>

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"

/*
 * Machines whose calls the tables know.  With 32 bits there are others, for
 * times of 64 bits and more; on i386 and s390x libc makes all those of sockets
 * by socketcall(2), behind which a filter does not see.
 */
static const uint32_t sandbox_machines[] = { SCMP_ARCH_X86_64,
	SCMP_ARCH_AARCH64 };

int
sandbox_knows(uint32_t machine)
{
	size_t i;

	for (i = 0; i < sizeof(sandbox_machines) / sizeof(sandbox_machines[0]);
	     i++)
		if (sandbox_machines[i] == machine)
			return (1);
	return (0);
}

/* Said at once, and not by children that die. */
void
sandbox_check(void)
{
#ifndef SANDBOX_NONE
	if (!sandbox_knows(seccomp_arch_native()))
		fatalx("no sandbox for this CPU: its system calls are not "
		       "known (x86-64 and arm64 are)");
#endif
}

#ifndef SANDBOX_NONE
/* libseccomp returns what errno would be, negative. */
static void
sandbox_must(int result, const char *what)
{
	if (result == 0)
		return;
	errno = -result;
	fatal("seccomp: %s", what);
}

static void
sandbox_attribute(
    scmp_filter_ctx filter, enum scmp_filter_attr attribute, uint32_t value)
{
	sandbox_must(
	    seccomp_attr_set(filter, attribute, value), "filter attribute");
}

static void
sandbox_rule(scmp_filter_ctx filter, const struct sandbox_rule *rule)
{
	struct scmp_arg_cmp cmp[SANDBOX_CHECKS];
	const struct sandbox_check *check;
	uint32_t action;
	unsigned int i;

	action = SCMP_ACT_ALLOW;
	if (rule->error != 0)
		action = SCMP_ACT_ERRNO((uint32_t)rule->error);
#ifdef SANDBOX_STRICT
	/* The default is to kill. */
	if (rule->error != 0)
		return;
#endif
	memset(cmp, 0, sizeof(cmp));
	for (i = 0; i < rule->nchecks; i++) {
		check = &rule->checks[i];
		cmp[i].arg = check->arg;
		cmp[i].op = SCMP_CMP_MASKED_EQ;
		cmp[i].datum_a = check->mask;
		cmp[i].datum_b = check->value;
		if (check->value == SANDBOX_OWN_PID)
			cmp[i].datum_b = (uint64_t)getpid();
	}
	sandbox_must(seccomp_rule_add_array(
			 filter, action, rule->call, rule->nchecks, cmp),
	    "rule");
}
#endif

/*
 * Leaves this process, for good, the n calls of rules alone.  Returns with
 * the filter in force or not at all.
 */
void
sandbox_enter(const struct sandbox_rule *rules, size_t n)
{
#ifdef SANDBOX_NONE
	log_info("built with a sanitizer: runs without a system call filter");
#else
	static const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	scmp_filter_ctx filter;
	size_t i;

	/* libseccomp does not say why it can't. */
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == -1)
		fatal("seccomp: KILL_PROCESS");
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		fatalx("seccomp_init: no filter");
	sandbox_attribute(
	    filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	sandbox_attribute(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (i = 0; i < n; i++)
		sandbox_rule(filter, &rules[i]);
	sandbox_must(seccomp_load(filter), "the kernel refuses the filter");
	seccomp_release(filter);
#endif
}
