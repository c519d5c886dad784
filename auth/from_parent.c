/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/counters.h"
#include "common/self.h"

#include "auth/auth.h"

#define SETTING_UP AUTH_SETUP
#define ANY_TIME   (AUTH_SETUP | AUTH_RUNNING)

static const char *
from_parent_hello(void *owner, const void *data, size_t len, int fd)
{
	struct auth *auth;

	auth = owner;
	memcpy(&auth->hello, data, sizeof(auth->hello));
	proto_check_hello(&auth->hello, "beacond-auth");
	auth->parent.state = AUTH_SETUP;
	return (NULL);
}

static const char *
from_parent_settings(void *owner, const void *data, size_t len, int fd)
{
	struct auth *auth;

	auth = owner;
	memcpy(&auth->settings, data, sizeof(auth->settings));
	auth->has_settings = 1;
	log_set_level((int)auth->settings.log_level);
	return (NULL);
}

static const char *
from_parent_map(void *owner, const void *data, size_t len, int fd)
{
	struct peermap map;
	struct auth *auth;

	auth = owner;
	if (peermap_open(&map, fd) == -1)
		return ("not a peer map");
	/* After the first it is another parent's, which has taken over. */
	peermap_replace(&auth->map, &map);
	auth->has_map = 1;
	return (NULL);
}

static const char *
from_parent_counters(void *owner, const void *data, size_t len, int fd)
{
	struct auth *auth;

	auth = owner;
	if (auth->has_counters)
		return ("second page of counters");
	if (counters_open(fd) == -1)
		return ("not a page of counters");
	auth->has_counters = 1;
	return (NULL);
}

static const char *
from_parent_keys(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_keys *msg;

	msg = data;
	if (memchr(msg->path, '\0', sizeof(msg->path)) == NULL)
		return ("path without an end");
	keys_load(owner, fd, msg);
	return (NULL);
}

static const char *
from_parent_worker(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_worker *msg;

	msg = data;
	if (msg->worker >= PROTO_PLACES_MAX)
		return ("worker out of range");
	if (from_worker_open(owner, msg, fd) == -1)
		fatal("channel to worker %u", msg->worker);
	return (NULL);
}

static const char *
from_parent_start(void *owner, const void *data, size_t len, int fd)
{
	struct auth *auth;

	auth = owner;
	if (!auth->has_settings || !auth->has_map || !auth->has_counters)
		return ("start before all is there");
	auth->parent.state = AUTH_RUNNING;
	turn_wake(auth);
	return (NULL);
}

/* How much of what auth holds just now. */
static void
from_parent_self(const struct auth *auth)
{
	uint64_t descriptors;
	uint32_t i;

	descriptors = (auth->registry.fd != -1) + (auth->file.fd != -1) +
		      (auth->snapshot.fd != -1) + (auth->cache.fd != -1);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		descriptors += auth->workers[i] != NULL;
	self_tell(descriptors);
}

static const char *
from_parent_ping(void *owner, const void *data, size_t len, int fd)
{
	from_parent_self(owner);
	tell_parent(owner, AP_PONG, NULL, 0);
	(void)channel_flush(&((struct auth *)owner)->parent);
	return (NULL);
}

static const char *
from_parent_shutdown(void *owner, const void *data, size_t len, int fd)
{
	exit(0);
}

static const struct channel_rule from_parent_rules[] = {
	CHANNEL_RULE(
	    PA_HELLO, sizeof(struct msg_hello), AUTH_HELLO, from_parent_hello),
	CHANNEL_RULE(PA_SETTINGS, sizeof(struct msg_settings), ANY_TIME,
	    from_parent_settings),
	CHANNEL_RULE_FD(PA_MAP, 0, ANY_TIME, from_parent_map),
	CHANNEL_RULE_FD(PA_COUNTERS, 0, SETTING_UP, from_parent_counters),
	CHANNEL_RULE_FD(
	    PA_KEYS, sizeof(struct msg_keys), ANY_TIME, from_parent_keys),
	CHANNEL_RULE_FD(
	    PA_WORKER, sizeof(struct msg_worker), ANY_TIME, from_parent_worker),
	CHANNEL_RULE(PA_REGISTRY_CONF, sizeof(struct msg_registry_conf),
	    ANY_TIME, from_parent_registry_conf),
	CHANNEL_RULE_FD(PA_REGISTRY, sizeof(struct msg_registry), ANY_TIME,
	    from_parent_registry),
	CHANNEL_RULE_FD(PA_SNAPSHOT, sizeof(struct msg_snapshot), ANY_TIME,
	    from_parent_snapshot),
	CHANNEL_RULE_FD(
	    PA_CACHE, sizeof(struct msg_cache), ANY_TIME, from_parent_cache),
	CHANNEL_RULE(PA_START, 0, SETTING_UP, from_parent_start),
	CHANNEL_RULE(PA_PING, 0, ANY_TIME, from_parent_ping),
	CHANNEL_RULE(
	    PA_SHUTDOWN, 0, AUTH_HELLO | ANY_TIME, from_parent_shutdown)
};

static void
from_parent_end(void *owner, const char *reason)
{
	if (reason != NULL)
		fatalx("channel to the parent: %s", reason);
	exit(0);
}

/* Begins to serve the parent on fd. */
void
from_parent_open(struct auth *auth, int fd)
{
	if (channel_open(&auth->parent, auth->loop, fd, "parent",
		from_parent_rules,
		sizeof(from_parent_rules) / sizeof(from_parent_rules[0]),
		from_parent_end, auth) == -1)
		fatal("channel to the parent");
	auth->parent.state = AUTH_HELLO;
}
