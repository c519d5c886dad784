/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_BLOCKS_H
#define COMMON_BLOCKS_H

#include <stdint.h>
#include <string.h>

/*
 * Whom an operator has blocked: nodes and networks.  A lookup costs one probe
 * for each length of prefix that there is, however many networks have it.  When
 * the table is full nobody has to make room: the operator is told.
 */
#define BLOCKS_MAX     4096
#define BLOCKS_BUCKETS 8192
#define BLOCKS_NODE    129 /* as a prefix: the address begins with a node */

struct block {
	uint8_t addr[16]; /* IPv6 or v4-mapped, bits behind the prefix zero */
	uint32_t prefix;  /* bits of the 16 bytes, or BLOCKS_NODE */
	uint32_t until;   /* clock_seconds(); 0: for ever */
};

struct blocks {
	uint64_t key[2];
	uint32_t count;
	struct block at[BLOCKS_MAX];
	/* A hash: lists of numbers + 1; 0 ends them. */
	uint16_t head[BLOCKS_BUCKETS];
	uint16_t next[BLOCKS_MAX];
	uint16_t of[BLOCKS_NODE + 1]; /* blocks with that prefix */
	uint8_t lengths[BLOCKS_NODE]; /* prefixes of networks that there are */
	uint32_t nlengths;
};

struct blocks *blocks_new(void);
struct block *blocks_find(
    struct blocks *, const uint8_t addr[16], uint32_t prefix);
struct block *blocks_add(
    struct blocks *, const uint8_t addr[16], uint32_t prefix);
void blocks_remove(struct blocks *, struct block *);
int blocks_cover(struct blocks *, const uint8_t addr[16]);

/* The address that a node has here. */
static inline void
blocks_node(uint8_t addr[16], uint32_t node)
{
	memset(addr, 0, 16);
	memcpy(addr, &node, sizeof(node));
}

static inline int
blocks_has_node(struct blocks *b, uint32_t node)
{
	uint8_t addr[16];

	if (b->of[BLOCKS_NODE] == 0)
		return (0);
	blocks_node(addr, node);
	return (blocks_find(b, addr, BLOCKS_NODE) != NULL);
}

#endif /* COMMON_BLOCKS_H */
