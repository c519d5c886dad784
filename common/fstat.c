/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>
#include <sys/syscall.h>

#include <unistd.h>

/*
 * fstat(2) by the system call of that name, in place of the C library's, which
 * takes newfstatat(2) with an empty path.  A filter cannot tell that from one
 * with a path, so that to allow it would be to allow stat(2); and Landlock
 * does not restrict stat(2).
 */
int
fstat(int fd, struct stat *st)
{
	return ((int)syscall(SYS_fstat, fd, st));
}
