/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "parent/parent.h"

static const char *
from_metrics_ready(void *owner, const void *data, size_t len, int fd)
{
	return (supervise_ready(owner, data));
}

static const char *
from_metrics_pong(void *owner, const void *data, size_t len, int fd)
{
	struct process *p;

	p = owner;
	p->unanswered = 0;
	return (NULL);
}

/* It is asked nothing, so it says nothing more. */
const struct channel_rule from_metrics_rules[] = {
	CHANNEL_RULE(MP_READY, sizeof(struct msg_hello), PROCESS_STARTING,
	    from_metrics_ready),
	CHANNEL_RULE(
	    MP_PONG, 0, PROCESS_STARTING | PROCESS_RUNNING, from_metrics_pong),
};
const size_t from_metrics_nrules =
    sizeof(from_metrics_rules) / sizeof(from_metrics_rules[0]);
