/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * What a test can set of the machine: linked into a program, these take the
 * place of libc's, in its libraries as well.  All processes that have them read
 * the same page, which the test writes.
 */
#define MACHINE_PATH "MALLOC_MACHINE" /* the parent lets MALLOC_* through */

static const volatile struct {
	int64_t wall;      /* seconds ahead of the true time */
	int64_t monotonic; /* likewise */
	int64_t no_memory; /* boolean: nothing more is allocated */
} * machine_page;

/* By their own names, since they would call themselves by the usual ones. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

__attribute__((constructor)) static void
machine_open(void)
{
	const char *path;
	void *page;
	int fd;

	path = getenv(MACHINE_PATH);
	if (path == NULL)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		err(1, "%s", path);
	page = mmap(NULL, sizeof(*machine_page), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		err(1, "mmap");
	machine_page = page;
	(void)close(fd);
}

static int
machine_no_memory(void)
{
	if (machine_page == NULL || !machine_page->no_memory)
		return (0);
	errno = ENOMEM;
	return (1);
}

void *
malloc(size_t size)
{
	return (machine_no_memory() ? NULL : __libc_malloc(size));
}

void *
calloc(size_t n, size_t size)
{
	return (machine_no_memory() ? NULL : __libc_calloc(n, size));
}

void *
realloc(void *p, size_t size)
{
	return (machine_no_memory() ? NULL : __libc_realloc(p, size));
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, clock, ts) == -1)
		return (-1);
	if (machine_page == NULL)
		return (0);
	if (clock == CLOCK_REALTIME)
		ts->tv_sec += machine_page->wall;
	else if (clock == CLOCK_MONOTONIC)
		ts->tv_sec += machine_page->monotonic;
	return (0);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return (-1);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return (0);
}

time_t
time(time_t *out)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return (-1);
	if (out != NULL)
		*out = ts.tv_sec;
	return (ts.tv_sec);
}
