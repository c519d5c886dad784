/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_ABSENT_H
#define AUTH_ABSENT_H

#include <stdint.h>

#include "auth/nodehash.h"

/*
 * Nodes of which something is known for some seconds and no longer: that the
 * registry has no key of them, or that it was asked because a signature did not
 * fit.  Whoever knocks with many ids fills this table and no other: its size is
 * fixed, and a full set of places forgets one of its nodes at random.
 */
#define ABSENT_PLACES (1U << 16)
#define ABSENT_WAYS   8U /* places in which a node may be */

struct absent_place {
	uint32_t node;
	uint64_t until; /* clock_ns(); 0: free */
};

struct absent {
	struct absent_place *places;
	uint64_t lifetime; /* nanoseconds */
	uint8_t secret[NODEHASH_KEY];
};

int absent_init(struct absent *, uint64_t);
void absent_free(struct absent *);
int absent_has(const struct absent *, uint32_t, uint64_t);
void absent_add(struct absent *, uint32_t, uint64_t);
void absent_remove(struct absent *, uint32_t);

#endif /* AUTH_ABSENT_H */
