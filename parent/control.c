/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "parent/control.h"
#include "parent/parent.h"

/* Before anything is touched, see local_socket_clear(). */
void
control_check(struct parent *parent)
{
	struct control *control;

	control = calloc(1, sizeof(*control));
	if (control == NULL)
		fatal("control");
	control->parent = parent;
	TAILQ_INIT(&control->clients);
	parent->control = control;
	local_socket_clear(
	    &control->socket, "control socket", parent->conf->control_socket);
}

/*
 * The directory of the socket, if it is not there and we are root: it becomes
 * our user's (privs.c), who can then remove the socket.
 */
static void
control_directory(struct control *control)
{
	char *slash;

	(void)strlcpy(control->directory, control->socket.sun.sun_path,
	    sizeof(control->directory));
	slash = strrchr(control->directory, '/');
	if (slash != NULL)
		*slash = '\0';
	/* Our group may ask, too, whatever the umask is. */
	if (slash == NULL || geteuid() != 0 ||
	    mkdir(control->directory, 0700) == -1 ||
	    chmod(control->directory, 0750) == -1)
		control->directory[0] = '\0';
}

/* The directory that control_bind() has made; "": it has made none. */
const char *
control_made(const struct parent *parent)
{
	return (parent->control->directory);
}

/* Binds the control socket; fatal with the remedy if that fails. */
void
control_bind(struct parent *parent)
{
	struct control *control;

	control = parent->control;
	control_directory(control);
	local_socket_bind(&control->socket, 0117, CONTROL_CLIENTS_MAX);
}

