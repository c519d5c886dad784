/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "parent/control.h"
#include "parent/inherit.h"
#include "parent/notify.h"
#include "parent/park_file.h"
#include "parent/parent.h"

#define FLUSH_WAIT 1000 /* milliseconds for the answer to leave */

/*
 * The service manager keeps all that we have, and hands it to whom it starts
 * next (doc/moving.md).  Few descriptors: it compares each with all others.
 */

/* What it is called there; sockets by their number. */
static void
from_ctl_name(char name[INHERIT_NAME_LEN], const char *kind, uint32_t number)
{
	(void)snprintf(
	    name, INHERIT_NAME_LEN, INHERIT_OURS "%s-%04u", kind, number);
}

/* arg: how many have been kept.  What the manager has opened it has. */
static int
from_ctl_keep_socket(void *arg, int fd)
{
	char name[INHERIT_NAME_LEN];
	uint32_t *n;

	if (inherit_has(fd))
		return (0);
	n = arg;
	from_ctl_name(name, "socket", (*n)++);
	return (notify_keep(fd, name));
}

/* sockets: is set to how many are kept.  Returns 0, or -1, logged. */
static int
from_ctl_keep(const struct parent *parent, uint32_t *sockets)
{
	const struct park_file *file;
	char name[INHERIT_NAME_LEN];
	uint32_t i;

	file = parent->park.file;
	*sockets = 0;
	if (listen_each(parent, from_ctl_keep_socket, sockets) == -1)
		return (-1);
	for (i = 0; i < file->nqueues; i++) {
		from_ctl_name(name, "queue", i);
		if (notify_keep(file->queues[i], name) == -1)
			return (-1);
	}
	if (notify_keep(file->fd, INHERIT_OURS "file") == -1)
		return (-1);
	return (notify_barrier());
}

/* All goes on here: what the manager has by now must not outlive it. */
static void
from_ctl_let_go(const struct parent *parent, uint32_t sockets)
{
	char name[INHERIT_NAME_LEN];
	uint32_t i;

	for (i = 0; i < sockets; i++) {
		from_ctl_name(name, "socket", i);
		notify_let_go(name);
	}
	for (i = 0; i < parent->park.file->nqueues; i++) {
		from_ctl_name(name, "queue", i);
		notify_let_go(name);
	}
	notify_let_go(INHERIT_OURS "file");
}

/* It is the manager's: our children end, and so do we. */
static void from_ctl_kept(struct parent *, struct control_client *)
    __attribute__((noreturn));

static void
from_ctl_kept(struct parent *parent, struct control_client *client)
{
	shutdown_silently(parent);
	log_info("the service manager keeps %u sessions",
	    parent->park.file->sessions);
	if (control_done(client, 0) == NULL)
		(void)imsgbuf_flush(&client->channel.imsgbuf, FLUSH_WAIT);
	control_stop(parent);
	exit(0);
}

/* All stand still, or (0) go on. */
static void
from_ctl_parked(struct parent *parent, int ok)
{
	struct control_client *client;
	uint32_t sockets;

	client = control_of(parent, JOB_PARK);
	if (ok && client != NULL) {
		if (from_ctl_keep(parent, &sockets) == 0)
			from_ctl_kept(parent, client);
		from_ctl_let_go(parent, sockets);
	}
	park_undo(parent);
	if (client == NULL)
		return;
	client->left = NULL;
	if (control_done(client, EAGAIN) != NULL)
		control_drop(client);
}

static void
from_ctl_parker_left(struct parent *parent)
{
	park_fail(parent, "nobody waits for it any more");
}

/* CTL_PARK */
const char *
from_ctl_park(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	int error;

	client = owner;
	if (!notify_is_open())
		return (control_done(client, EOPNOTSUPP));
	client->job = JOB_PARK;
	client->left = from_ctl_parker_left;
	error = park_begin(client->control->parent, from_ctl_parked);
	if (error != 0) {
		client->left = NULL;
		return (control_done(client, error));
	}
	client->channel.state = CONTROL_BUSY;
	return (NULL);
}
