/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <ev.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/counters.h"

#include "regress/hostile/hostile.h"

/*
 * A real child at its real work, in its real sandbox, in which somebody has
 * got code of his own to run: it makes the system calls that the test orders,
 * with arguments that may lie in TAKEN_ARENA.
 */
#define TAKEN_ARENA 65536

/* Numbers that are no system calls. */
#define TAKEN_FREE_TWICE -1 /* libc has something to say about it */
#define TAKEN_GREED      -2 /* says that it has nothing, waits for nobody */

struct taken_order {
	int64_t number; /* of the call */
	uint64_t args[6];
	uint64_t size; /* bytes that follow, for the start of the arena */
};

struct taken_answer {
	int64_t result; /* or -errno */
	uint8_t arena[TAKEN_ARENA];
};

static int taken_line = -1;
static uint8_t taken_arena[TAKEN_ARENA];
static int taken_greed; /* boolean */
static ev_io taken_io;

void __real_child_confine(const struct child *);
void __wrap_child_confine(const struct child *);
int __real_ev_run(struct ev_loop *, int);
int __wrap_ev_run(struct ev_loop *, int);
void __real_ev_timer_start(struct ev_loop *, ev_timer *);
void __wrap_ev_timer_start(struct ev_loop *, ev_timer *);

/* No more than what auth may call, too. */
static void
taken_read(void *to, size_t len)
{
	struct msghdr msg;
	struct iovec iov;

	if (len == 0)
		return;
	memset(&msg, 0, sizeof(msg));
	iov.iov_base = to;
	iov.iov_len = len;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (recvmsg(taken_line, &msg, MSG_WAITALL) != (ssize_t)len)
		_exit(0);
}

static void
taken_write(void *from, size_t len)
{
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	for (; len > 0; len -= (size_t)n, from = (uint8_t *)from + n) {
		iov.iov_base = from;
		iov.iov_len = len;
		n = sendmsg(taken_line, &msg, MSG_NOSIGNAL);
		if (n <= 0)
			_exit(0);
	}
}

static void
taken_free_twice(void)
{
	void *volatile p;

	p = malloc(100);
	free(p);
	free(p);
}

static int64_t
taken_obey(const struct taken_order *order)
{
	static struct counters nowhere;
	long r;

	switch (order->number) {
	case TAKEN_FREE_TWICE:
		taken_free_twice();
		return (0);
	case TAKEN_GREED:
		counters = &nowhere;
		taken_greed = 1;
		return (0);
	default:
		r = syscall(order->number, order->args[0], order->args[1],
		    order->args[2], order->args[3], order->args[4],
		    order->args[5]);
		return (r == -1 ? -errno : r);
	}
}

static void
taken_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	static struct taken_answer answer;
	struct taken_order order;

	taken_read(&order, sizeof(order));
	if (order.size > sizeof(taken_arena))
		_exit(0);
	taken_read(taken_arena, order.size);
	answer.result = taken_obey(&order);
	memcpy(answer.arena, taken_arena, sizeof(taken_arena));
	taken_write(&answer, sizeof(answer));
}

/* The last moment at which a line to the test can be had. */
void
__wrap_child_confine(const struct child *child)
{
	if (hostile_is_taken)
		taken_line = hostile_connect();
	__real_child_confine(child);
}

int
__wrap_ev_run(struct ev_loop *loop, int flags)
{
	uint64_t hello[2];

	if (taken_line != -1) {
		hello[0] = HOSTILE_TAKEN;
		hello[1] = (uintptr_t)taken_arena;
		taken_write(hello, sizeof(hello));
		ev_io_init(&taken_io, taken_cb, taken_line, EV_READ);
		ev_io_start(loop, &taken_io);
	}
	return (__real_ev_run(loop, flags));
}

/* A worker that steps back for another one does so for a moment. */
void
__wrap_ev_timer_start(struct ev_loop *loop, ev_timer *w)
{
	if (taken_greed && w->repeat <= 0.)
		ev_timer_set(w, 0., 0.);
	__real_ev_timer_start(loop, w);
}
