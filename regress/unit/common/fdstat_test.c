/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/fdstat.h"
#include "regress/unit/test.h"

#define SIZE 8192

static int
memory(off_t size)
{
	int fd;

	fd = memfd_create("memory", 0);
	if (fd == -1 || ftruncate(fd, size) == -1)
		abort();
	return (fd);
}

static void
test_as_fstat_does(void)
{
	struct stat st, want;
	int fd;

	fd = memory(SIZE);
	CHECK(fdstat(fd, &st) == 0 && fstat(fd, &want) == 0);
	CHECK(st.st_size == SIZE && st.st_ino == want.st_ino);
	CHECK(st.st_mode == want.st_mode);
	(void)close(fd);
	CHECK(fdstat(fd, &st) == -1 && errno == EBADF);
}

static void
test_memory_is_shared_and_its_descriptor_closed(void)
{
	char *a, *b;
	int fd, other;

	fd = memory(SIZE);
	other = dup(fd);
	a = fdstat_map(fd, SIZE, PROT_READ | PROT_WRITE);
	b = fdstat_map(other, SIZE, PROT_READ);
	CHECK(a != NULL && b != NULL && a != b);
	CHECK(fcntl(fd, F_GETFD) == -1 && fcntl(other, F_GETFD) == -1);
	a[SIZE - 1] = 'x';
	CHECK(b[SIZE - 1] == 'x');
}

/* A byte less would be a SIGBUS later on, one more is another layout. */
static void
test_another_size_is_refused(void)
{
	int fd;

	fd = memory(SIZE - 1);
	CHECK(fdstat_map(fd, SIZE, PROT_READ) == NULL && errno == EINVAL);
	CHECK(fcntl(fd, F_GETFD) == -1);
	fd = memory(SIZE + 1);
	CHECK(fdstat_map(fd, SIZE, PROT_READ) == NULL && errno == EINVAL);
	fd = memory(0);
	CHECK(fdstat_map(fd, SIZE, PROT_READ) == NULL && errno == EINVAL);
	CHECK(fdstat_map(fd, SIZE, PROT_READ) == NULL);
}

int
main(void)
{
	RUN(test_as_fstat_does);
	RUN(test_memory_is_shared_and_its_descriptor_closed);
	RUN(test_another_size_is_refused);
	return (test_failed());
}
