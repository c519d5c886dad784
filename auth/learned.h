/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_LEARNED_H
#define AUTH_LEARNED_H

#include <stdint.h>

#include "common/proto.h"

#include "auth/nodehash.h"

/*
 * Keys that were learned one by one, from the registry: a hash table with
 * chains, and a list in the order of use, from which the oldest goes when there
 * is no room.  Entries are numbers plus one, 0 is none.  Memory follows the
 * largest count there was.
 */
#define LEARNED_MAX   PROTO_CACHE_KEYS
#define LEARNED_HEADS (1U << 20)

enum learned_source {
	LEARNED_REGISTRY,
	LEARNED_CACHE,   /* by an earlier auth, and not confirmed since */
	LEARNED_SNAPSHOT /* only `previous` counts; else see there */
};

struct learned_entry {
	uint32_t node; /* 0: free */
	uint32_t next; /* of the same hash, or free ones */
	uint32_t newer;
	uint32_t older;
	uint32_t confirmed;      /* clock_seconds() */
	uint32_t previous_until; /* likewise, first second in which it's void */
	uint32_t source;         /* enum learned_source */
	uint8_t key[PROTO_KEY_LEN];
	uint8_t previous[PROTO_KEY_LEN]; /* the one before, for its grace */
};
/* With its share of the heads. */
_Static_assert(sizeof(struct learned_entry) +
		       sizeof(uint32_t) * LEARNED_HEADS / (LEARNED_MAX - 1) <=
		   100,
    "memory of a key");

struct learned {
	struct learned_entry *entries;
	uint32_t *heads;
	uint32_t count;
	uint32_t used;   /* entries that were ever handed out */
	uint32_t unused; /* first of the free ones below `used` */
	uint32_t newest;
	uint32_t oldest;
	uint8_t secret[NODEHASH_KEY];
};

int learned_init(struct learned *);
void learned_free(struct learned *);
struct learned_entry *learned_find(const struct learned *, uint32_t);
void learned_touch(struct learned *, struct learned_entry *);
struct learned_entry *learned_add(
    struct learned *, uint32_t node, uint32_t max);
void learned_set(struct learned_entry *, const uint8_t[PROTO_KEY_LEN],
    uint32_t now, uint32_t grace);
void learned_remove(struct learned *, uint32_t);

#endif /* AUTH_LEARNED_H */
