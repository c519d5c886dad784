/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/random.h>

#include <stdlib.h>

#include "common/address.h"
#include "common/blocks.h"

/* An empty table, never freed; NULL: no memory, or no random numbers. */
struct blocks *
blocks_new(void)
{
	struct blocks *b;

	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return (NULL);
	if (getrandom(b->key, sizeof(b->key), 0) == (ssize_t)sizeof(b->key))
		return (b);
	free(b);
	return (NULL);
}

/* The list that a block is in. */
static uint16_t *
blocks_list(struct blocks *b, const uint8_t addr[16], uint32_t prefix)
{
	return (&b->head[address_hash(b->key, addr, prefix) % BLOCKS_BUCKETS]);
}

/* The block of exactly that; NULL: there is none. */
struct block *
blocks_find(struct blocks *b, const uint8_t addr[16], uint32_t prefix)
{
	struct block *block;
	uint32_t i;

	for (i = *blocks_list(b, addr, prefix); i != 0; i = b->next[i - 1]) {
		block = &b->at[i - 1];
		if (block->prefix == prefix &&
		    memcmp(block->addr, addr, sizeof(block->addr)) == 0)
			return (block);
	}
	return (NULL);
}

static void
blocks_count_length(struct blocks *b, uint32_t prefix)
{
	if (b->of[prefix]++ == 0 && prefix != BLOCKS_NODE)
		b->lengths[b->nlengths++] = (uint8_t)prefix;
}

static void
blocks_uncount_length(struct blocks *b, uint32_t prefix)
{
	uint32_t i;

	if (--b->of[prefix] != 0 || prefix == BLOCKS_NODE)
		return;
	for (i = 0; b->lengths[i] != prefix; i++)
		continue;
	b->lengths[i] = b->lengths[--b->nlengths];
}

/*
 * A new block, for ever; the caller knows that it is not there yet, that its
 * prefix is none above BLOCKS_NODE, and that no bits are set behind it.  NULL:
 * the table is full.
 */
struct block *
blocks_add(struct blocks *b, const uint8_t addr[16], uint32_t prefix)
{
	struct block *block;
	uint16_t *list;

	if (b->count == BLOCKS_MAX)
		return (NULL);
	block = &b->at[b->count];
	memcpy(block->addr, addr, sizeof(block->addr));
	block->prefix = prefix;
	block->until = 0;
	list = blocks_list(b, addr, prefix);
	b->next[b->count] = *list;
	*list = (uint16_t)++b->count;
	blocks_count_length(b, prefix);
	return (block);
}

/* Where the number of a block stands in its list. */
static uint16_t *
blocks_link(struct blocks *b, const struct block *block)
{
	uint16_t *link;

	link = blocks_list(b, block->addr, block->prefix);
	while (*link != block - b->at + 1)
		link = &b->next[*link - 1];
	return (link);
}

/* The last one takes the place of a block that is gone. */
void
blocks_remove(struct blocks *b, struct block *block)
{
	struct block *last;
	uint16_t *link;

	*blocks_link(b, block) = b->next[block - b->at];
	blocks_uncount_length(b, block->prefix);
	last = &b->at[--b->count];
	if (last == block)
		return;
	link = blocks_link(b, last);
	*link = (uint16_t)(block - b->at + 1);
	b->next[block - b->at] = b->next[b->count];
	*block = *last;
}

/* Is the address in a network that is blocked? */
int
blocks_cover(struct blocks *b, const uint8_t addr[16])
{
	uint8_t net[16];
	uint32_t i;

	for (i = 0; i < b->nlengths; i++) {
		address_network(net, addr, b->lengths[i]);
		if (blocks_find(b, net, b->lengths[i]) != NULL)
			return (1);
	}
	return (0);
}
