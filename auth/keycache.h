/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_KEYCACHE_H
#define AUTH_KEYCACHE_H

#include <stdint.h>

#include "common/proto.h"

/*
 * The authoritative public keys, sorted by node.  Filled once with
 * keycache_add() and closed with keycache_finish(), then only searched.
 */
#define KEYCACHE_MAX (4U << 20) /* keys */

struct keycache_entry {
	uint32_t node;
	uint32_t line; /* of the key file, to name a second one */
	uint8_t key[PROTO_KEY_LEN];
};
_Static_assert(sizeof(struct keycache_entry) <= 64, "memory of a key");

struct keycache {
	struct keycache_entry *entries;
	uint32_t count;
	uint32_t room;
	int unsorted; /* boolean */
};

/* Told of an entry that is left out because its node came before. */
typedef void (*keycache_double_fn)(void *, const struct keycache_entry *);

void keycache_init(struct keycache *);
void keycache_free(struct keycache *);
int keycache_add(struct keycache *, uint32_t node, uint32_t line,
    const uint8_t[PROTO_KEY_LEN]);
int keycache_finish(struct keycache *, keycache_double_fn, void *);
const uint8_t *keycache_find(const struct keycache *, uint32_t);
uint64_t keycache_id(const uint8_t[PROTO_KEY_LEN]);

#endif /* AUTH_KEYCACHE_H */
