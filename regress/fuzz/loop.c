/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "regress/fuzz/fuzz.h"
#include "regress/fuzz/loop.h"

#define LOOP_MAX 256
#define LOOP_FDS 1024

/* Watchers of one kind, in the order in which they were started. */
struct watchers {
	ev_watcher *list[LOOP_MAX];
	unsigned n;
};

struct ev_loop {
	struct watchers io, timers, prepares, children, idles, signals;
	ev_watcher *pending[LOOP_MAX * 2];
	int revents[LOOP_MAX * 2];
	unsigned npending;
	unsigned order;
	uint8_t ready[LOOP_FDS]; /* descriptors that only look like some */
	int over;                /* boolean: somebody has said that it is */
};

static struct ev_loop loop;
static int epoll = -1;
void (*loop_run)(void);

static void
watch(struct watchers *ws, void *watcher)
{
	ev_watcher *w;
	unsigned i;

	w = watcher;
	if (w->active)
		return;
	/* One that was initialised anew while it was active. */
	for (i = 0; i < ws->n; i++)
		REQUIRE(ws->list[i] != w);
	REQUIRE(ws->n < LOOP_MAX);
	w->active = 1;
	ws->list[ws->n++] = w;
}

static void
unwatch(struct watchers *ws, void *watcher)
{
	ev_watcher *w;
	unsigned i;

	w = watcher;
	(void)ev_clear_pending(&loop, w);
	if (!w->active)
		return;
	w->active = 0;
	for (i = 0; ws->list[i] != w; i++)
		REQUIRE(i + 1 < ws->n);
	ws->n--;
	memmove(
	    &ws->list[i], &ws->list[i + 1], (ws->n - i) * sizeof(ws->list[0]));
}

void
ev_feed_event(struct ev_loop *l, void *watcher, int revents)
{
	ev_watcher *w;

	w = watcher;
	if (w->pending) {
		l->revents[w->pending - 1] |= revents;
		return;
	}
	REQUIRE(l->npending < LOOP_MAX * 2);
	l->revents[l->npending] = revents;
	l->pending[l->npending] = w;
	w->pending = (int)++l->npending;
}

/* Each pending callback once; returns how many there were. */
static int
invoke(void)
{
	ev_watcher *w;
	unsigned at, i, n;
	int called;

	called = 0;
	n = loop.npending;
	for (i = 0; i < n; i++) {
		at = (i + loop.order) % n;
		w = loop.pending[at];
		if (w == NULL)
			continue;
		loop.pending[at] = NULL;
		w->pending = 0;
		w->cb(&loop, w, loop.revents[at]);
		called++;
	}
	/* What was fed meanwhile comes with the next turn. */
	for (i = n; i < loop.npending; i++) {
		loop.pending[i - n] = loop.pending[i];
		loop.revents[i - n] = loop.revents[i];
		if (loop.pending[i - n] != NULL)
			loop.pending[i - n]->pending = (int)(i - n + 1);
	}
	loop.npending -= n;
	return (called);
}

static void
look(void)
{
	struct pollfd fds[LOOP_MAX];
	unsigned i, n;
	ev_io *io;
	int got;

	n = loop.io.n;
	for (i = 0; i < n; i++) {
		io = (ev_io *)loop.io.list[i];
		REQUIRE(io->fd >= 0 && io->fd < LOOP_FDS);
		fds[i].fd = loop.ready[io->fd] & EV__IOFDSET ? -1 : io->fd;
		fds[i].events = (short)((io->events & EV_READ ? POLLIN : 0) |
					(io->events & EV_WRITE ? POLLOUT : 0));
		fds[i].revents = 0;
	}
	REQUIRE(fuzz_poll(fds, n) != -1);
	for (i = 0; i < n; i++) {
		io = (ev_io *)loop.io.list[i];
		REQUIRE((fds[i].revents & POLLNVAL) == 0);
		got = fds[i].fd == -1 ? loop.ready[io->fd] : 0;
		if (fds[i].revents & (POLLIN | POLLERR | POLLHUP))
			got |= EV_READ;
		if (fds[i].revents & (POLLOUT | POLLERR | POLLHUP))
			got |= EV_WRITE;
		got &= io->events & (EV_READ | EV_WRITE);
		if (got != 0)
			ev_feed_event(&loop, io, got);
	}
}

