/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <ev.h>
#include <malloc.h>
#include <unistd.h>

#include "common/loop.h"
#include "regress/unit/test.h"

/* libev's memory when there is none (regress.mk): the compiler knows that
 * realloc(3) of nothing is malloc(3). */

void *__real_malloc(size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_realloc(void *, size_t);

static int no_memory;
static int given; /* by the library */

void *
__wrap_malloc(size_t size)
{
	if (no_memory)
		return (NULL);
	given++;
	return (__real_malloc(size));
}

void *
__wrap_realloc(void *old, size_t size)
{
	if (no_memory)
		return (NULL);
	given++;
	return (__real_realloc(old, size));
}

static int fired;

static void
fire(struct ev_loop *loop, ev_timer *timer, int revents)
{
	fired++;
}

static void
test_it_is_epoll_and_runs(void)
{
	struct ev_loop *loop;
	ev_timer timer;

	loop = loop_open(0);
	CHECK(ev_backend(loop) == EVBACKEND_EPOLL);
	CHECK(given > 0);
	ev_timer_init(&timer, fire, 0., 0.);
	ev_timer_start(loop, &timer);
	ev_run(loop, EVRUN_ONCE);
	CHECK(fired == 1);
	ev_loop_destroy(loop);
}

/* Its tables grow, and grow again, and go on as they were. */
static void
test_without_memory_it_goes_on(void)
{
	static ev_timer timers[3000];
	struct ev_loop *loop;
	int i;

	loop = loop_open(0);
	fired = 0;
	no_memory = 1;
	for (i = 0; i < 3000; i++) {
		ev_timer_init(&timers[i], fire, 0., 0.);
		ev_timer_start(loop, &timers[i]);
	}
	for (i = 0; i < 3000 && fired < 3000; i++)
		ev_run(loop, EVRUN_ONCE);
	CHECK(fired == 3000);
	no_memory = 0;
	/* Back from the reserve to nothing: its blocks are not free(3)'s. */
	ev_loop_destroy(loop);
}

/* What is given away is so for good; beyond it all, it says so. */
static void
test_the_reserve_has_an_end(void)
{
	static ev_timer timers[200000];
	struct ev_loop *loop;
	int i, status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		loop = loop_open(0);
		no_memory = 1;
		for (i = 0; i < 200000; i++) {
			ev_timer_init(&timers[i], fire, 0., 0.);
			ev_timer_start(loop, &timers[i]);
		}
		_exit(7);
	}
	CHECK(pid != -1 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static int heard;

static void
hear(struct ev_loop *loop, ev_io *w, int revents)
{
	if (loop_deaf(loop, w, revents))
		return;
	heard++;
	ev_io_stop(loop, w);
}

static int pair[2];

/* A watcher of what can be read, as libev leaves it if epoll does not take it.
 */
static void
deafen(struct ev_loop *loop, ev_io *w)
{
	ev_io_init(w, hear, pair[0], EV_READ);
	ev_feed_event(loop, w, EV_ERROR | EV_READ | EV_WRITE);
	heard = 0;
	ev_run(loop, EVRUN_NOWAIT);
	CHECK(heard == 0 && !ev_is_active(w));
}

static void
test_what_epoll_had_no_memory_for_is_heard_later(void)
{
	struct ev_loop *loop;
	ev_io w;

	CHECK(pipe(pair) == 0 && write(pair[1], "x", 1) == 1);
	loop = loop_open(0);
	deafen(loop, &w);
	while (heard == 0)
		ev_run(loop, EVRUN_ONCE);
	CHECK(heard == 1);
	ev_loop_destroy(loop);
}

static void
test_what_was_stopped_meanwhile_is_not(void)
{
	struct ev_loop *loop;
	ev_io other, w;

	loop = loop_open(0);
	deafen(loop, &w);
	deafen(loop, &other);
	loop_stop(loop, &w);
	/* With nobody left, and then somebody again, its time goes on. */
	loop_stop(loop, &other);
	deafen(loop, &other);
	while (!ev_is_active(&other))
		ev_run(loop, EVRUN_ONCE);
	CHECK(!ev_is_active(&w));
	loop_stop(loop, &other);
	ev_loop_destroy(loop);
}

/* More of them at once than are remembered are not forgotten. */
static void
test_very_many_at_once(void)
{
	static ev_io w[200];
	struct ev_loop *loop;
	int i, n;

	loop = loop_open(0);
	for (i = 0; i < 200; i++) {
		ev_io_init(&w[i], hear, pair[0], EV_READ);
		CHECK(loop_deaf(loop, &w[i], EV_ERROR) == 1);
	}
	n = 0;
	for (heard = 0; heard < 200 && n < 1000; n++)
		ev_run(loop, EVRUN_ONCE);
	CHECK(heard == 200);
	ev_loop_destroy(loop);
}

static void
test_one_that_knows_of_children(void)
{
	CHECK(loop_open(1) == ev_default_loop(0));
}

int
main(void)
{
	RUN(test_it_is_epoll_and_runs);
	RUN(test_without_memory_it_goes_on);
	RUN(test_the_reserve_has_an_end);
	RUN(test_what_epoll_had_no_memory_for_is_heard_later);
	RUN(test_what_was_stopped_meanwhile_is_not);
	RUN(test_very_many_at_once);
	RUN(test_one_that_knows_of_children);
	return (test_failed());
}
