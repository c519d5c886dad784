/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>
#include <string.h>

#include "parent/parent.h"

static const char *
from_worker_ready(void *owner, const void *data, size_t len, int fd)
{
	return (supervise_ready(owner, data));
}

static const char *
from_worker_closed(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_closed *closed;

	closed = data;
	return (admit_closed(owner, closed));
}

static const char *
from_worker_stat(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_stat_row *rows;
	const struct msg_stat *stat;
	uint32_t i;

	stat = data;
	rows = (const struct msg_stat_row *)(stat + 1);
	if (stat->count > PROTO_STAT_MAX ||
	    len != sizeof(*stat) + stat->count * sizeof(*rows))
		return ("stat of wrong size");
	for (i = 0; i < stat->count; i++)
		if (rows[i].known > 1 || rows[i].port > UINT16_MAX)
			return ("stat with impossible values");
	return (control_stat(owner, stat, rows));
}

static const char *
from_worker_endpoint(void *owner, const void *data, size_t len, int fd)
{
	return (endpoint_seen(owner, data));
}

static const char *
from_worker_sync(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_sync *sync;

	sync = data;
	if (len - sizeof(*sync) != sync->count * sizeof(uint32_t))
		return ("sync of wrong size");
	return (gossip_chunk(owner, sync, (const uint8_t *)(sync + 1)));
}

static const char *
from_worker_move_ready(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move_ready *msg;

	msg = data;
	if (unpark_is(owner, msg->ticket))
		return (unpark_ready(owner, msg));
	return (move_ready(owner, msg));
}

static const char *
from_worker_move_done(void *owner, const void *data, size_t len, int fd)
{
	const struct msg_move_done *msg;

	msg = data;
	if (unpark_is(owner, msg->ticket))
		return (unpark_done(owner));
	return (move_done(owner, msg));
}

static const char *
from_worker_still(void *owner, const void *data, size_t len, int fd)
{
	return (park_is_still(owner, data));
}

static const char *
from_worker_pong(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	p->unanswered = 0;
	places_wake(p->parent);
	return (NULL);
}

#define STARTING PROCESS_STARTING
#define RUNNING  PROCESS_RUNNING
#define ANY      (STARTING | RUNNING)

const struct channel_rule from_worker_rules[] = {
	CHANNEL_RULE(
	    WP_READY, sizeof(struct msg_hello), STARTING, from_worker_ready),
	CHANNEL_RULE(
	    WP_CLOSED, sizeof(struct msg_closed), RUNNING, from_worker_closed),
	CHANNEL_RULE_RANGE(WP_STAT, sizeof(struct msg_stat),
	    sizeof(struct msg_stat) +
		PROTO_STAT_MAX * sizeof(struct msg_stat_row),
	    RUNNING, from_worker_stat),
	CHANNEL_RULE(WP_ENDPOINT, sizeof(struct msg_endpoint), RUNNING,
	    from_worker_endpoint),
	CHANNEL_RULE_RANGE(WP_SYNC, sizeof(struct msg_sync),
	    sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t),
	    RUNNING, from_worker_sync),
	CHANNEL_RULE(WP_MOVE_READY, sizeof(struct msg_move_ready), RUNNING,
	    from_worker_move_ready),
	CHANNEL_RULE(WP_MOVE_DONE, sizeof(struct msg_move_done), RUNNING,
	    from_worker_move_done),
	CHANNEL_RULE(
	    WP_STILL, sizeof(struct msg_still), RUNNING, from_worker_still),
	CHANNEL_RULE(WP_PONG, 0, ANY, from_worker_pong),
};
const size_t from_worker_nrules =
    sizeof(from_worker_rules) / sizeof(from_worker_rules[0]);
