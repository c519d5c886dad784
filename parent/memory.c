/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <fcntl.h>
#include <unistd.h>

#include "parent/memory.h"

/*
 * So many bytes of memory for us and others to write, all zero.  Sealed, so
 * that nobody can cut it off under another's eyes.  name is what /proc calls
 * it.  Returns a descriptor, or -1 with errno.
 */
int
memory_shared(const char *name, size_t bytes)
{
	int fd;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return (-1);
	if (ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		0)
		return (fd);
	(void)close(fd);
	return (-1);
}
