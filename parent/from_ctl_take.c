/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/adopt.h"
#include "parent/control.h"
#include "parent/notify.h"
#include "parent/park_file.h"
#include "parent/parent.h"

/* Another parent takes over what we have (doc/moving.md). */

#define FLUSH_WAIT 1000 /* milliseconds for the answer to leave */

/* Root or our own user alone: with the sockets goes all that we are. */
static int
from_ctl_may_take(const struct control_client *client)
{
	struct ucred cred;
	socklen_t len;

	len = sizeof(cred);
	return (getsockopt(client->channel.imsgbuf.fd, SOL_SOCKET, SO_PEERCRED,
		    &cred, &len) == 0 &&
		(cred.uid == 0 || cred.uid == geteuid()));
}

/* Returns 0, or -1. */
static int
from_ctl_give(struct control_client *client, enum ctl_reply type, int fd)
{
	return (channel_send_copy(&client->channel, type, 0, fd, NULL, 0));
}

static int
from_ctl_give_socket(void *client, int fd)
{
	return (from_ctl_give(client, CTL_SOCKET, fd));
}

static int
from_ctl_give_sockets(struct control_client *client)
{
	const struct parent *parent;

	parent = client->control->parent;
	if (from_ctl_give(client, CTL_SOCKET, client->control->socket.fd) == -1)
		return (-1);
	if (parent->router.socket.what != NULL &&
	    from_ctl_give(client, CTL_SOCKET, parent->router.socket.fd) == -1)
		return (-1);
	return (listen_each(parent, from_ctl_give_socket, client));
}

/* Which places our workers have, a bit for each. */
static void
from_ctl_places(const struct parent *parent, uint64_t *bits)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].role != NULL)
			bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* CTL_SOCKETS */
const char *
from_ctl_sockets(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	struct msg_ctl_steered row;
	const struct parent *parent;
	const char *why;

	memset(&row, 0, sizeof(row));
	client = owner;
	parent = client->control->parent;
	if (!from_ctl_may_take(client))
		return (control_done(client, EPERM));
	/* It would take us for dead, and all that is left. */
	if (notify_is_open())
		return (control_done(client, EOPNOTSUPP));
	if (parent_is_ending(parent) || !parent->ready || parent->reloading)
		return (control_done(client, EBUSY));
	row.steered = parent->steered != 0;
	row.key = parent->steer_key;
	row.nworkers = parent->nworkers;
	row.keys = parent->keys;
	row.alike = adopt_alike(parent);
	from_ctl_places(parent, row.places);
	if (from_ctl_give_sockets(client) == -1 ||
	    control_row(client, CTL_STEERED, &row, sizeof(row)) == -1)
		return ("cannot be given the sockets");
	why = control_done(client, 0);
	client->channel.state = CONTROL_TAKES;
	return (why);
}

static void
from_ctl_taker_left(struct parent *parent)
{
	park_fail(parent, "the other one is gone");
}

/* Some are told of, or all are to be taken, or (0) go on. */
static void
from_ctl_kept(struct parent *parent, int ok)
{
	const struct park_file *file;
	struct control_client *client;
	uint32_t i;
	int error;

	client = control_of(parent, JOB_TAKE);
	if (client == NULL)
		return;
	if (!ok) {
		client->left = NULL;
		if (control_done(client, EAGAIN) != NULL)
			control_drop(client);
		else
			client->channel.state = CONTROL_TAKES;
		return;
	}
	file = parent->park.file;
	error = parent->park.stage == PARK_ENTRUSTED
		    ? entrust_give(parent, &client->channel)
		    : 0;
	if (error == 0)
		error = from_ctl_give(client, CTL_FILE, file->fd);
	for (i = 0; i < file->nqueues && error == 0; i++)
		error = from_ctl_give(client, CTL_QUEUE, file->queues[i]);
	if (error == -1 || control_done(client, 0) != NULL) {
		control_drop(client);
		return;
	}
	client->job = JOB_TAKE;
	client->channel.state =
	    parent->park.stage >= PARK_WHOLE ? CONTROL_TAKEN : CONTROL_TAKES;
}

/* begin: park_some() or park_begin(). */
static const char *
from_ctl_keep_for(
    struct control_client *client, int (*begin)(struct parent *, park_fn))
{
	struct control_client *other;
	struct parent *parent;
	const char *why;
	int error;

	parent = client->control->parent;
	/* What one was told of ahead no other may be given the rest of. */
	other = control_of(parent, JOB_TAKE);
	error = EBUSY;
	if (other == NULL || other == client) {
		client->job = JOB_TAKE;
		client->left = from_ctl_taker_left;
		error = begin(parent, from_ctl_kept);
	}
	if (error == 0) {
		client->channel.state = CONTROL_BUSY;
		return (NULL);
	}
	client->left = NULL;
	why = control_done(client, error);
	client->channel.state = CONTROL_TAKES;
	return (why);
}

/* CTL_AHEAD */
const char *
from_ctl_ahead(void *owner, const void *data, size_t len, int fd)
{
	return (from_ctl_keep_for(owner, park_some));
}

/* CTL_ADOPT */
const char *
from_ctl_adopt(void *owner, const void *data, size_t len, int fd)
{
	return (from_ctl_keep_for(owner, park_children));
}

/* CTL_TAKE */
const char *
from_ctl_take(void *owner, const void *data, size_t len, int fd)
{
	return (from_ctl_keep_for(owner, park_begin));
}

/* Boolean: it is dead, or about to be: it would take all that there is along.
 */
static int
from_ctl_has_left(const struct control_client *client)
{
	struct pollfd pfd;

	pfd.fd = client->channel.imsgbuf.fd;
	pfd.events = POLLRDHUP;
	return (poll(&pfd, 1, 0) == 1);
}

/* CTL_TAKEN: all that we had is another's. */
const char *
from_ctl_taken(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	struct parent *parent;

	client = owner;
	parent = client->control->parent;
	if (parent->park.stage < PARK_WHOLE)
		return ("nothing to take");
	if (parent_is_ending(parent))
		return ("all are to end");
	if (from_ctl_has_left(client))
		return ("who takes it is gone");
	if (parent->park.stage == PARK_ENTRUSTED) {
		if (!entrust_can_end(parent))
			return ("children that do not read");
		(void)control_done(client, 0);
		(void)imsgbuf_flush(&client->channel.imsgbuf, FLUSH_WAIT);
		entrust_wait(parent, client->channel.imsgbuf.fd);
	}
	/* They stand still: the other one need not wait until they are dead. */
	shutdown_kill_all(parent);
	(void)control_done(client, 0);
	(void)imsgbuf_flush(&client->channel.imsgbuf, FLUSH_WAIT);
	shutdown_silently(parent);
	log_info("another beacond has taken over");
	exit(0);
}
