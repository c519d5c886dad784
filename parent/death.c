/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <signal.h>

#include "common/log.h"
#include "parent/parent.h"

/* Deaths that speak of a break-in rather than of bad luck. */
static const struct {
	const char *name;
	int number;
	int security; /* boolean */
} death_signals[] = {
	{ "SIGSYS", SIGSYS, 1 },
	{ "SIGSEGV", SIGSEGV, 1 },
	{ "SIGBUS", SIGBUS, 1 },
	{ "SIGILL", SIGILL, 1 },
	{ "SIGABRT", SIGABRT, 1 },
	{ "SIGKILL", SIGKILL, 0 },
	{ "SIGTERM", SIGTERM, 0 },
};

static void
death_log_signal(const struct process *p, int number)
{
	size_t i;

	for (i = 0; i < sizeof(death_signals) / sizeof(death_signals[0]); i++)
		if (death_signals[i].number == number) {
			if (death_signals[i].security)
				counters_add(COUNTER_SECURITY, 1);
			log_warnx("%s%s (pid %d) died of %s",
			    death_signals[i].security ? "security: " : "",
			    p->place->name, p->pid, death_signals[i].name);
			return;
		}
	log_warnx(
	    "%s (pid %d) died of signal %d", p->place->name, p->pid, number);
}

/* What is to be said of it; status: as of wait(2). */
void
death_log(const struct process *p, int status)
{
	if (p->killed || p->parent->stopping > 1)
		return;
	if (WIFSIGNALED(status))
		death_log_signal(p, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 ||
		 !(p->parent->stopping || p->place->retired))
		log_warnx("%s (pid %d) exited with status %d", p->place->name,
		    p->pid, WEXITSTATUS(status));
}
