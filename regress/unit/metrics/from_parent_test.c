/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/wait.h>

#include <unistd.h>

#include "regress/unit/metrics/parts.h"

/* In which order the parent may say what; each case is a process of its own. */

enum { ENDED = 0, DIED = 1, ALIVE = 10, BEGAN = 11 };

static struct imsgbuf parent;
static int began; /* sample_start() and serve_start() */
static int listeners;

void
sample_start(struct metrics *of)
{
	began++;
}

void
serve_start(struct metrics *of)
{
	began++;
}

const char *
serve_listen(struct metrics *of, const struct msg_listener *msg, int fd)
{
	(void)close(fd);
	return (++listeners > 2 ? "too many" : NULL);
}

const char *
serve_unlisten(struct metrics *of, const struct msg_unlisten *msg)
{
	return (NULL);
}

static void
say_fd(uint32_t type, size_t size)
{
	int fd;

	fd = memfd_create("it", 0);
	if (fd == -1 || ftruncate(fd, (off_t)size) == -1 ||
	    imsg_compose(&parent, type, 0, 0, fd, NULL, 0) == -1 ||
	    imsgbuf_write(&parent) == -1)
		abort();
	ev_run(m.loop, EVRUN_NOWAIT);
}

static void
say_listener(void)
{
	static const struct msg_listener msg;

	if (imsg_compose(&parent, PM_LISTENER, 0, 0, dup(STDERR_FILENO), &msg,
		sizeof(msg)) == -1 ||
	    imsgbuf_write(&parent) == -1)
		abort();
	ev_run(m.loop, EVRUN_NOWAIT);
}

static void
say(uint32_t type)
{
	if (imsg_compose(&parent, type, 0, 0, -1, NULL, 0) == -1 ||
	    imsgbuf_write(&parent) == -1)
		abort();
	ev_run(m.loop, EVRUN_NOWAIT);
}

static void
hello(void)
{
	struct msg_hello msg;

	proto_fill_hello(&msg);
	if (imsg_compose(&parent, PM_HELLO, 0, 0, -1, &msg, sizeof(msg)) ==
		-1 ||
	    imsgbuf_write(&parent) == -1)
		abort();
	ev_run(m.loop, EVRUN_NOWAIT);
}

/* The type of what it said last; 0: nothing. */
static uint32_t
said(void)
{
	struct imsg imsg;
	uint32_t type;

	(void)channel_flush(&m.parent);
	if (imsgbuf_read(&parent) != 1)
		return (0);
	for (type = 0; imsgbuf_get(&parent, &imsg) == 1; imsg_free(&imsg))
		type = imsg_get_type(&imsg);
	return (type);
}

/* The status of one that hears that. */
static int
one_that(void (*hears)(void))
{
	int pair[2], status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid != 0) {
		if (pid == -1 || waitpid(pid, &status, 0) == -1)
			abort();
		return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	}
	if (channel_pair(pair) == -1 || imsgbuf_init(&parent, pair[1]) == -1)
		abort();
	imsgbuf_allow_fdsend(&parent);
	parts_loop();
	from_parent_open(&m, pair[0]);
	hears();
	_exit(began == 2 ? BEGAN : ALIVE);
}

static void
hears_all(void)
{
	hello();
	say_fd(PM_COUNTERS, COUNTERS_BYTES);
	say_fd(PM_SUMS, SUMS_BYTES);
	say_listener();
	say(PM_START);
	if (said() != MP_READY)
		_exit(DIED);
	say(PM_PING);
	if (said() != MP_PONG)
		_exit(DIED);
}

static void
hears_start_at_once(void)
{
	say(PM_START);
}

static void
hears_hello_twice(void)
{
	hello();
	hello();
}

static void
hears_start_without_counters(void)
{
	hello();
	say_fd(PM_SUMS, SUMS_BYTES);
	say(PM_START);
}

static void
hears_start_without_sums(void)
{
	hello();
	say_fd(PM_COUNTERS, COUNTERS_BYTES);
	say(PM_START);
}

static void
hears_of_a_page_that_is_none(void)
{
	hello();
	say_fd(PM_COUNTERS, COUNTERS_BYTES - 1);
}

static void
hears_of_sums_that_are_none(void)
{
	hello();
	say_fd(PM_SUMS, SUMS_BYTES + 1);
}

static void
hears_of_sums_twice(void)
{
	hello();
	say_fd(PM_SUMS, SUMS_BYTES);
	say_fd(PM_SUMS, SUMS_BYTES);
}

static void
hears_of_too_many_listeners(void)
{
	hello();
	say_listener();
	say_listener();
	say_listener();
}

static void
hears_of_counters_too_late(void)
{
	hears_all();
	say_fd(PM_COUNTERS, COUNTERS_BYTES);
}

static void
is_to_end(void)
{
	hello();
	say(PM_SHUTDOWN);
}

static void
is_left_alone(void)
{
	hello();
	(void)close(parent.fd);
	ev_run(m.loop, EVRUN_NOWAIT);
}

static void
test_all_in_order(void)
{
	CHECK(one_that(hears_all) == BEGAN);
}

static void
test_out_of_order(void)
{
	CHECK(one_that(hears_start_at_once) == DIED);
	CHECK(one_that(hears_hello_twice) == DIED);
	CHECK(one_that(hears_start_without_counters) == DIED);
	CHECK(one_that(hears_start_without_sums) == DIED);
	CHECK(one_that(hears_of_counters_too_late) == DIED);
}

static void
test_what_is_not_what_it_says(void)
{
	CHECK(one_that(hears_of_a_page_that_is_none) == DIED);
	CHECK(one_that(hears_of_sums_that_are_none) == DIED);
	CHECK(one_that(hears_of_sums_twice) == DIED);
	CHECK(one_that(hears_of_too_many_listeners) == DIED);
}

static void
test_its_end(void)
{
	CHECK(one_that(is_to_end) == ENDED);
	CHECK(one_that(is_left_alone) == ENDED);
}

int
main(void)
{
	RUN(test_all_in_order);
	RUN(test_out_of_order);
	RUN(test_what_is_not_what_it_says);
	RUN(test_its_end);
	return (test_failed());
}
