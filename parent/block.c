/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/block.h"
#include "parent/parent.h"

/*
 * Whom the operator has blocked.  A node is refused here, where its logins are
 * decided on and its endpoints noted; a network by the workers.
 */

/* An operator's: bits behind the prefix, or the node, may be set. */
static int
block_key(struct block *key, const struct msg_ctl_block *msg)
{
	uint32_t node;

	if (msg->prefix > BLOCKS_NODE || msg->seconds > CTL_BLOCK_SECONDS_MAX)
		return (-1);
	key->prefix = msg->prefix;
	if (key->prefix != BLOCKS_NODE)
		address_network(key->addr, msg->addr, key->prefix);
	else {
		memcpy(&node, msg->addr, sizeof(node));
		if (node == 0)
			return (-1);
		blocks_node(key->addr, node);
	}
	key->until = msg->seconds == 0 ? 0 : clock_seconds() + msg->seconds;
	return (0);
}

static void
block_log(const struct block *block, const char *what)
{
	char text[BLOCK_TEXT_LEN];

	log_info("%s: %s", block_file_text(block, text), what);
}

static void
block_tell(struct process *worker, const struct block *block, int on)
{
	struct msg_address msg;

	if (worker == NULL || block->prefix == BLOCKS_NODE)
		return;
	msg.port = 0;
	memcpy(msg.addr, block->addr, sizeof(msg.addr));
	msg.prefix = (uint16_t)block->prefix;
	msg.number = on != 0;
	process_send(worker, PW_BLOCK, -1, &msg, sizeof(msg));
}

static void
block_tell_all(struct parent *parent, const struct block *block, int on)
{
	uint32_t i;

	/* Who has its sessions is to be clear when they end by it. */
	move_cancel_all(parent);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		block_tell(parent->workers[i].child, block, on);
}

/* For a worker that was just started. */
void
block_introduce(struct process *worker)
{
	const struct blocks *blocks;
	uint32_t i;

	blocks = worker->parent->blocks;
	for (i = 0; i < blocks->count; i++)
		block_tell(worker, &blocks->at[i], 1);
}

/* What the node has here ends. */
static void
block_end_node(struct parent *parent, uint32_t node)
{
	struct msg_closed session;
	uint32_t number;

	number = pmap_find(&parent->map, node);
	if (number == PEERMAP_NONE)
		return;
	session.node = node;
	session.generation = pmap_entry(&parent->map, number)->generation;
	(void)admit_revoke(parent, &session);
	endpoint_block_node(parent, node);
}

static void
block_begin(struct parent *parent, const struct block *block)
{
	if (block->prefix == BLOCKS_NODE) {
		block_end_node(parent, block_number(block));
		return;
	}
	block_tell_all(parent, block, 1);
	endpoint_block_network(parent, block);
	gossip_block_network(parent, block);
}

/*
 * Blocks a node or a network, or changes until when.  Returns 0, EINVAL,
 * ENOSPC, or EIO: it holds, but not over a restart.
 */
int
block_add(struct parent *parent, const struct msg_ctl_block *msg)
{
	struct block *block, key;
	int new;

	if (block_key(&key, msg) == -1)
		return (EINVAL);
	block = blocks_find(parent->blocks, key.addr, key.prefix);
	new = block == NULL;
	if (new)
		block = blocks_add(parent->blocks, key.addr, key.prefix);
	if (block == NULL) {
		counters_add(COUNTER_BLOCKS_FULL, 1);
		log_warnx("block: there are %d already", BLOCKS_MAX);
		return (ENOSPC);
	}
	block->until = key.until;
	block_log(block, "blocked by the operator");
	if (new)
		block_begin(parent, block);
	return (block_file_save(parent) == -1 ? EIO : 0);
}

static void
block_end(struct parent *parent, struct block *block, const char *why)
{
	block_log(block, why);
	block_tell_all(parent, block, 0);
	blocks_remove(parent->blocks, block);
}

/* Returns 0, EINVAL, ENOENT (there is no such block), or EIO as above. */
int
block_remove(struct parent *parent, const struct msg_ctl_block *msg)
{
	struct block *block, key;

	if (block_key(&key, msg) == -1)
		return (EINVAL);
	block = blocks_find(parent->blocks, key.addr, key.prefix);
	if (block == NULL)
		return (ENOENT);
	block_end(parent, block, "blocked no more");
	return (block_file_save(parent) == -1 ? EIO : 0);
}

/* Once a second: those whose time has come end. */
void
block_expire(struct parent *parent)
{
	struct block *block;
	uint32_t i, now;
	int ended;

	now = clock_seconds();
	ended = 0;
	for (i = parent->blocks->count; i > 0; i--) {
		block = &parent->blocks->at[i - 1];
		if (block->until == 0 || (int32_t)(now - block->until) < 0)
			continue;
		block_end(parent, block, "blocked no more, its time is over");
		ended = 1;
	}
	if (ended)
		(void)block_file_save(parent);
}

/* Once, before there are workers: with those of an earlier run. */
void
block_init(struct parent *parent)
{
	parent->blocks = blocks_new();
	if (parent->blocks == NULL)
		shutdown_fatal(parent, "no memory for blocks");
	block_file_load(parent);
}
