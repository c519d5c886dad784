/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/fdstat.h"
#include "common/log.h"
#include "common/loop.h"
#include "parent/adopt.h"
#include "parent/parent.h"

/*
 * A child of the parent that runs, as it comes to us: its channel, its counters
 * and what it says.  Nothing of it is read before adopt_over(): as long as the
 * other one may go on, it is that one's.
 */

/* Where it belongs; NULL: there is no such place, or it is ours. */
static struct place *
adopt_ward_place(struct parent *parent, const struct msg_ctl_ward *msg)
{
	struct place *place;

	if (msg->role == ROLE_AUTH)
		place = msg->number == 0 ? &parent->auth_beside : NULL;
	else
		place =
		    msg->role == ROLE_WORKER && msg->number < PROTO_PLACES_MAX
			? &parent->workers[msg->number]
			: NULL;
	return (place != NULL && place->role == NULL ? place : NULL);
}

/* It is dead. */
static void
adopt_ward_dead(struct ev_loop *loop, ev_io *w, int revents)
{
	struct parent *parent;
	struct process *p;

	if (loop_deaf(loop, w, revents))
		return;
	p = w->data;
	parent = p->parent;
	loop_close(loop, w);
	w->fd = -1;
	/* Why, whoever has started it says. */
	if (p->place->role->id == ROLE_WORKER && !p->place->ended &&
	    !p->killed && !parent->stopping)
		log_warnx("%s (pid %d) has ended before its sessions had moved",
		    p->place->name, p->pid);
	supervise_gone(p);
	if (--parent->successor.adopt.nwards > 0)
		return;
	(void)close(parent->successor.nurse);
	parent->successor.nurse = -1;
}

/* Our end of its channel, and how we know that it is alive.  0, or -1. */
static int
adopt_ward_open(struct process *p, pid_t pid, int fd)
{
	if (channel_open(&p->channel, p->parent->loop, fd, p->place->name,
		p->place->role->rules, *p->place->role->nrules,
		supervise_channel_end, p) == -1)
		return (-1);
	channel_pause(&p->channel);
	p->channel.state = PROCESS_RUNNING;
	p->channel.budget = &p->budget;
	p->pid = pid;
	/* It is that one: as long as its parent is there, a pid is not free. */
	ev_io_init(&p->watcher, adopt_ward_dead,
	    (int)syscall(SYS_pidfd_open, pid, 0), EV_READ);
	p->watcher.data = p;
	return (p->watcher.fd == -1 ? -1 : 0);
}

/*
 * CTL_WARD.  These four return NULL, or what is wrong: then we end, and the
 * other one goes on.
 */
const char *
adopt_ward(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_ctl_ward *msg;
	struct parent *parent;
	struct place *place;
	struct ward *ward;

	parent = owner;
	msg = data;
	place = adopt_ward_place(parent, msg);
	if (place == NULL || msg->epoch == 0 || msg->pid <= 1 ||
	    msg->pid > INT32_MAX) {
		(void)close(fd);
		return ("its workers are others than before; try again");
	}
	ward = &parent->successor.adopt.wards[parent->successor.adopt.nwards];
	ward->process = supervise_adopt(parent, place, msg);
	if (ward->process == NULL) {
		(void)close(fd);
		return ("no memory for its children");
	}
	if (adopt_ward_open(ward->process, (pid_t)msg->pid, fd) == -1)
		return ("its children cannot be watched");
	ward->log = ward->words = -1;
	parent->successor.adopt.nwards++;
	return (NULL);
}

/* Whose the next descriptor is; NULL: nobody's, and it is closed. */
static struct ward *
adopt_ward_last(struct parent *parent, int fd)
{
	if (parent->successor.adopt.nwards > 0)
		return (&parent->successor.adopt
			     .wards[parent->successor.adopt.nwards - 1]);
	(void)close(fd);
	return (NULL);
}

/* CTL_WARD_PAGE */
const char *
adopt_ward_page(void *owner, const void *data, size_t len, int fd)
{
	struct ward *ward;
	void *page;

	ward = adopt_ward_last(owner, fd);
	if (ward == NULL)
		return ("counters of nobody");
	if (ward->process->page != NULL) {
		(void)close(fd);
		return ("counters twice");
	}
	page = fdstat_map(
	    fcntl(fd, F_DUPFD_CLOEXEC, 0), COUNTERS_BYTES, PROT_READ);
	if (page == NULL) {
		(void)close(fd);
		return ("no counters");
	}
	ward->process->page = page;
	ward->process->page_fd = fd;
	return (NULL);
}

static const char *
adopt_ward_says(int *end, int fd)
{
	if (*end != -1) {
		(void)close(fd);
		return ("a log twice");
	}
	*end = fd;
	return (NULL);
}

/* CTL_WARD_LOG */
const char *
adopt_ward_log(void *owner, const void *data, size_t len, int fd)
{
	struct ward *ward;

	ward = adopt_ward_last(owner, fd);
	return (
	    ward == NULL ? "a log of nobody" : adopt_ward_says(&ward->log, fd));
}

/* CTL_WARD_WORDS */
const char *
adopt_ward_words(void *owner, const void *data, size_t len, int fd)
{
	struct ward *ward;

	ward = adopt_ward_last(owner, fd);
	return (ward == NULL ? "words of nobody"
			     : adopt_ward_says(&ward->words, fd));
}
