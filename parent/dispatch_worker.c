/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>
#include <string.h>

#include "parent/parent.h"

static const char *
dispatch_worker_ready(void *owner, const void *data, size_t len, int fd)
{
	return (dispatch_ready(owner, data));
}

static const char *
dispatch_worker_closed(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_closed *closed;

	closed = data;
	return (admit_closed(owner, closed));
}

static const char *
dispatch_worker_stat(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_stat_reply *stat;

	stat = data;
	control_stat(owner, stat);
	return (NULL);
}

static const char *
dispatch_worker_endpoint(void *owner, const void *data, size_t len, int fd)
{
	return (endpoint_seen(owner, data));
}

static const char *
dispatch_worker_sync(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_sync *sync;

	sync = data;
	if (len - sizeof(*sync) != sync->count * sizeof(uint32_t))
		return ("sync of wrong size");
	return (gossip_chunk(owner, sync, (const uint8_t *)(sync + 1)));
}

static const char *
dispatch_worker_pong(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	p->unanswered = 0;
	return (NULL);
}

#define STARTING DISPATCH_STARTING
#define RUNNING  DISPATCH_RUNNING
#define ANY      (STARTING | RUNNING)

const struct channel_rule dispatch_worker_rules[] = {
	CHANNEL_RULE(WP_READY, sizeof(struct msg_hello), STARTING,
	    dispatch_worker_ready),
	CHANNEL_RULE(WP_CLOSED, sizeof(struct msg_closed), RUNNING,
	    dispatch_worker_closed),
	CHANNEL_RULE(WP_STAT, sizeof(struct msg_stat_reply), RUNNING,
	    dispatch_worker_stat),
	CHANNEL_RULE(WP_ENDPOINT, sizeof(struct msg_endpoint), RUNNING,
	    dispatch_worker_endpoint),
	CHANNEL_RULE_RANGE(WP_SYNC, sizeof(struct msg_sync),
	    sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t),
	    RUNNING, dispatch_worker_sync),
	CHANNEL_RULE(WP_PONG, 0, ANY, dispatch_worker_pong),
};
const size_t dispatch_worker_nrules =
    sizeof(dispatch_worker_rules) / sizeof(dispatch_worker_rules[0]);
