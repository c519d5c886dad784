/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <unistd.h>

#include "common/loop.h"
#include "parent/dial.h"

static void
dial_end(struct dial *d, int error)
{
	int fd;

	fd = d->fd;
	d->fd = -1;
	dial_stop(d);
	if (error != 0 && fd != -1) {
		(void)close(fd);
		fd = -1;
	}
	d->done(d->owner, fd, error);
}

static void
dial_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct dial *d;
	socklen_t len;
	int error;

	d = w->data;
	if (loop_deaf(loop, w, revents))
		return;
	len = sizeof(error);
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	dial_end(d, error);
}

static void
dial_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct dial *d;

	d = w->data;
	dial_end(d, d->error != 0 ? d->error : ETIMEDOUT);
}

/* Once, before all else. */
void
dial_init(struct dial *d, struct ev_loop *loop, dial_done_fn done, void *owner)
{
	d->loop = loop;
	d->done = done;
	d->owner = owner;
	d->fd = -1;
	d->error = 0;
	ev_io_init(&d->writable, dial_writable, -1, EV_WRITE);
	d->writable.data = d;
	ev_timer_init(&d->limit, dial_limit, 0., 0.);
	d->limit.data = d;
}

/* Returns 0, or an errno. */
static int
dial_connect(struct dial *d, const struct sockaddr_storage *ss, socklen_t len)
{
	static const int on = 1;

	d->fd = socket(
	    ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1)
		return (errno);
	/* Requests are small, and each is waited for. */
	if (ss->ss_family != AF_UNIX)
		(void)setsockopt(
		    d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(d->fd, (const struct sockaddr *)ss, len) == -1 &&
	    errno != EINPROGRESS)
		return (errno);
	return (0);
}

/* Begins; an earlier one that is under way is given up, unheard. */
void
dial_start(struct dial *d, const struct sockaddr_storage *ss, socklen_t len)
{
	dial_stop(d);
	d->error = dial_connect(d, ss, len);
	ev_timer_set(&d->limit, d->error != 0 ? 0. : DIAL_SECONDS, 0.);
	ev_timer_start(d->loop, &d->limit);
	if (d->error != 0)
		return;
	ev_io_set(&d->writable, d->fd, EV_WRITE);
	ev_io_start(d->loop, &d->writable);
}

/* Gives up what is under way, if anything is; the owner does not hear of it. */
void
dial_stop(struct dial *d)
{
	loop_stop(d->loop, &d->writable);
	ev_timer_stop(d->loop, &d->limit);
	if (d->fd != -1)
		(void)close(d->fd);
	d->fd = -1;
}

/* Boolean: something is under way. */
int
dial_busy(const struct dial *d)
{
	return (ev_is_active(&d->limit));
}
