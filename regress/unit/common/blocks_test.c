/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "common/blocks.h"
#include "regress/unit/test.h"

static struct blocks *b;

/* The network of that text: blocked (1), or blocked no more (0). */
static int
set(const char *text, int on)
{
	struct block *block;
	uint8_t net[16];
	uint32_t prefix;

	if (!address_network_parse(text, net, &prefix))
		return (-1);
	block = blocks_find(b, net, prefix);
	if (on)
		return (block == NULL && blocks_add(b, net, prefix) != NULL);
	if (block == NULL)
		return (0);
	blocks_remove(b, block);
	return (1);
}

static int
covers(const char *text)
{
	uint8_t addr[16];

	return (address_parse(text, addr) ? blocks_cover(b, addr) : -1);
}

static void
networks(void)
{
	CHECK(!covers("192.0.2.1") && !covers("::"));
	CHECK(set("192.0.2.0/24", 1) == 1 && set("198.51.100.7", 1) == 1);
	CHECK(set("2001:db8::/33", 1) == 1);
	CHECK(covers("192.0.2.0") && covers("192.0.2.255"));
	CHECK(!covers("192.0.1.255") && !covers("192.0.3.0"));
	CHECK(covers("198.51.100.7") && !covers("198.51.100.6"));
	CHECK(covers("2001:db8:7fff::1") && !covers("2001:db8:8000::1"));
	CHECK(!covers("c000:200::1"));
	/* One within another is one of its own. */
	CHECK(set("192.0.2.128/25", 1) == 1 && b->nlengths == 4);
	CHECK(set("192.0.2.0/24", 0) == 1);
	CHECK(!covers("192.0.2.1") && covers("192.0.2.129"));
	CHECK(set("192.0.2.0/24", 0) == 0 && b->nlengths == 3);
	CHECK(set("0.0.0.0/0", 1) == 1);
	CHECK(covers("9.9.9.9") && !covers("2001:db8:8000::1"));
	CHECK(set("::/0", 1) == 1 && covers("2001:db8:8000::1"));
	CHECK(set("::/0", 0) && set("0.0.0.0/0", 0));
	CHECK(set("192.0.2.128/25", 0) && set("198.51.100.7", 0));
	CHECK(set("2001:db8::/33", 0) && b->count == 0 && b->nlengths == 0);
}

static void
nodes_are_no_networks(void)
{
	uint8_t addr[16];

	CHECK(!blocks_has_node(b, 7));
	blocks_node(addr, 7);
	CHECK(blocks_add(b, addr, BLOCKS_NODE) != NULL);
	CHECK(blocks_has_node(b, 7) && !blocks_has_node(b, 8));
	CHECK(!blocks_cover(b, addr) && b->nlengths == 0);
	blocks_remove(b, blocks_find(b, addr, BLOCKS_NODE));
	CHECK(!blocks_has_node(b, 7));
}

/* Filled to the brim and emptied in another order, none is lost. */
static void
full(void)
{
	uint8_t addr[16];
	uint32_t i, n;

	for (i = 1; i <= BLOCKS_MAX; i++) {
		blocks_node(addr, i);
		CHECK(blocks_add(b, addr, BLOCKS_NODE) != NULL);
	}
	CHECK(set("192.0.2.0/24", 1) == 0 && !covers("192.0.2.1"));
	for (i = 0; i < BLOCKS_MAX; i++) {
		n = 1 + i * 2311 % BLOCKS_MAX;
		CHECK(blocks_has_node(b, n));
		blocks_node(addr, n);
		blocks_remove(b, blocks_find(b, addr, BLOCKS_NODE));
		CHECK(!blocks_has_node(b, n));
	}
	CHECK(b->count == 0 && set("192.0.2.0/24", 1) == 1);
}

int
main(void)
{
	b = blocks_new();
	if (b == NULL)
		return (1);
	RUN(networks);
	RUN(nodes_are_no_networks);
	RUN(full);
	return (test_failed());
}
