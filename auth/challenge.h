/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_CHALLENGE_H
#define AUTH_CHALLENGE_H

#include <stdint.h>

#include "common/proto.h"

/*
 * The nonces of one worker's channel (doc/protocol.md 3).  A nonce is a keyed
 * hash of its number, so an outstanding one costs a bit: whether it was used.
 * When it was issued, and by which wall clock, is kept per block of numbers.
 */
#define CHALLENGE_WINDOW   65536U
#define CHALLENGE_BLOCK    32U
#define CHALLENGE_BLOCKS   (CHALLENGE_WINDOW / CHALLENGE_BLOCK)
#define CHALLENGE_LIFETIME 90U /* seconds */

/* Nanoseconds that the wall clock may go astray before nonces follow it. */
#define CHALLENGE_ASTRAY 500000000

struct challenge {
	uint8_t secret[32];
	uint64_t next; /* number; the wire has its low 32 bits */
	uint64_t wall; /* see msg_nonces; of nonces to come */
	uint32_t used[CHALLENGE_BLOCKS];
	uint32_t issued[CHALLENGE_BLOCKS]; /* clock_seconds() */
	uint64_t walls[CHALLENGE_BLOCKS];  /* wall of those issued */
};

void challenge_init(struct challenge *);
void challenge_wall(struct challenge *, uint64_t);
uint32_t challenge_issue(
    struct challenge *, uint32_t count, uint32_t now, uint8_t *);
int challenge_take(struct challenge *, uint32_t number, uint32_t now,
    uint32_t *, uint64_t *, uint8_t[PROTO_NONCE_LEN]);

#endif /* AUTH_CHALLENGE_H */
