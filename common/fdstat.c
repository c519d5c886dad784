/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>
#include <sys/syscall.h>

#include <unistd.h>

#include "common/fdstat.h"

/*
 * fstat(2) by the system call of that name, for processes in a sandbox: the C
 * library takes newfstatat(2) with an empty path.  A filter cannot tell that
 * from one with a path, so that to allow it would be to allow stat(2); and
 * Landlock does not restrict stat(2).  Returns what fstat(2) does.
 */
int
fdstat(int fd, struct stat *st)
{
	return ((int)syscall(SYS_fstat, fd, st));
}
