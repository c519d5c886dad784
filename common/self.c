/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/auxv.h>
#include <sys/resource.h>

#include <fcntl.h>

#include "common/counters.h"
#include "common/self.h"

/*
 * What a process knows of itself.  /proc, where it stands, is closed to all of
 * them.  So memory is the most that was ever resident, which getrusage(2)
 * tells; before the exec it counts as well, so that a process cannot have less
 * than what it was forked from.  Descriptors are those that were there at the
 * start and those that the process has got since.
 */
#define SELF_FIRST 64 /* that may be open at the start */

static uint64_t self_descriptors;

/* The name of our program, as it was executed; NULL: not known. */
const char *
self_started_as(void)
{
	return ((const char *)(uintptr_t)getauxval(AT_EXECFN));
}

/* Counts what is open, before anything comes in; needs fcntl(2). */
void
self_begin(void)
{
	int fd;

	self_descriptors = 0;
	for (fd = 0; fd < SELF_FIRST; fd++)
		self_descriptors += fcntl(fd, F_GETFD) != -1;
}

/* Tells the parent, who has opened so many descriptors since self_begin(). */
void
self_tell(uint64_t descriptors)
{
	struct rusage usage;

	counters_own(OWN_DESCRIPTORS, self_descriptors + descriptors);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		counters_own(OWN_MEMORY, (uint64_t)usage.ru_maxrss * 1024);
}
