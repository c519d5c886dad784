/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "parent/memory.h"
#include "regress/unit/test.h"

#define BYTES 8192

static void
test_all_may_write_and_nobody_can_cut(void)
{
	struct stat st;
	uint8_t *base;
	int fd;

	fd = memory_shared("test", BYTES);
	CHECK(fd != -1 && fstat(fd, &st) == 0 && st.st_size == BYTES);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	base = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(base != MAP_FAILED && base[0] == 0 && base[BYTES - 1] == 0);
	CHECK(ftruncate(fd, BYTES / 2) == -1);
	CHECK(ftruncate(fd, 2 * BYTES) == -1);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1);
	CHECK(munmap(base, BYTES) == 0 && close(fd) == 0);
}

static void
test_none_is_left_of_what_cannot_be(void)
{
	int before, fd;

	before = memory_shared("test", BYTES);
	CHECK(before != -1 && close(before) == 0);
	CHECK(memory_shared("test", SIZE_MAX) == -1);
	fd = memory_shared("test", BYTES);
	CHECK(fd == before && close(fd) == 0);
}

int
main(void)
{
	RUN(test_all_may_write_and_nobody_can_cut);
	RUN(test_none_is_left_of_what_cannot_be);
	return (test_failed());
}
