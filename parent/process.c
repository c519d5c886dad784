/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"

#define PROCESS_BUFFER (1 << 20) /* bytes of packets on their way */

/* A child to be for place, which it holds from now on; NULL without memory. */
struct process *
process_new(struct place *place)
{
	struct process *p;
	uint32_t n;

	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return (NULL);
	p->parent = place->parent;
	p->place = place;
	p->epoch = ++place->epoch;
	p->page_fd = p->watcher.fd = -1;
	p->started = clock_seconds();
	budget_init(&p->budget, MESSAGE_RATE, MESSAGE_BURST);
	n = COMPLAINTS_MAX * p->parent->nworkers;
	budget_init(&p->complaints, n, n * COMPLAINT_COST);
	place->child = p;
	return (p);
}

/* The child of that epoch, if it is alive; else NULL. */
struct process *
process_of(const struct place *place, uint32_t epoch)
{
	struct process *p;

	p = place->child;
	return (p == NULL || p->epoch != epoch || p->state == CHILD_DOWN ? NULL
									 : p);
}

/*
 * For a channel that packets pass.  What the kernel does not take of a burst is
 * copied once more.  It grants up to net.core.wmem_max, and less will do, too.
 */
void
process_buffers(const int pair[2])
{
	static const int size = PROCESS_BUFFER;
	int i;

	for (i = 0; i < 2; i++)
		(void)setsockopt(
		    pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Every place that there is, from number 0 on; NULL: no more. */
struct place *
process_place(struct parent *parent, uint32_t i)
{
	struct place *const others[] = { &parent->metrics, &parent->auth_beside,
		&parent->metrics_beside };
	uint32_t n;

	if (i == 0)
		return (&parent->auth);
	for (n = 0; n < PROTO_PLACES_MAX; n++)
		if (parent->workers[n].role != NULL && --i == 0)
			return (&parent->workers[n]);
	for (n = 0; n < sizeof(others) / sizeof(others[0]); n++)
		if (others[n]->role != NULL && --i == 0)
			return (others[n]);
	return (NULL);
}

/* The worker that has a part of the work; NULL: nobody just now. */
struct process *
process_worker(struct parent *parent, uint32_t share)
{
	struct place *place;

	place = &parent->workers[share];
	if (place->role == NULL || place->leaving || place->candidate)
		place += PROTO_WORKERS_MAX;
	return (place->role == NULL || place->leaving || place->candidate
		    ? NULL
		    : place->child);
}

/* It is dead, or was never started. */
void
process_free(struct process *p)
{
	ev_clear_pending(p->parent->loop, &p->lost);
	p->place->child = NULL;
	free(p);
}

/*
 * The end of a process of which it is not known whether it is dead by now.  One
 * that another parent has started is out of our reach (Landlock), and its pid
 * may be another's by now: that parent does it, entrust_wait().
 */
void
process_kill_at_once(const struct process *p)
{
	uint32_t pid;

	pid = (uint32_t)p->pid;
	if (process_is_adopted(p))
		(void)send(p->parent->successor.nurse, &pid, sizeof(pid),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (p->pid != 0)
		(void)kill(p->pid, SIGKILL);
}

/*
 * Whatever it held is lost, whether or not it is dead already.  What that means
 * to the rest (supervise.c) waits until the caller is done: it may be in the
 * middle of a walk.
 */
void
process_lost(struct process *p)
{
	if (p->state == CHILD_DOWN)
		return;
	p->state = CHILD_DOWN;
	ev_feed_event(p->parent->loop, &p->lost, EV_CUSTOM);
}

/* Returns 1 if that is news. */
static int
process_put_down(struct process *p, const char *prefix, const char *reason)
{
	if (p->pid == 0 || p->killed || p->parent->stopping > 1)
		return (0);
	p->killed = 1;
	log_warnx("%s%s (pid %d): %s: killed", prefix, p->place->name, p->pid,
	    reason);
	process_kill_at_once(p);
	p->channel.state = 0;
	process_lost(p);
	return (1);
}

/*
 * Ends a child that broke the rules or answers no more; reason is for the log.
 * The channel stays open until the child is seen to be dead, since one of its
 * messages may be in somebody's hands right now; what else comes is refused.
 */
void
process_kill(struct process *p, const char *reason)
{
	if (process_put_down(p, "security: ", reason))
		counters_add(COUNTER_SECURITY, 1);
}

/* As process_kill(), if that is not the child's fault. */
void
process_end(struct process *p, const char *reason)
{
	(void)process_put_down(p, "", reason);
}

/* What it has to know cannot be told: better a new one than one that errs. */
static void
process_unheard(struct process *p)
{
	if (errno == ENOMEM)
		process_end(p, "no memory for what it is to be told");
	else if (errno != EPIPE)
		process_kill(p, "does not read");
}

/*
 * Queues a message to p; fd (or -1) is p's from now on.  Nothing goes to a
 * child that is down or to nobody (NULL), and one that does not read is killed.
 */
void
process_send(
    struct process *p, uint32_t type, int fd, const void *data, size_t len)
{
	if (p == NULL || p->state == CHILD_DOWN) {
		if (fd != -1)
			(void)close(fd);
		return;
	}
	if (channel_send(&p->channel, type, 0, fd, data, len) == -1)
		process_unheard(p);
}

/* The same to each worker that there is. */
void
process_send_workers(
    struct parent *parent, uint32_t type, const void *data, size_t len)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++)
		process_send(parent->workers[i].child, type, -1, data, len);
}

/* As process_send(), with a duplicate of fd, which stays the caller's. */
void
process_send_copy(
    struct process *p, uint32_t type, int fd, const void *data, size_t len)
{
	int copy;

	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy == -1) {
		log_warn("%s: dup", p->place->name);
		process_end(p, "no descriptor left for it");
		return;
	}
	process_send(p, type, copy, data, len);
}
