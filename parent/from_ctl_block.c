/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/control.h"
#include "parent/parent.h"

/* What an operator does to nodes and networks. */

const char *
from_ctl_drop(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	const struct msg_ctl_node *node;

	client = owner;
	node = data;
	if (!admit_drop(client->control->parent, node->node))
		return (control_done(client, ENOENT));
	log_info("node %u: session closed by the operator", node->node);
	return (control_done(client, 0));
}

const char *
from_ctl_block(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;

	client = owner;
	if (control_is_parting(client->control->parent))
		return (control_done(client, EBUSY));
	return (control_done(client, block_add(client->control->parent, data)));
}

const char *
from_ctl_unblock(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;

	client = owner;
	if (control_is_parting(client->control->parent))
		return (control_done(client, EBUSY));
	return (
	    control_done(client, block_remove(client->control->parent, data)));
}

/* They fit into the queue of one client. */
const char *
from_ctl_show_blocked(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	struct msg_ctl_blocked row;
	const struct block *block;
	const struct blocks *blocks;
	uint32_t i;

	client = owner;
	blocks = client->control->parent->blocks;
	memset(&row, 0, sizeof(row));
	for (i = 0; i < blocks->count; i++) {
		block = &blocks->at[i];
		memcpy(row.addr, block->addr, sizeof(row.addr));
		row.prefix = block->prefix;
		row.until = block->until == 0 ? 0 : clock_wall_at(block->until);
		if (control_row(client, CTL_BLOCKED, &row, sizeof(row)) == -1)
			return (CONTROL_SLOW);
	}
	return (control_done(client, 0));
}
