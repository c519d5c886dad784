/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_FIRSTKEY_H
#define AUTH_FIRSTKEY_H

#include <sodium.h>
#include <stdint.h>

#include "common/peermap.h"

#include "auth/keycache.h"

/*
 * Keys that nodes named in a Discover: the first one of a node stays, and only
 * while no authoritative key is known (doc/protocol.md 4.2).  They serve for
 * punch grants and never for a login.  When the table is full, nodes that the
 * peer map does not know (any more) make room.
 */
#define FIRSTKEY_MAX   (1U << 18) /* keys */
#define FIRSTKEY_SLOTS (2 * FIRSTKEY_MAX)

struct firstkey {
	uint32_t node; /* 0: free */
	uint8_t key[PROTO_KEY_LEN];
};

struct firstkeys {
	struct firstkey *slots;
	uint32_t count;
	uint8_t secret[crypto_shorthash_KEYBYTES]; /* strangers choose ids */
};

int firstkey_init(struct firstkeys *);
void firstkey_free(struct firstkeys *);
int firstkey_add(struct firstkeys *, uint32_t, const uint8_t[PROTO_KEY_LEN]);
const uint8_t *firstkey_find(const struct firstkeys *, uint32_t);
int firstkey_prune(
    struct firstkeys *, const struct keycache *, const struct peermap *);

#endif /* AUTH_FIRSTKEY_H */
