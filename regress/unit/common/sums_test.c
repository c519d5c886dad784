/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/sums.h"

#include "regress/unit/test.h"

static struct sums_data data;

static int
memory(size_t size)
{
	int fd;

	fd = memfd_create("sums", MFD_CLOEXEC);
	return (fd == -1 || ftruncate(fd, (off_t)size) == -1 ? -1 : fd);
}

static void
test_nothing_written_yet(void)
{
	const struct sums *sums;
	int fd;

	fd = memory(SUMS_BYTES);
	CHECK(fd != -1);
	sums = sums_open(fd);
	CHECK(sums != NULL);
	CHECK(sums_read(sums, &data) == -1);
}

static void
test_another_size(void)
{
	int fd;

	fd = memory(SUMS_BYTES - 1);
	CHECK(fd != -1);
	CHECK(sums_open(fd) == NULL);
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

/* A writer that ends in the middle never lets half of it be read. */
static void
test_half_written(void)
{
	static struct sums sums;

	sums_write(&sums, &data);
	CHECK(sums_read(&sums, &data) == 0);
	sums.seq++;
	CHECK(sums_read(&sums, &data) == -1);
}

static void
writer(struct sums *sums)
{
	static struct sums_data mine;
	uint64_t *word;
	uint64_t n;
	size_t i;

	for (n = 1;; n++) {
		word = (uint64_t *)&mine;
		for (i = 0; i < sizeof(mine) / sizeof(*word); i++)
			word[i] = n;
		sums_write(sums, &mine);
		if (n % 16 == 0)
			(void)usleep(1);
	}
}

static int
whole(void)
{
	const uint64_t *word;
	size_t i;

	word = (const uint64_t *)&data;
	for (i = 1; i < sizeof(data) / sizeof(*word); i++)
		if (word[i] != word[0])
			return (0);
	return (1);
}

/* While one writes, another sees all of one writing or nothing. */
static void
test_all_at_once(void)
{
	struct sums *sums;
	uint64_t last;
	int i, read, status;
	pid_t pid;

	sums = mmap(NULL, SUMS_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sums != MAP_FAILED);
	pid = fork();
	if (pid == 0)
		writer(sums);
	read = 0;
	last = 0;
	for (i = 0; i < 1000000 && read < 20000; i++) {
		if (sums_read(sums, &data) == -1)
			continue;
		read++;
		if (!whole() || data.counter[0] < last)
			break;
		last = data.counter[0];
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	CHECK(read == 20000);
	CHECK(last > 1);
}

int
main(void)
{
	RUN(test_nothing_written_yet);
	RUN(test_another_size);
	RUN(test_half_written);
	RUN(test_all_at_once);
	return (test_failed());
}
