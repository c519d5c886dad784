/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "regress/fuzz/fuzz.h"

int __real_close(int);
int __wrap_close(int);

#define FUZZ_BEGIN (1800000000 * FUZZ_SECOND) /* of wall time */

#define DESCRIPTORS 192 /* more than are open at once */

struct fuzz_clocks fuzz_clocks = { 1000 * FUZZ_SECOND, FUZZ_BEGIN };
void (*fuzz_on_exit)(int);
void (*fuzz_on_close)(int);
static uint8_t fuzz_open[DESCRIPTORS]; /* booleans: at the mark */

/* Takes `want` bytes, or what is left of them: *got. */
const uint8_t *
input_bytes(struct input *in, size_t want, size_t *got)
{
	const uint8_t *data;

	data = in->data;
	*got = want < in->size ? want : in->size;
	in->data += *got;
	in->size -= *got;
	return (data);
}

uint8_t
input_u8(struct input *in)
{
	const uint8_t *data;
	size_t n;

	data = input_bytes(in, 1, &n);
	return (n == 0 ? 0 : data[0]);
}

uint16_t
input_u16(struct input *in)
{
	uint16_t n;

	n = input_u8(in);
	return ((uint16_t)(n << 8 | input_u8(in)));
}

uint32_t
input_u32(struct input *in)
{
	uint32_t n;

	n = input_u16(in);
	return (n << 16 | input_u16(in));
}

void
fuzz_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

enum log_target
fuzz_log_target(void)
{
	/* Of a child that has no parent. */
	return (getenv("FUZZ_LOG") == NULL ? LOG_TO_PARENT : LOG_TO_STDERR);
}

/* Milliseconds pass. */
void
fuzz_pass(uint32_t milliseconds)
{
	fuzz_clocks.mono += milliseconds * (FUZZ_SECOND / 1000);
	fuzz_clocks.wall += milliseconds * (FUZZ_SECOND / 1000);
}

/* Somebody sets the clock by so many seconds, never to before the beginning. */
void
fuzz_move_wall(int64_t seconds)
{
	fuzz_clocks.wall += seconds * FUZZ_SECOND;
	if (fuzz_clocks.wall < FUZZ_BEGIN)
		fuzz_clocks.wall = FUZZ_BEGIN;
}

int
fuzz_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t now;

	now = id == CLOCK_REALTIME ? fuzz_clocks.wall : fuzz_clocks.mono;
	ts->tv_sec = now / FUZZ_SECOND;
	ts->tv_nsec = now % FUZZ_SECOND;
	return (0);
}

time_t
fuzz_time(time_t *t)
{
	REQUIRE(t == NULL);
	return (fuzz_clocks.wall / FUZZ_SECOND);
}

/* What exit(3) is in the sources of a role (instead.h). */
void
fuzz_exit(int status)
{
	if (fuzz_on_exit != NULL)
		fuzz_on_exit(status);
	if (status != 0 || fuzz_on_exit == NULL)
		fuzz_broken("exit", status, "must not end");
}

/* As poll(2), at once, and whatever the fuzzer's own alarm interrupts. */
int
fuzz_poll(struct pollfd *fds, unsigned n)
{
	int r;

	do
		r = poll(fds, n, 0);
	while (r == -1 && errno == EINTR);
	return (r);
}

/* Which descriptors are open, in one call. */
static void
fuzz_descriptors(uint8_t open[DESCRIPTORS])
{
	struct pollfd fds[DESCRIPTORS];
	int i;

	for (i = 0; i < DESCRIPTORS; i++) {
		fds[i].fd = i;
		fds[i].events = 0;
	}
	REQUIRE(fuzz_poll(fds, DESCRIPTORS) != -1);
	for (i = 0; i < DESCRIPTORS; i++)
		open[i] = (fds[i].revents & POLLNVAL) == 0;
}

static int
fuzz_count(const uint8_t open[DESCRIPTORS])
{
	int i, n;

	for (i = n = 0; i < DESCRIPTORS; i++)
		n += open[i];
	return (n);
}

/* At rest, as many descriptors are open as now. */
void
fuzz_descriptors_mark(void)
{
	fuzz_descriptors(fuzz_open);
}

void
fuzz_descriptors_check(void)
{
	uint8_t open[DESCRIPTORS];

	fuzz_descriptors(open);
	REQUIRE(fuzz_count(open) == fuzz_count(fuzz_open));
}

/* A process ends without a word: all that has been opened since is closed. */
void
fuzz_descriptors_close(void)
{
	uint8_t open[DESCRIPTORS];
	int i;

	fuzz_descriptors(open);
	for (i = 0; i < DESCRIPTORS; i++)
		if (open[i] && !fuzz_open[i])
			(void)close(i);
}

/* Whoever closes what is not open would one day close what is another's. */
int
__wrap_close(int fd)
{
	int r;

	if (fuzz_on_close != NULL)
		fuzz_on_close(fd);
	r = __real_close(fd);
	REQUIRE(r == 0 || fd == -1);
	return (r);
}
