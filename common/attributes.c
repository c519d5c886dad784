/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/attributes.h"
#include "common/log.h"

/* More descriptors than any kernel gives out unless told to (fs.nr_open). */
#define ATTRIBUTES_FDS_MAX (1U << 20)

/* Every signal does what it does by default, and none is blocked. */
void
attributes_signals(void)
{
	sigset_t none;
	int number;

	/* Those that can't be changed refuse, and need not be. */
	for (number = 1; number <= SIGRTMAX; number++)
		(void)signal(number, SIG_DFL);
	(void)sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal("sigprocmask");
}

/*
 * Closes all descriptors above `last`.  Returns 0, or -1 with errno.  A
 * container may deny close_range(2), and an old kernel has none: one at a time
 * then.
 */
int
attributes_close_above(int last)
{
	struct rlimit rl;
	rlim_t fd;

	if (close_range((unsigned int)last + 1, ~0U, 0) == 0)
		return (0);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return (-1);
	if (rl.rlim_max > ATTRIBUTES_FDS_MAX)
		rl.rlim_max = ATTRIBUTES_FDS_MAX;
	for (fd = (rlim_t)last + 1; fd < rl.rlim_max; fd++)
		if (close((int)fd) == -1 && errno != EBADF)
			return (-1);
	return (0);
}
