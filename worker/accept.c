/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>
#include <sys/param.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>

#include "common/address.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/report.h"
#include "worker/worker.h"

/*
 * All workers accept from the same listening sockets, so that a connection is
 * never bound to a worker that is gone.  The kernel wakes whom it likes; a
 * worker that holds clearly more than the least loaded one steps back for a
 * moment and lets that one accept.
 */
#define ACCEPT_BATCH     16
#define ACCEPT_LAST      4096 /* of a listener that goes */
#define ACCEPT_SLACK     8
#define ACCEPT_STEP_BACK 0.005 /* seconds */
#define ACCEPT_NO_MEANS  1.0   /* seconds, without descriptors or memory */
#define ACCEPT_TICK      (TICK_MS / 1000.0)

/* What there are more descriptors by, and with them more places. */
#define ACCEPT_MORE_FILES "raise LimitNOFILE=, ulimit -Hn"

static void
accept_watch(struct worker *w, int on)
{
	uint32_t i;

	if (still_holds(w, STILL_LISTENERS))
		on = 0;
	for (i = 0; i < w->accept.nlisteners; i++) {
		if (on)
			ev_io_start(w->loop, &w->accept.listeners[i]->io);
		else
			ev_io_stop(w->loop, &w->accept.listeners[i]->io);
	}
}

static void
accept_timer_cb(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w;

	w = timer->data;
	accept_watch(w, 1);
}

static void
accept_pause(struct worker *w, double seconds)
{
	accept_watch(w, 0);
	/* All may pause already: one of them goes, accept_unlisten(). */
	ev_timer_stop(w->loop, &w->accept.timer);
	ev_timer_init(&w->accept.timer, accept_timer_cb, seconds, 0.);
	w->accept.timer.data = w;
	ev_timer_start(w->loop, &w->accept.timer);
}

/*
 * A place and a descriptor for one more connection; 0: there is none to be had.
 * The loop calls us: nobody is busy with a session that is reaped.
 */
static int
accept_make_room(struct worker *w)
{
	if (w->nbroken == 0 &&
	    !session_make_room(w, stranger_oldest(&w->strangers)))
		return (0);
	session_reap(w);
	return (1);
}

/* Without a place or a descriptor for one more, until there may be one. */
static void
accept_step_aside(struct worker *w, enum event_kind why, const char *remedy)
{
	const struct stranger *oldest;
	double seconds;
	uint32_t ticks;

	counters_add(COUNTER_ACCEPT_PAUSES, 1);
	report_noted(why, NULL, remedy);
	seconds = ACCEPT_NO_MEANS;
	oldest = stranger_oldest(&w->strangers);
	if (oldest != NULL) {
		/* It may have had its time: what is wanted is no place. */
		ticks = MIN(w->tick - oldest->since, STRANGER_TICKS - 1);
		seconds = (STRANGER_TICKS - ticks) * ACCEPT_TICK;
	}
	accept_pause(w, seconds);
}

static int
accept_overloaded(const struct worker *w)
{
	uint32_t i, least, load;

	least = w->load;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		load = atomic_load_explicit(
		    &w->map.header->load[i], memory_order_relaxed);
		if (i != w->hello.worker && load < least)
			least = load;
	}
	return (w->load > least + ACCEPT_SLACK);
}

/* What accept4(2) said; 0: it may be tried again at once. */
static int
accept_failed(struct worker *w, int error)
{
	static const struct {
		int error;
		enum event_kind why;
		const char *remedy;
	} wants[] = {
		{ EMFILE, EVENT_ACCEPT_DESCRIPTORS, ACCEPT_MORE_FILES },
		{ ENFILE, EVENT_ACCEPT_MACHINE, "raise sysctl fs.file-max" },
		{ ENOMEM, EVENT_ACCEPT_MEMORY, "the kernel's memory" },
		{ ENOBUFS, EVENT_ACCEPT_MEMORY, "memory for sockets" },
	};
	size_t i;

	if (error == EINTR || error == ECONNABORTED)
		return (0);
	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (wants[i].error != error)
			continue;
		if (accept_make_room(w))
			return (0);
		accept_step_aside(w, wants[i].why, wants[i].remedy);
	}
	return (-1);
}

