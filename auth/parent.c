/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/counters.h"

#include "auth/auth.h"

#define SETTING_UP AUTH_SETUP
#define ANY_TIME   (AUTH_SETUP | AUTH_RUNNING)

static const char *
parent_hello(struct channel *ch, struct imsg *imsg)
{
	char version[PROTO_VERSION_LEN + 1] = "";
	struct auth *auth;

	auth = ch->owner;
	if (imsg_get_data(imsg, &auth->hello, sizeof(auth->hello)) == -1)
		return ("unreadable");
	memcpy(version, auth->hello.version, sizeof(auth->hello.version));
	if (strcmp(version, BEACOND_VERSION) != 0)
		fatalx("this is version %s, beacond is version %s",
		    BEACOND_VERSION, version);
	ch->state = AUTH_SETUP;
	return (NULL);
}

static const char *
parent_settings(struct channel *ch, struct imsg *imsg)
{
	struct auth *auth;

	auth = ch->owner;
	if (imsg_get_data(imsg, &auth->settings, sizeof(auth->settings)) == -1)
		return ("unreadable");
	auth->has_settings = 1;
	return (NULL);
}

static const char *
parent_map(struct channel *ch, struct imsg *imsg)
{
	struct auth *auth;
	int fd, result;

	auth = ch->owner;
	if (auth->has_map)
		return ("second peer map");
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	result = peermap_open(&auth->map, fd);
	(void)close(fd);
	if (result == -1)
		return ("not a peer map");
	auth->has_map = 1;
	return (NULL);
}

static const char *
parent_counters(struct channel *ch, struct imsg *imsg)
{
	struct auth *auth;
	int fd, result;

	auth = ch->owner;
	if (auth->has_counters)
		return ("second page of counters");
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	result = counters_open(fd);
	(void)close(fd);
	if (result == -1)
		return ("not a page of counters");
	auth->has_counters = 1;
	return (NULL);
}

static const char *
parent_keys(struct channel *ch, struct imsg *imsg)
{
	struct msg_keys msg;
	int fd;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	if (memchr(msg.path, '\0', sizeof(msg.path)) == NULL)
		return ("path without an end");
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	keys_load(ch->owner, fd, msg.path);
	return (NULL);
}

static const char *
parent_worker(struct channel *ch, struct imsg *imsg)
{
	struct msg_worker msg;
	int fd;

	if (imsg_get_data(imsg, &msg, sizeof(msg)) == -1)
		return ("unreadable");
	if (msg.worker >= PROTO_WORKERS_MAX)
		return ("worker out of range");
	fd = imsg_get_fd(imsg);
	if (fd == -1)
		return ("descriptor lost");
	if (worker_open(ch->owner, &msg, fd) == -1)
		fatal("channel to worker %u", msg.worker);
	return (NULL);
}

static const char *
parent_start(struct channel *ch, struct imsg *imsg)
{
	struct auth *auth;

	(void)imsg;
	auth = ch->owner;
	if (!auth->has_settings || !auth->has_map || !auth->has_counters)
		return ("start before all is there");
	ch->state = AUTH_RUNNING;
	work_wake(auth);
	return (NULL);
}

static const char *
parent_ping(struct channel *ch, struct imsg *imsg)
{
	(void)imsg;
	parent_tell(ch->owner, AP_PONG, NULL, 0);
	(void)channel_flush(ch);
	return (NULL);
}

static const char *
parent_shutdown(struct channel *ch, struct imsg *imsg)
{
	(void)ch;
	(void)imsg;
	exit(0);
}

#define EXACTLY(type) sizeof(struct type), sizeof(struct type)
#define NOTHING       0, 0

static const struct channel_rule parent_rules[] = {
	{ PA_HELLO, "HELLO", EXACTLY(msg_hello), CHANNEL_NO_FD, AUTH_HELLO,
	    parent_hello },
	{ PA_SETTINGS, "SETTINGS", EXACTLY(msg_settings), CHANNEL_NO_FD,
	    ANY_TIME, parent_settings },
	{ PA_MAP, "MAP", NOTHING, CHANNEL_FD, SETTING_UP, parent_map },
	{ PA_COUNTERS, "COUNTERS", NOTHING, CHANNEL_FD, SETTING_UP,
	    parent_counters },
	{ PA_KEYS, "KEYS", EXACTLY(msg_keys), CHANNEL_FD, ANY_TIME,
	    parent_keys },
	{ PA_WORKER, "WORKER", EXACTLY(msg_worker), CHANNEL_FD, ANY_TIME,
	    parent_worker },
	{ PA_START, "START", NOTHING, CHANNEL_NO_FD, SETTING_UP, parent_start },
	{ PA_PING, "PING", NOTHING, CHANNEL_NO_FD, ANY_TIME, parent_ping },
	{ PA_SHUTDOWN, "SHUTDOWN", NOTHING, CHANNEL_NO_FD,
	    AUTH_HELLO | ANY_TIME, parent_shutdown }
};

static void
parent_end(struct channel *ch, const char *reason)
{
	(void)ch;
	if (reason != NULL)
		fatalx("channel to the parent: %s", reason);
	exit(0);
}

/* Begins to serve the parent on fd. */
void
parent_open(struct auth *auth, int fd)
{
	if (channel_open(&auth->parent, auth->loop, fd, "parent", parent_rules,
		sizeof(parent_rules) / sizeof(parent_rules[0]), parent_end,
		auth) == -1)
		fatal("channel to the parent");
	auth->parent.state = AUTH_HELLO;
}

/* Logins are served from now on. */
void
parent_ready(struct auth *auth)
{
	parent_tell(auth, AP_READY, &auth->hello, sizeof(auth->hello));
	auth->ready = 1;
}

/*
 * Queues a message for the parent.  work_congested() keeps the queue from ever
 * getting full, so that it is full means that nobody reads it.
 */
void
parent_tell(
    struct auth *auth, enum auth_to_parent type, const void *data, size_t len)
{
	if (channel_send(&auth->parent, type, 0, -1, data, len) == -1)
		fatal("cannot tell the parent");
}
