/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_CHALLENGE_H
#define AUTH_CHALLENGE_H

#include <stdint.h>

#include "common/proto.h"

/*
 * The nonces of one worker's channel (PROTOCOL.md 3).  A nonce is a keyed hash
 * of its number, so an outstanding one costs a bit: whether it was used.  When
 * it was issued is kept per block of numbers.
 */
#define CHALLENGE_WINDOW   65536U
#define CHALLENGE_BLOCK    32U
#define CHALLENGE_BLOCKS   (CHALLENGE_WINDOW / CHALLENGE_BLOCK)
#define CHALLENGE_LIFETIME 90U /* seconds */

struct challenge {
	uint8_t secret[32];
	uint64_t next; /* number; the wire has its low 32 bits */
	uint32_t used[CHALLENGE_BLOCKS];
	uint32_t issued[CHALLENGE_BLOCKS]; /* unix seconds */
};

void challenge_init(struct challenge *);
uint32_t challenge_issue(struct challenge *, uint32_t, uint64_t, uint8_t *);
int challenge_take(struct challenge *, uint32_t, uint64_t, uint64_t *,
    uint8_t[PROTO_NONCE_LEN]);

#endif /* AUTH_CHALLENGE_H */
