/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/again.h"
#include "common/loop.h"
#include "metrics/metrics.h"

/*
 * One request a connection, and few connections, none for long.  Whoever opens
 * many pushes out the oldest: a scrape takes a millisecond, so it is never the
 * oldest for long.
 */
static void
serve_end(struct conn *c)
{
	struct metrics *m;

	m = c->metrics;
	loop_stop(m->loop, &c->io);
	ev_timer_stop(m->loop, &c->deadline);
	(void)close(c->io.fd);
	TAILQ_REMOVE(&m->conns, c, entry);
	m->nconns--;
	free(c->answer);
	free(c);
}

static void
serve_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	counters_add(COUNTER_HTTP_SLOW, 1);
	serve_end(w->data);
}

/* Room for one more, at the expense of the oldest; 0: there is none. */
static int
serve_make_room(struct metrics *m)
{
	struct conn *oldest;

	oldest = TAILQ_FIRST(&m->conns);
	if (oldest == NULL)
		return (0);
	counters_add(COUNTER_HTTP_CROWDED, 1);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): off the list by then */
	serve_end(oldest);
	return (1);
}

/* With unread bytes a close would be a reset, and take the answer along. */
static void
serve_drain(struct conn *c)
{
	int i;

	for (i = 0; i < ACCEPT_BATCH; i++)
		if (recv(c->io.fd, c->head, sizeof(c->head), 0) <= 0)
			break;
}

/* Sends what the kernel takes of the answer. */
static void
serve_send(struct conn *c)
{
	ssize_t n;

	n = send(c->io.fd, c->answer + c->sent, c->answer_len - c->sent,
	    MSG_NOSIGNAL);
	if (n == -1) {
		if (!again_sends(errno))
			serve_end(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->answer_len)
		return;
	serve_drain(c);
	serve_end(c);
}

static void
serve_answer(struct conn *c, const struct request *req)
{
	c->answer = answer(c->metrics, req, &c->answer_len);
	if (c->answer == NULL) {
		serve_end(c);
		return;
	}
	ev_io_stop(c->metrics->loop, &c->io);
	ev_io_set(&c->io, c->io.fd, EV_WRITE);
	ev_io_start(c->metrics->loop, &c->io);
	serve_send(c);
}

static void
serve_receive(struct conn *c)
{
	struct request req;
	ssize_t n;

	n = recv(
	    c->io.fd, c->head + c->head_len, sizeof(c->head) - c->head_len, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		serve_end(c);
		return;
	}
	c->head_len += (size_t)n;
	if (request_parse(c->head, c->head_len, &req))
		serve_answer(c, &req);
}

static void
serve_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c;

	if (loop_deaf(loop, w, revents))
		return;
	c = w->data;
	if (c->answer == NULL)
		serve_receive(c);
	else
		serve_send(c);
}

static void
serve_add(struct metrics *m, int fd)
{
	struct conn *c;

	if (m->nconns == CONNS_MAX)
		(void)serve_make_room(m);
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)close(fd);
		return;
	}
	c->metrics = m;
	ev_io_init(&c->io, serve_io, fd, EV_READ);
	c->io.data = c;
	ev_io_start(m->loop, &c->io);
	ev_timer_init(&c->deadline, serve_late, CONN_SECONDS, 0.);
	c->deadline.data = c;
	ev_timer_start(m->loop, &c->deadline);
	TAILQ_INSERT_TAIL(&m->conns, c, entry);
	m->nconns++;
}

static void
serve_watch(struct metrics *m, int on)
{
	uint32_t i;

	for (i = 0; i < m->ndoors; i++)
		if (on)
			ev_io_start(m->loop, &m->doors[i]->io);
		else
			loop_stop(m->loop, &m->doors[i]->io);
}

static void
serve_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	serve_watch(w->data, 1);
}

/* What accept4(2) said; 0: it may be tried again at once. */
static int
serve_accept_failed(struct metrics *m)
{
	if (errno == EINTR || errno == ECONNABORTED)
		return (0);
	if (errno == EAGAIN)
		return (-1);
	if (serve_make_room(m))
		return (0);
	serve_watch(m, 0);
	ev_timer_set(&m->pause, ACCEPT_PAUSE, 0.);
	ev_timer_start(m->loop, &m->pause);
	return (-1);
}

static void
serve_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct metrics *m;
	int fd, i;

	if (loop_deaf(loop, w, revents))
		return;
	m = w->data;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1)
			serve_add(m, fd);
		else if (serve_accept_failed(m) == -1)
			return;
	}
}

void
serve_init(struct metrics *m)
{
	TAILQ_INIT(&m->conns);
	ev_timer_init(&m->pause, serve_again, 0., 0.);
	m->pause.data = m;
}

/* PM_LISTENER: fd is a listening socket; served from PM_START on. */
const char *
serve_listen(struct metrics *m, const struct msg_listener *msg, int fd)
{
	struct door *door;

	if (m->ndoors == DOORS_MAX)
		return ("too many listeners");
	door = calloc(1, sizeof(*door));
	if (door == NULL)
		fatal(NULL);
	door->number = msg->number;
	ev_io_init(&door->io, serve_accept, fd, EV_READ);
	door->io.data = m;
	m->doors[m->ndoors++] = door;
	if (m->parent.state == METRICS_RUNNING && !ev_is_active(&m->pause))
		ev_io_start(m->loop, &door->io);
	return (NULL);
}

/* PM_UNLISTEN */
const char *
serve_unlisten(struct metrics *m, const struct msg_unlisten *msg)
{
	struct door *door;
	uint32_t i;

	for (i = 0; i < m->ndoors; i++)
		if (m->doors[i]->number == msg->number)
			break;
	if (i == m->ndoors)
		return ("no such listener");
	door = m->doors[i];
	m->doors[i] = m->doors[--m->ndoors];
	loop_close(m->loop, &door->io);
	free(door);
	return (NULL);
}

void
serve_start(struct metrics *m)
{
	serve_watch(m, 1);
}