static int64_t
nanoseconds(ev_tstamp seconds)
{
	return ((int64_t)(seconds * 1e6) * 1000);
}

/* As libev has it: one that repeats and is late comes once. */
static void
expire(void)
{
	ev_timer *t;
	unsigned i;

	for (i = 0; i < loop.timers.n; i++) {
		t = (ev_timer *)loop.timers.list[i];
		if (nanoseconds(t->at) > fuzz_clocks.mono)
			continue;
		if (t->repeat > 0.) {
			t->at += t->repeat;
			if (nanoseconds(t->at) < fuzz_clocks.mono)
				t->at =
				    (ev_tstamp)fuzz_clocks.mono / FUZZ_SECOND;
		} else {
			ev_timer_stop(&loop, t);
			i--;
		}
		ev_feed_event(&loop, t, EV_TIMER);
	}
}

/* Higher priorities first; returns how many others were pending. */
static int
prepare(void)
{
	unsigned i;
	int n, priority;

	n = 0;
	for (priority = EV_MAXPRI; priority >= EV_MINPRI; priority--) {
		for (i = 0; i < loop.prepares.n; i++) {
			if (ev_priority(loop.prepares.list[i]) != priority)
				continue;
			ev_feed_event(&loop, loop.prepares.list[i], EV_PREPARE);
			n--;
		}
		n += invoke();
	}
	return (n);
}

/* One turn; returns how many callbacks something has happened for. */
int
loop_turn(void)
{
	unsigned i;
	int n;

	n = prepare();
	look();
	expire();
	n += invoke();
	for (i = 0; n == 0 && i < loop.idles.n; i++)
		ev_feed_event(&loop, loop.idles.list[i], EV_IDLE);
	return (n + invoke());
}

/* Turns until nothing more happens, `most` of them at most. */
void
loop_quiet(int most)
{
	while (most-- > 0 && loop_turn() > 0)
		continue;
}

/* Whose events come first from now on. */
void
loop_order(uint32_t order)
{
	loop.order = order;
}

/* From now on fd is as ready as this says, whatever the kernel thinks. */
void
loop_ready(int fd, int events)
{
	REQUIRE(fd >= 0 && fd < LOOP_FDS);
	loop.ready[fd] = (uint8_t)(events | EV__IOFDSET);
}

/* From now on the kernel says it. */
void
loop_real(int fd)
{
	loop.ready[fd] = 0;
}

/* The data of whoever watches fd; NULL: nobody does. */
void *
loop_owner(int fd)
{
	unsigned i;

	for (i = 0; i < loop.io.n; i++)
		if (((ev_io *)loop.io.list[i])->fd == fd)
			return (loop.io.list[i]->data);
	return (NULL);
}

/* How many descriptors are watched. */
unsigned
loop_watchers(void)
{
	return (loop.io.n);
}

/* A child has died; returns 1 if somebody waits for it. */
int
loop_reap(int pid, int status)
{
	ev_child *child;
	unsigned i;

	for (i = 0; i < loop.children.n; i++) {
		child = (ev_child *)loop.children.list[i];
		if (child->pid != pid)
			continue;
		child->rpid = pid;
		child->rstatus = status;
		child->cb(&loop, child, EV_CHILD);
		return (1);
	}
	return (0);
}

/* A signal has come. */
void
loop_signal(int number)
{
	ev_signal *w;
	unsigned i;

	for (i = 0; i < loop.signals.n; i++) {
		w = (ev_signal *)loop.signals.list[i];
		if (w->signum == number)
			ev_feed_event(&loop, w, EV_SIGNAL);
	}
}