static int
control_in_group(int fd, gid_t gid)
{
	gid_t groups[256];
	socklen_t len;
	size_t i;

	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return (0);
	for (i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return (1);
	return (0);
}

/* Root, our own user, our own group: whatever happens to the file's mode. */
static int
control_allowed(int fd)
{
	struct ucred cred;
	socklen_t len;

	len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return (0);
	return (cred.uid == 0 || cred.uid == geteuid() ||
		cred.gid == getegid() || control_in_group(fd, getegid()));
}

/* Forgets a client; its channel is closed. */
void
control_drop(struct control_client *client)
{
	void (*left)(struct parent *);
	struct control *control;

	control = client->control;
	left = client->left;
	client->left = NULL;
	client->job = JOB_NONE;
	if (left != NULL)
		left(control->parent);
	channel_close(&client->channel);
	ev_timer_stop(control->parent->loop, &client->timer);
	TAILQ_REMOVE(&control->clients, client, entry);
	control->nclients--;
	free(client);
}

/* One row of an answer.  Returns 0, or -1 if the client does not read. */
int
control_row(struct control_client *client, enum ctl_reply type,
    const void *data, size_t len)
{
	return (channel_send(&client->channel, type, 0, -1, data, len));
}

/* Ends an answer; the next request may come.  NULL, or what is wrong. */
const char *
control_done(struct control_client *client, int error)
{
	struct msg_ctl_end end;

	ev_timer_stop(client->control->parent->loop, &client->timer);
	client->job = JOB_NONE;
	client->channel.state = CONTROL_READY;
	end.error = (uint32_t)error;
	if (control_row(client, CTL_END, &end, sizeof(end)) == -1)
		return (CONTROL_SLOW);
	return (NULL);
}

/*
 * The answer takes a while: cb is called after so many seconds, and then, if
 * `every` is not 0, each so many.
 */
void
control_wait(struct control_client *client, enum control_job job,
    void (*cb)(struct ev_loop *, ev_timer *, int), double after, double every)
{
	ev_timer_stop(client->control->parent->loop, &client->timer);
	client->job = job;
	client->channel.state = CONTROL_BUSY;
	ev_timer_init(&client->timer, cb, after, every);
	ev_timer_start(client->control->parent->loop, &client->timer);
}

static void
control_end(void *owner, const char *reason)
{
	control_drop(owner);
}

static void
control_add(struct control *control, int fd)
{
	struct control_client *client;

	client = NULL;
	if (control->nclients < CONTROL_CLIENTS_MAX && control_allowed(fd))
		client = calloc(1, sizeof(*client));
	if (client == NULL) {
		(void)close(fd);
		return;
	}
	client->control = control;
	if (channel_open(&client->channel, control->parent->loop, fd,
		"control client", control->rules, control->nrules, control_end,
		client) == -1) {
		free(client);
		return;
	}
	client->channel.state = CONTROL_READY;
	imsgbuf_set_limit(&client->channel.imsgbuf, CONTROL_QUEUE);
	client->timer.data = client;
	TAILQ_INSERT_TAIL(&control->clients, client, entry);
	control->nclients++;
}

static void
control_unpause(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct control *control;

	control = w->data;
	ev_io_start(loop, &control->listener);
}

static void
control_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct control *control;
	int fd;

	if (loop_deaf(loop, w, revents))
		return;
	control = w->data;
	fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		control_add(control, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* No descriptors or no memory: look again when there may be some. */
	ev_io_stop(loop, w);
	ev_timer_set(&control->pause, 1., 0.);
	ev_timer_start(loop, &control->pause);
}

static struct control *control_told;

/* What is said while a reload is done is said to whoever asked for it. */
static void
control_said(const char *procname, const char *text)
{
	struct control_client *client;
	struct msg_ctl_said row;

	memset(&row, 0, sizeof(row));
	(void)snprintf(row.text, sizeof(row.text), "%s%s%s",
	    strcmp(procname, "beacond") == 0 ? "" : procname,
	    strcmp(procname, "beacond") == 0 ? "" : ": ", text);
	TAILQ_FOREACH(client, &control_told->clients, entry)
		if (client->job == JOB_RELOADING || client->job == JOB_RELOAD ||
		    client->job == JOB_RENEW || client->job == JOB_PARK)
			(void)control_row(client, CTL_SAID, &row, sizeof(row));
}

/* Begins to serve operators; rules is the table of what they may ask. */
void
control_start(
    struct parent *parent, const struct channel_rule *rules, size_t nrules)
{
	struct control *control;

	control = parent->control;
	control->rules = rules;
	control->nrules = nrules;
	control_told = control;
	log_also(control_said);
	ev_timer_init(&control->pause, control_unpause, 0., 0.);
	control->pause.data = control;
	ev_io_init(
	    &control->listener, control_accept, control->socket.fd, EV_READ);
	control->listener.data = control;
	if (!successor_waits(&parent->successor))
		ev_io_start(parent->loop, &control->listener);
}

/* A reload was done, as far as that is possible without a restart. */
const char *
control_reload_done(struct control_client *client)
{
	return (control_done(
	    client, client->control->parent->reload_waits ? ERESTART : 0));
}

/* Auth has read the keys that a reload gave it, or keeps those it had. */
void
control_reloaded(struct parent *parent, int changed)
{
	struct control_client *client, *next;
	const char *why;

	TAILQ_FOREACH_SAFE(client, &parent->control->clients, entry, next) {
		if (client->job != JOB_RELOAD)
			continue;
		why = changed ? control_reload_done(client)
			      : control_done(client, ENOKEY);
		if (why != NULL)
			control_drop(client);
	}
}

/* New workers have taken over (0), or not. */
void
control_renewed(struct parent *parent, int error)
{
	struct control_client *client, *next;

	TAILQ_FOREACH_SAFE(client, &parent->control->clients, entry, next)
		if (client->job == JOB_RENEW &&
		    control_done(client, error) != NULL)
			control_drop(client);
}

/* The client for whom that is being done; NULL: it has gone. */
struct control_client *
control_of(const struct parent *parent, enum control_job job)
{
	struct control_client *client;

	TAILQ_FOREACH(client, &parent->control->clients, entry)
		if (client->job == job)
			return (client);
	return (NULL);
}

/*
 * Boolean: another parent takes over, and may have read already what would be
 * changed: from the time on when it has our sockets.
 */
int
control_is_parting(const struct parent *parent)
{
	const struct control_client *client;

	TAILQ_FOREACH(client, &parent->control->clients, entry)
		if (client->channel.state == CONTROL_TAKES)
			return (1);
	return (parent->park.stage != PARK_NOT);
}

/* Nobody is listened to but whoever waits for what is being done. */
void
control_pause(struct parent *parent)
{
	struct control_client *client;

	ev_timer_stop(parent->loop, &parent->control->pause);
	ev_io_stop(parent->loop, &parent->control->listener);
	TAILQ_FOREACH(client, &parent->control->clients, entry)
		if (client->job != JOB_TAKE && client->job != JOB_PARK)
			channel_pause(&client->channel);
}

/* All are again. */
void
control_resume(struct parent *parent)
{
	struct control_client *client;

	ev_io_start(parent->loop, &parent->control->listener);
	TAILQ_FOREACH(client, &parent->control->clients, entry)
		channel_resume(&client->channel);
}

/* Closes what the operators have open, and removes the socket. */
void
control_stop(struct parent *parent)
{
	struct control_client *client, *next;
	struct control *control;

	control = parent->control;
	log_also(NULL);
	TAILQ_FOREACH_SAFE(client, &control->clients, entry, next) {
		(void)imsgbuf_write(&client->channel.imsgbuf);
		control_drop(client);
	}
	/* It is still the one's from whom we have not taken over. */
	if (!parent->successor.pending)
		local_socket_remove(&control->socket);
}
