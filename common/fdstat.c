/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdint.h>
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
#if UINTPTR_MAX > UINT32_MAX
	return ((int)syscall(SYS_fstat, fd, st));
#else
	/* Where that one's structure is another, there is no sandbox either. */
	return (fstat(fd, st));
#endif
}

static void *
fdstat_shared(int fd, size_t len, int prot)
{
	struct stat st;
	void *base;

	if (fdstat(fd, &st) == -1)
		return (NULL);
	if (st.st_size != (off_t)len) {
		errno = EINVAL;
		return (NULL);
	}
	base = mmap(NULL, len, prot, MAP_SHARED, fd, 0);
	return (base == MAP_FAILED ? NULL : base);
}

/*
 * Maps the memory that the parent has sent, of exactly len bytes, and closes
 * fd.  NULL with errno: EINVAL if it is of another size.
 */
void *
fdstat_map(int fd, size_t len, int prot)
{
	void *base;

	base = fdstat_shared(fd, len, prot);
	(void)close(fd);
	return (base);
}
