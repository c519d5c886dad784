/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_NODEHASH_H
#define AUTH_NODEHASH_H

#include <sodium.h>
#include <stdint.h>
#include <string.h>

/*
 * The hash of a node for tables that strangers fill: they choose the ids, so it
 * is keyed.
 */
#define NODEHASH_KEY crypto_shorthash_KEYBYTES

static inline uint64_t
nodehash(const uint8_t key[NODEHASH_KEY], uint32_t node)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t value;

	(void)crypto_shorthash(
	    hash, (const unsigned char *)&node, sizeof(node), key);
	memcpy(&value, hash, sizeof(value));
	return (value);
}

#endif /* AUTH_NODEHASH_H */
