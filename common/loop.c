/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"

/*
 * Without memory libev would abort, for a few bytes more in one of its tables;
 * it gets them from here.  Pages that are never written cost nothing.
 */
#define LOOP_RESERVE (1U << 20)

/* Watchers that wait for memory to be watched with. */
#define LOOP_DEAF_MAX     64
#define LOOP_DEAF_SECONDS 0.25

static struct {
	ev_timer timer;
	struct ev_io *watchers[LOOP_DEAF_MAX];
	unsigned int n;
	struct log_limit limit;
} loop_waits;

static int loop_epoll = -1; /* libev's own, which it keeps to itself */

static char loop_reserve[LOOP_RESERVE] __attribute__((aligned(16)));
static size_t loop_reserved; /* bytes given away, for good */

static int
loop_is_reserve(const char *p)
{
	return (p >= loop_reserve && p < loop_reserve + LOOP_RESERVE);
}

/* A block of the reserve has its size in front of it. */
static void *
loop_take_reserve(void *old, size_t size)
{
	size_t had;
	char *new;

	had = 0;
	if (old != NULL && loop_is_reserve(old))
		memcpy(&had, (char *)old - 16, sizeof(had));
	else if (old != NULL)
		had = malloc_usable_size(old);
	if (size + 32 > LOOP_RESERVE - loop_reserved)
		fatalx("libev: no memory, and its reserve is used up");
	new = loop_reserve + loop_reserved + 16;
	loop_reserved += 16 + (size + 15) / 16 * 16;
	memcpy(new - 16, &size, sizeof(size));
	if (old != NULL)
		memcpy(new, old, had < size ? had : size);
	return (new);
}

/* As realloc(3), but that it does not fail. */
static void *
loop_alloc(void *old, long size)
{
	int reserve;
	void *new;

	reserve = old != NULL && loop_is_reserve(old);
	if (size == 0) {
		if (!reserve)
			free(old);
		return (NULL);
	}
	new = reserve ? NULL : realloc(old, (size_t)size);
	if (new != NULL)
		return (new);
	new = loop_take_reserve(old, (size_t)size);
	if (!reserve)
		free(old);
	return (new);
}

/* Where libev would say so on standard error, and abort. */
static void
loop_failed(const char *what)
{
	fatal("%s", what);
}

/* What libev takes for granted: without a word it would run, and hear nothing.
 */
static void
loop_check(void)
{
	struct epoll_event event;
	int inner, outer;

	inner = epoll_create1(EPOLL_CLOEXEC);
	outer = epoll_create1(EPOLL_CLOEXEC);
	if (inner == -1 || outer == -1)
		fatal("epoll_create1");
	event.events = EPOLLIN;
	event.data.fd = inner;
	if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) == -1)
		fatal("epoll_ctl");
	if (epoll_wait(outer, &event, 1, 0) == -1)
		fatal("epoll_wait");
	(void)close(outer);
	(void)close(inner);
	/* Of what was free the lowest: what libev is going to get now. */
	loop_epoll = inner;
}

/* It has nothing in it yet; what is no epoll says something else. */
static void
loop_prove_epoll(void)
{
	int other;

	other = epoll_create1(EPOLL_CLOEXEC);
	if (other == -1)
		fatal("epoll_create1");
	if (epoll_ctl(loop_epoll, EPOLL_CTL_DEL, other, NULL) == 0 ||
	    errno != ENOENT)
		fatalx("libev: no epoll where it should be");
	(void)close(other);
}

/*
 * The loop of this process; fatal if there can't be one.  children: boolean, it
 * has some (ev_child).
 */
struct ev_loop *
loop_open(int children)
{
	struct ev_loop *loop;

	loop_check();
	ev_set_syserr_cb(loop_failed);
	ev_set_allocator(loop_alloc);
	loop = children ? ev_default_loop(EVFLAG_NOENV | EVBACKEND_EPOLL)
			: ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (loop == NULL)
		fatalx("libev: no event loop");
	loop_prove_epoll();
	return (loop);
}

static void
loop_hear_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	unsigned int n;

	n = loop_waits.n;
	loop_waits.n = 0;
	while (n > 0)
		ev_io_start(loop, loop_waits.watchers[--n]);
}

/*
 * Starts w in a moment; of very many at once, those above a bound without a
 * pause.
 */
void
loop_later(struct ev_loop *loop, struct ev_io *w)
{
	log_limited(&loop_waits.limit, clock_seconds(),
	    "epoll_ctl: no memory to watch a descriptor; tries again");
	if (loop_waits.n == LOOP_DEAF_MAX) {
		ev_io_start(loop, w);
		return;
	}
	if (!ev_is_active(&loop_waits.timer)) {
		ev_timer_init(
		    &loop_waits.timer, loop_hear_again, LOOP_DEAF_SECONDS, 0.);
		ev_timer_start(loop, &loop_waits.timer);
	}
	loop_waits.watchers[loop_waits.n++] = w;
}

/* Stops w, for which loop_deaf() may have been asked. */
void
loop_stop(struct ev_loop *loop, struct ev_io *w)
{
	unsigned int i, n;

	ev_io_stop(loop, w);
	n = 0;
	for (i = 0; i < loop_waits.n; i++)
		if (loop_waits.watchers[i] != w)
			loop_waits.watchers[n++] = loop_waits.watchers[i];
	loop_waits.n = n;
}

/*
 * Stops w, whose descriptor came from another process or goes to one, and
 * closes that.  As long as somebody else has it, too, epoll goes on watching
 * it, whoever has closed it here; and libev, when it hears of a descriptor that
 * it has forgotten, makes itself a new epoll, which no sandbox allows.
 */
void
loop_close(struct ev_loop *loop, struct ev_io *w)
{
	loop_stop(loop, w);
	(void)epoll_ctl(loop_epoll, EPOLL_CTL_DEL, w->fd, NULL);
	(void)close(w->fd);
}
