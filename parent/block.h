/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_BLOCK_H
#define PARENT_BLOCK_H

#include <string.h>

#include "common/address.h"
#include "common/blocks.h"

struct parent;

#define BLOCK_TEXT_LEN (sizeof("network /128") + ADDRESS_TEXT_LEN)

/* That of a block of a node. */
static inline uint32_t
block_number(const struct block *block)
{
	uint32_t node;

	memcpy(&node, block->addr, sizeof(node));
	return (node);
}

/* block_file.c */
const char *block_file_text(const struct block *, char text[BLOCK_TEXT_LEN]);
void block_file_load(struct parent *);
int block_file_save(const struct parent *);

#endif /* PARENT_BLOCK_H */