/* Has the role ended its loop? */
int
loop_over(void)
{
	return (loop.over);
}

/* Nobody watches anything any more. */
void
loop_forget(void)
{
	if (epoll != -1)
		(void)close(epoll);
	epoll = -1;
	loop.io.n = loop.timers.n = loop.prepares.n = loop.signals.n = 0;
	loop.children.n = loop.idles.n = loop.npending = 0;
	loop.order = 0;
	loop.over = 0;
}

struct ev_loop *
ev_default_loop(unsigned int flags)
{
	(void)flags;
	/* With nothing in it, ever; common/loop.c looks for one. */
	if (epoll == -1)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	REQUIRE(epoll != -1);
	return (&loop);
}

struct ev_loop *
ev_loop_new(unsigned int flags)
{
	return (ev_default_loop(flags));
}

ev_tstamp
ev_time(void)
{
	return ((ev_tstamp)fuzz_clocks.wall / FUZZ_SECOND);
}

ev_tstamp
ev_now(struct ev_loop *l)
{
	(void)l;
	return (ev_time());
}

/* A role's main() comes here with all set up. */
int
ev_run(struct ev_loop *l, int flags)
{
	(void)l;
	(void)flags;
	if (loop_run != NULL)
		loop_run();
	return (0);
}

void
ev_break(struct ev_loop *l, int how)
{
	(void)how;
	l->over = 1;
}

void
ev_ref(struct ev_loop *l)
{
	(void)l;
}

void
ev_unref(struct ev_loop *l)
{
	(void)l;
}

void
ev_io_start(struct ev_loop *l, ev_io *w)
{
	w->events &= ~EV__IOFDSET;
	watch(&l->io, w);
}

void
ev_io_stop(struct ev_loop *l, ev_io *w)
{
	unwatch(&l->io, w);
}

void
ev_timer_start(struct ev_loop *l, ev_timer *w)
{
	if (w->active)
		return;
	w->at += (ev_tstamp)fuzz_clocks.mono / FUZZ_SECOND;
	watch(&l->timers, w);
}

void
ev_timer_stop(struct ev_loop *l, ev_timer *w)
{
	/* What is left of it counts if it is started as it is. */
	if (w->active)
		w->at -= (ev_tstamp)fuzz_clocks.mono / FUZZ_SECOND;
	unwatch(&l->timers, w);
}

void
ev_timer_again(struct ev_loop *l, ev_timer *w)
{
	unwatch(&l->timers, w);
	if (w->repeat == 0.)
		return;
	w->at = w->repeat;
	ev_timer_start(l, w);
}

void
ev_prepare_start(struct ev_loop *l, ev_prepare *w)
{
	watch(&l->prepares, w);
}

void
ev_prepare_stop(struct ev_loop *l, ev_prepare *w)
{
	unwatch(&l->prepares, w);
}

void
ev_idle_start(struct ev_loop *l, ev_idle *w)
{
	watch(&l->idles, w);
}

void
ev_idle_stop(struct ev_loop *l, ev_idle *w)
{
	unwatch(&l->idles, w);
}

void
ev_child_start(struct ev_loop *l, ev_child *w)
{
	watch(&l->children, w);
}

void
ev_child_stop(struct ev_loop *l, ev_child *w)
{
	unwatch(&l->children, w);
}

void
ev_signal_start(struct ev_loop *l, ev_signal *w)
{
	watch(&l->signals, w);
}

int
ev_clear_pending(struct ev_loop *l, void *watcher)
{
	ev_watcher *w;
	int revents;

	w = watcher;
	if (!w->pending)
		return (0);
	revents = l->revents[w->pending - 1];
	l->pending[w->pending - 1] = NULL;
	w->pending = 0;
	return (revents);
}