/* Returns 0, or -1 if there is nothing (more) to accept just now. */
static int
accept_one(struct worker *w, const struct accept_listener *listener)
{
	struct sockaddr_storage ss;
	struct session *s;
	uint8_t addr[16];
	socklen_t len;
	uint16_t port;
	int fd;

	len = sizeof(ss);
	fd = accept4(listener->io.fd, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return (accept_failed(w, errno));
	counters_add(COUNTER_ACCEPTED, 1);
	port = address_of(&ss, addr);
	s = session_new(w, fd, session_io, addr, port);
	if (s == NULL) {
		counters_add(COUNTER_REFUSED_BUSY, 1);
		report_source(EVENT_REQUEST_BUSY, addr, port);
		return (0);
	}
	if (listener->proxy_protocol)
		session_proxy_expect(w, s);
	else
		session_client_known(w, s);
	/* The request mostly is there already (TCP_DEFER_ACCEPT). */
	if (s->state != SESSION_BROKEN)
		session_io(w->loop, &s->io, EV_READ);
	return (0);
}

static void
accept_cb(struct ev_loop *loop, ev_io *io, int revents)
{
	struct worker *w;
	int i;

	w = io->data;
	if ((revents & EV_ERROR) != 0) {
		/* libev has stopped it: epoll has no memory for it. */
		accept_step_aside(
		    w, EVENT_ACCEPT_MEMORY, "the kernel's memory");
		return;
	}
	if (w->accept.waited == 0 && accept_overloaded(w)) {
		/* But if nobody else took them, next time we do. */
		w->accept.waited = 1;
		accept_pause(w, ACCEPT_STEP_BACK);
		return;
	}
	w->accept.waited = 0;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		if (w->load >= w->slots_max && !accept_make_room(w)) {
			accept_step_aside(
			    w, EVENT_ACCEPT_PLACES, ACCEPT_MORE_FILES);
			return;
		}
		if (accept_one(w, (struct accept_listener *)io) == -1)
			return;
	}
}

/* PW_LISTENER: fd is a listening socket; served from PW_START on. */
const char *
accept_listen(struct worker *w, const struct msg_listener *msg, int fd)
{
	struct accept_listener *a;

	if (w->accept.nlisteners == LISTENERS_MAX)
		return ("too many listeners");
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		fatal(NULL);
	a->number = msg->number;
	a->proxy_protocol = msg->proxy_protocol != 0;
	ev_io_init(&a->io, accept_cb, fd, EV_READ);
	a->io.data = w;
	w->accept.listeners[w->accept.nlisteners++] = a;
	/* While all pause, it does, too. */
	if (w->parent.state == WORKER_RUNNING &&
	    !still_holds(w, STILL_LISTENERS) && !ev_is_active(&w->accept.timer))
		ev_io_start(w->loop, &a->io);
	return (NULL);
}

/*
 * PW_UNLISTEN: who has connected already is served, as the kernel would turn
 * them away.
 */
const char *
accept_unlisten(struct worker *w, uint32_t number)
{
	struct accept_listener *a;
	uint32_t i, n;

	for (i = 0; i < w->accept.nlisteners; i++)
		if (w->accept.listeners[i]->number == number)
			break;
	if (i == w->accept.nlisteners)
		return ("no such listener");
	a = w->accept.listeners[i];
	w->accept.listeners[i] = w->accept.listeners[--w->accept.nlisteners];
	for (n = 0; n < ACCEPT_LAST && w->load < w->slots_max; n++)
		if (accept_one(w, a) == -1)
			break;
	/* Who is beyond that is reset by the kernel. */
	if (n == ACCEPT_LAST || w->load >= w->slots_max)
		counters_add(COUNTER_REFUSED_BUSY, 1);
	loop_close(w->loop, &a->io);
	free(a);
	return (NULL);
}

void
accept_start(struct worker *w)
{
	accept_watch(w, 1);
}

/* Who connects waits. */
void
accept_stop(struct worker *w)
{
	ev_timer_stop(w->loop, &w->accept.timer);
	accept_watch(w, 0);
}

uint32_t
accept_descriptors(const struct worker *w)
{
	return (w->accept.nlisteners);
}
