/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>
#include <unistd.h>

#include "auth/auth.h"

/* What the parent says of the registry; see auth/from_parent.c. */

static int
from_parent_conf_good(const struct msg_registry_conf *conf)
{
	return (memchr(conf->host, '\0', sizeof(conf->host)) != NULL &&
		memchr(conf->token, '\0', sizeof(conf->token)) != NULL &&
		conf->burst > 0 && conf->refresh > 0);
}

const char *
from_parent_registry_conf(void *owner, const void *data, size_t len, int fd)
{
	struct auth *auth;

	auth = owner;
	if (!from_parent_conf_good(data))
		return ("configuration of the registry out of range");
	memcpy(&auth->conf, data, sizeof(auth->conf));
	keystore_configure(&auth->store, &auth->conf);
	auth->enroll_due = 0;
	if (auth->conf.rate != 0) {
		registry_limits(
		    &auth->registry, auth->conf.rate, auth->conf.burst);
		turn_seconds(auth);
		return (NULL);
	}
	from_registry_end(auth, REGISTRY_DROPPED);
	lookup_forget(&auth->lookups);
	turn_wake(auth);
	return (NULL);
}

const char *
from_parent_registry(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_registry *msg;
	struct msg_registry_end end;
	struct auth *auth;

	auth = owner;
	msg = data;
	from_registry_end(auth, REGISTRY_DROPPED);
	if (auth->conf.rate != 0) {
		registry_open(&auth->registry, msg, fd);
		turn_pulse(auth);
		return (NULL);
	}
	(void)close(fd);
	memset(&end, 0, sizeof(end));
	end.serial = msg->serial;
	end.reason = REGISTRY_DROPPED;
	tell_parent(auth, AP_REGISTRY, &end, sizeof(end));
	return (NULL);
}

const char *
from_parent_snapshot(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_snapshot *msg;

	msg = data;
	if (memchr(msg->path, '\0', sizeof(msg->path)) == NULL)
		return ("path without an end");
	keys_snapshot_load(owner, fd, msg);
	return (NULL);
}

const char *
from_parent_cache(void *owner, const void *data, size_t len, int fd)
{
	keys_cache(owner, fd, data);
	return (NULL);
}
