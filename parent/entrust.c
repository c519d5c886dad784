/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attributes.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/log.h"
#include "parent/park.h"
#include "parent/park_file.h"
#include "parent/park_session.h"
#include "parent/parent.h"

#define ENTRUST_EVERY 20 /* milliseconds between looks at who has ended */

/*
 * Our workers and auth are to be another parent's, one that is like us
 * (doc/moving.md).  They go on with their sessions; what they say to us waits
 * in their channels for that one.  Until it says that it has them, they are
 * ours, and all can go on here.
 */

/* Each child that goes: calls each with it until that returns -1. */
static int
entrust_each(
    struct parent *parent, int (*each)(void *, struct process *), void *arg)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL &&
		    each(arg, parent->workers[i].child) == -1)
			return (-1);
	return (
	    parent->auth.child == NULL ? -1 : each(arg, parent->auth.child));
}

/* 0: it does nothing of which another parent would hear the end only. */
static int
entrust_is_done(void *arg, struct process *p)
{
	return (p->state == CHILD_RUNNING && p->move == NULL && !p->sync.open
		    ? 0
		    : -1);
}

static int
entrust_pause(void *arg, struct process *p)
{
	channel_pause(&p->channel);
	return (0);
}

static int
entrust_resume(void *arg, struct process *p)
{
	channel_resume(&p->channel);
	return (0);
}

static int
entrust_flush(void *arg, struct process *p)
{
	return (channel_flush(&p->channel) == 0 && channel_rests(&p->channel)
		    ? 0
		    : -1);
}

/*
 * Boolean: all are heard no more, and nothing is on its way to them.  What they
 * say from now on waits.
 */
int
entrust_rests(struct parent *parent)
{
	if (entrust_each(parent, entrust_is_done, NULL) == -1)
		return (0);
	(void)entrust_each(parent, entrust_pause, NULL);
	if (entrust_each(parent, entrust_flush, NULL) == 0)
		return (1);
	entrust_undo(parent);
	return (0);
}

/* Boolean: what we have said to them since has left, too. */
int
entrust_can_end(struct parent *parent)
{
	return (entrust_each(parent, entrust_flush, NULL) == 0);
}

/* They are heard again. */
void
entrust_undo(struct parent *parent)
{
	(void)entrust_each(parent, entrust_resume, NULL);
}

static int
entrust_session(struct parent *parent, const struct peermap_entry *entry)
{
	struct park_held held;
	struct iovec iov;

	memset(&held, 0, sizeof(held));
	park_session_of(&held.session, entry);
	held.generation = entry->generation;
	held.worker = entry->worker;
	held.slot = entry->slot;
	iov.iov_base = &held;
	iov.iov_len = sizeof(held);
	return (park_file_add(parent->park.file, PARK_HELD, &iov, 1));
}

/* What those have counted that do not go along. */
static int
entrust_counters(struct parent *parent)
{
	struct counters sum;
	struct iovec iov;

	memset(&sum, 0, sizeof(sum));
	counters_sum(&sum, &parent->base);
	counters_sum(&sum, counters);
	if (parent->metrics.child != NULL &&
	    parent->metrics.child->page != NULL)
		counters_sum(&sum, parent->metrics.child->page);
	/* Beacons have other numbers there. */
	memset(sum.beacon, 0, sizeof(sum.beacon));
	iov.iov_base = &sum;
	iov.iov_len = sizeof(sum);
	return (park_file_add(parent->park.file, PARK_COUNTERS, &iov, 1));
}

/* What we know of them, to park.file.  Returns 0, or -1, logged. */
int
entrust_write(struct parent *parent)
{
	const struct peermap_entry *entry;
	uint32_t i, used;

	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (entry->generation != 0 &&
		    entrust_session(parent, entry) == -1)
			return (-1);
	}
	return (entrust_counters(parent));
}

static int
entrust_one(void *arg, struct process *p)
{
	struct msg_ctl_ward ward;
	struct channel *to;

	to = arg;
	ward.role = p->place->role->id;
	ward.number = p->place->number;
	ward.epoch = p->epoch;
	ward.pid = (uint32_t)p->pid;
	ward.age = clock_seconds() - p->started;
	if (channel_send_copy(to, CTL_WARD, 0, p->channel.imsgbuf.fd, &ward,
		sizeof(ward)) == -1 ||
	    channel_send_copy(to, CTL_WARD_PAGE, 0, p->page_fd, NULL, 0) ==
		-1 ||
	    channel_send_copy(to, CTL_WARD_LOG, 0, p->log.fd, NULL, 0) == -1)
		return (-1);
	return (channel_send_copy(to, CTL_WARD_WORDS, 0, p->words.fd, NULL, 0));
}

/* All of them, to the other parent.  Returns 0, or -1 with errno. */
int
entrust_give(struct parent *parent, struct channel *to)
{
	return (entrust_each(parent, entrust_one, to));
}

struct entrust_death {
	pid_t pid;
	int status; /* as of wait(2) */
};

/* A break-in into one that has gone to another parent is told of here. */
static int
entrust_bury(void *arg, struct process *p)
{
	const struct entrust_death *death;

	death = arg;
	if (p->pid != death->pid)
		return (0);
	/* That it ends by itself is what is waited for. */
	p->place->retired = 1;
	death_log(p, death->status);
	p->pid = 0;
	return (-1);
}

static int
entrust_kill(void *arg, struct process *p)
{
	const uint32_t *pid;

	pid = arg;
	if (p->pid == 0 || (uint32_t)p->pid != *pid)
		return (0);
	(void)kill(p->pid, SIGKILL);
	return (-1);
}

/*
 * What the other parent wants to be dead; see process_kill_at_once().  Returns
 * 0 when nothing more can come.
 */
static int
entrust_hear(struct parent *parent, int fd)
{
	struct pollfd pfd;
	uint32_t pid;
	ssize_t n;

	pfd.fd = fd;
	pfd.events = POLLIN;
	if (poll(&pfd, 1, ENTRUST_EVERY) != 1)
		return (1);
	n = recv(fd, &pid, sizeof(pid), MSG_DONTWAIT);
	if (n == (ssize_t)sizeof(pid))
		(void)entrust_each(parent, entrust_kill, &pid);
	return (n > 0 || (n == -1 && errno == EAGAIN));
}

#define ENTRUST_FD (STDERR_FILENO + 1)

/* All is closed that anybody could want, but for the way from the other one. */
static void
entrust_let_go(int fd)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM };
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	/* libev's handler writes to a descriptor that is another's then. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (fd != ENTRUST_FD)
		(void)dup2(fd, ENTRUST_FD);
	(void)attributes_close_above(ENTRUST_FD);
}

/*
 * They are the other one's, to which fd leads.  As they would die with us, we
 * stay until they have ended, which is not in our hands any more.
 */
void
entrust_wait(struct parent *parent, int fd)
{
	struct entrust_death death;
	int hears;

	event_flush(1);
	log_info("another beacond has taken over; this one waits for its "
		 "children to end");
	if (parent->metrics.child != NULL)
		process_kill_at_once(parent->metrics.child);
	entrust_let_go(fd);
	hears = 1;
	for (;;) {
		hears = hears && entrust_hear(parent, ENTRUST_FD);
		death.pid = waitpid(-1, &death.status, hears ? WNOHANG : 0);
		if (death.pid > 0)
			(void)entrust_each(parent, entrust_bury, &death);
		else if (death.pid == -1 && errno == ECHILD)
			exit(0);
	}
}
