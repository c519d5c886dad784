/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>
#include <string.h>

#include "parent/parent.h"

static const char *
dispatch_worker_ready(struct channel *ch, struct imsg *imsg)
{
	return (dispatch_ready(ch->owner, imsg));
}

static const char *
dispatch_worker_closed(struct channel *ch, struct imsg *imsg)
{
	struct msg_closed closed;
	const char *reason;

	if ((reason = dispatch_charge(ch->owner)) != NULL)
		return (reason);
	if (imsg_get_data(imsg, &closed, sizeof(closed)) == -1)
		return ("malformed message");
	return (admit_closed(ch->owner, &closed));
}

static const char *
dispatch_worker_stat(struct channel *ch, struct imsg *imsg)
{
	struct msg_stat_reply stat;
	const char *reason;

	if ((reason = dispatch_charge(ch->owner)) != NULL)
		return (reason);
	if (imsg_get_data(imsg, &stat, sizeof(stat)) == -1)
		return ("malformed message");
	control_stat(ch->owner, &stat);
	return (NULL);
}

static const char *
dispatch_worker_endpoint(struct channel *ch, struct imsg *imsg)
{
	struct msg_endpoint seen;
	struct process *p;
	const char *reason;

	p = ch->owner;
	if ((reason = dispatch_charge(p)) != NULL)
		return (reason);
	if (imsg_get_data(imsg, &seen, sizeof(seen)) == -1)
		return ("malformed message");
	return (endpoint_seen(p->parent, &seen));
}

static const char *
dispatch_worker_sync(struct channel *ch, struct imsg *imsg)
{
	struct msg_sync sync;
	struct ibuf ids;
	const char *reason;

	if ((reason = dispatch_charge(ch->owner)) != NULL)
		return (reason);
	if (imsg_get_ibuf(imsg, &ids) == -1 ||
	    ibuf_get(&ids, &sync, sizeof(sync)) == -1)
		return ("malformed message");
	if (ibuf_size(&ids) != sync.count * sizeof(uint32_t))
		return ("sync of wrong size");
	return (gossip_chunk(ch->owner, &sync, ibuf_data(&ids)));
}

static const char *
dispatch_worker_pong(struct channel *ch, struct imsg *imsg)
{
	struct process *p;

	(void)imsg;
	p = ch->owner;
	p->unanswered = 0;
	return (dispatch_charge(p));
}

#define RULE(type, size, states, handler)                               \
	{                                                               \
		type, #type, size, size, CHANNEL_NO_FD, states, handler \
	}

#define STARTING DISPATCH_STARTING
#define RUNNING  DISPATCH_RUNNING
#define ANY      (STARTING | RUNNING)

const struct channel_rule dispatch_worker_rules[] = {
	RULE(WP_READY, sizeof(struct msg_hello), STARTING,
	    dispatch_worker_ready),
	RULE(WP_CLOSED, sizeof(struct msg_closed), RUNNING,
	    dispatch_worker_closed),
	RULE(WP_STAT, sizeof(struct msg_stat_reply), RUNNING,
	    dispatch_worker_stat),
	RULE(WP_ENDPOINT, sizeof(struct msg_endpoint), RUNNING,
	    dispatch_worker_endpoint),
	{ WP_SYNC, "WP_SYNC", sizeof(struct msg_sync),
	    sizeof(struct msg_sync) + PROTO_SYNC_CHUNK * sizeof(uint32_t),
	    CHANNEL_NO_FD, RUNNING, dispatch_worker_sync },
	RULE(WP_PONG, 0, ANY, dispatch_worker_pong),
};
const size_t dispatch_worker_nrules =
    sizeof(dispatch_worker_rules) / sizeof(dispatch_worker_rules[0]);
