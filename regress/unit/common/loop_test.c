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
	RUN(test_one_that_knows_of_children);
	return (test_failed());
}
