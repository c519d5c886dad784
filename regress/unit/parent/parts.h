/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_PARENT_PARTS_H
#define REGRESS_UNIT_PARENT_PARTS_H

#include <sys/wait.h>

#include <stdlib.h>
#include <unistd.h>

#include "parent/parent.h"
#include "regress/unit/test.h"

/*
 * A parent with two workers, auth and metrics whose ends of the channels are
 * the test's, and as much else of it as the test sets up.
 */
static struct parent parent;
static struct config parts_conf;

#define COUNTED(counter) counters_read(counters, COUNTER_##counter)

#define PARTS_SHUTDOWN 77 /* what a child of any role is told then */

/* The other end of a child's channel, by the place: process_place(). */
static struct imsgbuf parts_ends[4];

static inline void
parts_ended(void *owner, const char *reason)
{
}

/* A child at that place, running. */
static inline struct process *
parts_child(uint32_t i)
{
	static const struct channel_rule no_rules[1];
	static const struct role_rules rules[4] = {
		{ .id = ROLE_AUTH, .shutdown = PARTS_SHUTDOWN },
		{ .id = ROLE_WORKER, .shutdown = PARTS_SHUTDOWN },
		{ .id = ROLE_WORKER, .shutdown = PARTS_SHUTDOWN },
		{ .id = ROLE_METRICS, .shutdown = PARTS_SHUTDOWN },
	};
	struct place *place;
	struct process *p;
	int pair[2];

	place = i == 0   ? &parent.auth
		: i == 3 ? &parent.metrics
			 : &parent.workers[i - 1];
	place->parent = &parent;
	place->role = &rules[i];
	place->number = i == 2;
	(void)strlcpy(place->name, "child", sizeof(place->name));
	imsgbuf_clear(&parts_ends[i]);
	p = calloc(1, sizeof(*p));
	if (p == NULL || channel_pair(pair) == -1 ||
	    channel_open(&p->channel, parent.loop, pair[0], "child", no_rules,
		0, parts_ended, p) == -1 ||
	    imsgbuf_init(&parts_ends[i], pair[1]) == -1)
		abort();
	imsgbuf_allow_fdrecv(&parts_ends[i]);
	p->parent = &parent;
	p->place = place;
	p->page_fd = p->watcher.fd = -1;
	p->epoch = ++place->epoch;
	p->state = CHILD_RUNNING;
	place->child = p;
	return (p);
}

static inline void
parts_init(void)
{
	uint32_t i;

	parent.loop = ev_default_loop(EVFLAG_NOENV);
	if (parent.loop == NULL)
		abort();
	parent.nworkers = 2;
	parent.conf = &parts_conf;
	TAILQ_INIT(&parent.listeners);
	TAILQ_INIT(&parts_conf.addresses);
	STAILQ_INIT(&parts_conf.files);
	for (i = 0; i < 4; i++)
		(void)parts_child(i);
}

/*
 * The next message that child i was sent: 1 if it is of that type and size, 0
 * if it is another, -1 if there is none.
 */
static inline int
parts_told(uint32_t i, uint32_t type, void *data, size_t len)
{
	struct channel *channel;
	struct imsgbuf *end;
	struct imsg imsg;
	int r;

	channel = i == 0   ? &parent.auth.child->channel
		  : i == 3 ? &parent.metrics.child->channel
			   : &parent.workers[i - 1].child->channel;
	end = &parts_ends[i];
	(void)channel_flush(channel);
	if (imsgbuf_get(end, &imsg) != 1 &&
	    (imsgbuf_read(end) != 1 || imsgbuf_get(end, &imsg) != 1))
		return (-1);
	r = imsg_get_type(&imsg) == type && imsg_get_len(&imsg) == len &&
	    (len == 0 || imsg_get_data(&imsg, data, len) == 0);
	imsg_free(&imsg);
	return (r);
}

/*
 * The status of a process that does that, quietly: what is fatal ends it with
 * 1, what ends by itself with 0.
 */
static inline int
parts_apart(void (*act)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		act();
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		abort();
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

#endif /* REGRESS_UNIT_PARENT_PARTS_H */
