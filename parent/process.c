/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

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

/*
 * Ends a child that broke the rules or answers no more; reason is for the log.
 * The channel stays open until the child is seen to be dead, since one of its
 * messages may be in somebody's hands right now; what else comes is refused.
 */
void
process_kill(struct process *p, const char *reason)
{
	if (p->pid == 0 || p->killed || p->parent->stopping > 1)
		return;
	p->killed = 1;
	log_warnx("security: %s (pid %d): %s: killed", p->name, p->pid, reason);
	(void)kill(p->pid, SIGKILL);
	p->channel.state = 0;
	process_lost(p);
}

/*
 * Queues a message to p; fd (or -1) is p's from now on.  Nothing goes to a
 * child that is down, and one that does not read is killed.
 */
void
process_send(
    struct process *p, uint32_t type, int fd, const void *data, size_t len)
{
	if (p->state == CHILD_DOWN) {
		if (fd != -1)
			(void)close(fd);
		return;
	}
	if (channel_send(&p->channel, type, 0, fd, data, len) == -1 &&
	    errno != EPIPE)
		process_kill(p, "does not read");
}

/* As process_send(), with a duplicate of fd, which stays the caller's. */
void
process_send_copy(
    struct process *p, uint32_t type, int fd, const void *data, size_t len)
{
	int copy;

	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy == -1) {
		log_warn("%s: dup", p->name);
		process_kill(p, "no descriptor left for it");
		return;
	}
	process_send(p, type, copy, data, len);
}
