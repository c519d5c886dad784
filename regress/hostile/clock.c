/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * Clocks that a test can set: linked into a program, these take the place of
 * libc's, in its libraries as well.  All processes of a beacon read the same
 * page, which the test writes.
 */
#define CLOCK_PATH "MALLOC_CLOCK" /* the parent lets MALLOC_* through */

static const volatile struct {
	int64_t wall;      /* seconds ahead of the true one */
	int64_t monotonic; /* likewise */
} * clock_page;

__attribute__((constructor)) static void
clock_open(void)
{
	const char *path;
	void *page;
	int fd;

	path = getenv(CLOCK_PATH);
	if (path == NULL)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		err(1, "%s", path);
	page = mmap(NULL, sizeof(*clock_page), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		err(1, "mmap");
	clock_page = page;
	(void)close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, clock, ts) == -1)
		return (-1);
	if (clock_page == NULL)
		return (0);
	if (clock == CLOCK_REALTIME)
		ts->tv_sec += clock_page->wall;
	else if (clock == CLOCK_MONOTONIC)
		ts->tv_sec += clock_page->monotonic;
	return (0);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
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
