/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <string.h>

#include "auth/challenge.h"

/*
 * Begins a space of nonces that has nothing in common with any other: a worker
 * cannot redeem what another worker, or its own predecessor, was given.
 */
void
challenge_init(struct challenge *c)
{
	memset(c, 0, sizeof(*c));
	randombytes_buf(c->secret, sizeof(c->secret));
}

static void
challenge_nonce(
    const struct challenge *c, uint64_t number, uint8_t nonce[PROTO_NONCE_LEN])
{
	(void)crypto_generichash(nonce, PROTO_NONCE_LEN,
	    (const unsigned char *)&number, sizeof(number), c->secret,
	    sizeof(c->secret));
}

/*
 * wall is the clock_wall_offset() of now.  Nonces to come follow a clock that
 * was set, but not each nanosecond that two readings are apart.
 */
void
challenge_wall(struct challenge *c, uint64_t wall)
{
	int64_t astray;

	astray = (int64_t)(wall - c->wall);
	if (astray > CHALLENGE_ASTRAY || astray < -CHALLENGE_ASTRAY)
		c->wall = wall;
}

/* What a new batch leaves free in a block of an earlier second is void. */
static void
challenge_align(struct challenge *c, uint32_t now)
{
	uint32_t at, offset;

	offset = c->next % CHALLENGE_BLOCK;
	at = c->next / CHALLENGE_BLOCK % CHALLENGE_BLOCKS;
	if (offset == 0 || (c->issued[at] == now && c->walls[at] == c->wall))
		return;
	c->used[at] |= UINT32_MAX << offset;
	c->next += CHALLENGE_BLOCK - offset;
}

/*
 * Issues count nonces at `now` (clock_seconds()) into nonces, PROTO_NONCE_LEN
 * bytes each; returns the number of the first, the others follow it.
 */
uint32_t
challenge_issue(
    struct challenge *c, uint32_t count, uint32_t now, uint8_t *nonces)
{
	uint64_t first;
	uint32_t at;

	challenge_align(c, now);
	first = c->next;
	for (; c->next - first < count; c->next++) {
		if (c->next % CHALLENGE_BLOCK == 0) {
			at = c->next / CHALLENGE_BLOCK % CHALLENGE_BLOCKS;
			c->issued[at] = now;
			c->walls[at] = c->wall;
			c->used[at] = 0;
		}
		challenge_nonce(c, c->next, nonces);
		nonces += PROTO_NONCE_LEN;
	}
	return ((uint32_t)first);
}

/*
 * Uses up the nonce of that number.  Returns 0 with the nonce, the second in
 * which it was issued and the wall it was issued with, or -1: never issued,
 * used, forgotten, or older than CHALLENGE_LIFETIME at `now`, clock_seconds().
 */
int
challenge_take(struct challenge *c, uint32_t number, uint32_t now,
    uint32_t *issued, uint64_t *wall, uint8_t nonce[PROTO_NONCE_LEN])
{
	uint64_t block, full;
	uint32_t at, back, bit;

	back = (uint32_t)c->next - number;
	if (back == 0 || back > c->next)
		return (-1);
	full = c->next - back;
	block = full / CHALLENGE_BLOCK;
	if ((c->next - 1) / CHALLENGE_BLOCK - block >= CHALLENGE_BLOCKS)
		return (-1);
	at = block % CHALLENGE_BLOCKS;
	bit = 1U << full % CHALLENGE_BLOCK;
	if (c->used[at] & bit)
		return (-1);
	c->used[at] |= bit;
	*issued = c->issued[at];
	*wall = c->walls[at];
	if (now - *issued > CHALLENGE_LIFETIME)
		return (-1);
	challenge_nonce(c, full, nonce);
	return (0);
}
