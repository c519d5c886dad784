/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/block.h"
#include "parent/parent.h"
#include <stdlib.h>

#include "regress/unit/test.h"

#define NODE    7
#define SESSION 3 /* its generation */

static struct parent parent;
static struct process worker;
static struct peermap_entry entry = { .node = NODE, .generation = SESSION };
static struct msg_address told;
static int ntold, revoked, forgotten;

/* In the place of other files' */
void
shutdown_fatal(struct parent *p, const char *fmt, ...)
{
	_exit(9);
}

void
process_send(
    struct process *p, uint32_t type, int fd, const void *data, size_t len)
{
	if (p != &worker || type != PW_BLOCK || len != sizeof(told))
		_exit(9);
	memcpy(&told, data, len);
	ntold++;
}

void
move_cancel_all(struct parent *p)
{
}

uint32_t
pmap_find(const struct pmap *map, uint32_t node)
{
	return (node == NODE ? 0 : PEERMAP_NONE);
}

const struct peermap_entry *
pmap_entry(const struct pmap *map, uint32_t number)
{
	return (&entry);
}

int
admit_revoke(struct parent *p, const struct msg_closed *session)
{
	revoked += session->node == NODE && session->generation == SESSION;
	return (1);
}

void
endpoint_block_node(struct parent *p, uint32_t node)
{
	forgotten += node == NODE;
}

void
endpoint_block_network(struct parent *p, const struct block *net)
{
	forgotten += net->prefix == 120;
}

void
gossip_block_network(struct parent *p, const struct block *net)
{
	forgotten += net->prefix == 120;
}

static struct msg_ctl_block
about(const char *text, uint32_t seconds)
{
	struct msg_ctl_block msg = { .prefix = BLOCKS_NODE };

	blocks_node(msg.addr, NODE);
	if (text != NULL)
		(void)address_network_parse(text, msg.addr, &msg.prefix);
	msg.seconds = seconds;
	return (msg);
}

static void
begin(void)
{
	free(parent.blocks);
	block_init(&parent);
	ntold = revoked = forgotten = 0;
}

static void
a_node_is_ended_and_forgotten(void)
{
	struct msg_ctl_block msg;

	begin();
	msg = about(NULL, 0);
	CHECK(block_add(&parent, &msg) == 0);
	CHECK(revoked == 1 && forgotten == 1 && ntold == 0);
	CHECK(blocks_has_node(parent.blocks, NODE));
	CHECK(block_remove(&parent, &msg) == 0 && ntold == 0);
	CHECK(!blocks_has_node(parent.blocks, NODE));
	CHECK(block_remove(&parent, &msg) == ENOENT);
}

static void
of_a_network_the_workers_hear(void)
{
	struct msg_ctl_block msg;

	begin();
	msg = about("192.0.2.0/24", 0);
	msg.addr[15] = 9; /* bits behind the prefix do not count */
	CHECK(block_add(&parent, &msg) == 0);
	CHECK(ntold == 1 && told.number == 1 && told.prefix == 120);
	CHECK(told.addr[15] == 0 && forgotten == 2);
	/* Again: only for how long. */
	CHECK(block_add(&parent, &msg) == 0 && ntold == 1);
	block_introduce(&worker);
	CHECK(ntold == 2 && told.number == 1);
	CHECK(block_remove(&parent, &msg) == 0);
	CHECK(ntold == 3 && told.number == 0);
}

static void
values_are_checked(void)
{
	struct msg_ctl_block msg;

	begin();
	msg = about("192.0.2.0/24", CTL_BLOCK_SECONDS_MAX + 1);
	CHECK(block_add(&parent, &msg) == EINVAL);
	msg = about(NULL, 0);
	msg.prefix = BLOCKS_NODE + 1;
	CHECK(block_add(&parent, &msg) == EINVAL);
	CHECK(block_remove(&parent, &msg) == EINVAL);
	msg = about(NULL, 0);
	memset(msg.addr, 0, sizeof(msg.addr));
	CHECK(block_add(&parent, &msg) == EINVAL);
	CHECK(parent.blocks->count == 0);
}

static void
those_whose_time_is_over_end(void)
{
	struct msg_ctl_block msg;

	begin();
	msg = about("192.0.2.0/24", 100);
	CHECK(block_add(&parent, &msg) == 0);
	msg = about(NULL, 0);
	CHECK(block_add(&parent, &msg) == 0);
	block_expire(&parent);
	CHECK(parent.blocks->count == 2);
	parent.blocks->at[0].until = clock_seconds();
	block_expire(&parent);
	CHECK(parent.blocks->count == 1 && told.number == 0);
	CHECK(blocks_has_node(parent.blocks, NODE));
}

static void
a_full_table_says_so(void)
{
	struct msg_ctl_block msg;
	uint8_t addr[16];
	uint32_t i;

	begin();
	for (i = 0; i < BLOCKS_MAX; i++) {
		blocks_node(addr, 100 + i);
		CHECK(blocks_add(parent.blocks, addr, BLOCKS_NODE) != NULL);
	}
	msg = about(NULL, 0);
	CHECK(block_add(&parent, &msg) == ENOSPC && revoked == 0);
	CHECK(counters_read(counters, COUNTER_BLOCKS_FULL) == 1);
}

int
main(void)
{
	worker.parent = &parent;
	parent.nworkers = 1;
	parent.workers[0].child = &worker;
	parent.conf = conf_new();
	parent.conf_start = parent.conf;
	RUN(a_node_is_ended_and_forgotten);
	RUN(of_a_network_the_workers_hear);
	RUN(values_are_checked);
	RUN(those_whose_time_is_over_end);
	RUN(a_full_table_says_so);
	return (test_failed());
}
