/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "auth/challenge.h"

#include "regress/unit/test.h"

#define NOW 1800000000U

static struct challenge a, b;
static uint8_t many[64][PROTO_NONCE_LEN];
static uint8_t nonce[PROTO_NONCE_LEN];
static uint64_t wall;
static uint32_t issued;

static int
take(struct challenge *c, uint32_t number, uint32_t now)
{
	return (challenge_take(c, number, now, &issued, &wall, nonce));
}

/* Issues count nonces, 64 at a time; their numbers must follow each other. */
static uint32_t
issue(struct challenge *c, uint32_t count, uint32_t now)
{
	uint32_t first;

	first = challenge_issue(c, count > 64 ? 64 : count, now, many[0]);
	for (; count > 64; count -= 64)
		(void)challenge_issue(
		    c, count - 64 > 64 ? 64 : count - 64, now, many[0]);
	return (first);
}

static void
nothing_issued(void)
{
	challenge_init(&a);
	CHECK(take(&a, 0, NOW) == -1);
	CHECK(take(&a, 1, NOW) == -1);
	CHECK(take(&a, UINT32_MAX, NOW) == -1);
}

static void
each_once(void)
{
	uint32_t i, first;

	challenge_init(&a);
	first = challenge_issue(&a, 64, NOW, many[0]);
	CHECK(take(&a, first + 64, NOW) == -1);
	for (i = 0; i < 64; i++) {
		CHECK(take(&a, first + i, NOW + 1) == 0);
		CHECK(memcmp(nonce, many[i], sizeof(nonce)) == 0);
		CHECK(issued == NOW);
		CHECK(take(&a, first + i, NOW + 1) == -1);
	}
}

static void
all_different(void)
{
	uint8_t other[64][PROTO_NONCE_LEN];
	int i, j;

	challenge_init(&a);
	challenge_init(&b);
	(void)challenge_issue(&a, 64, NOW, many[0]);
	(void)challenge_issue(&b, 64, NOW, other[0]);
	for (i = 0; i < 64; i++)
		for (j = 0; j < 64; j++) {
			CHECK(memcmp(many[i], other[j], PROTO_NONCE_LEN) != 0);
			CHECK(i == j ||
			      memcmp(many[i], many[j], PROTO_NONCE_LEN) != 0);
		}
}

/* The other channel may have issued that number, but not that nonce. */
static void
other_worker(void)
{
	uint32_t first;

	challenge_init(&a);
	challenge_init(&b);
	first = issue(&a, 8, NOW);
	CHECK(take(&b, first, NOW) == -1);
	CHECK(issue(&b, 8, NOW) == first);
	CHECK(take(&b, first, NOW) == 0);
	CHECK(take(&a, first, NOW) == 0);
}

static void
age(void)
{
	uint32_t first;

	challenge_init(&a);
	first = issue(&a, 3, NOW);
	CHECK(take(&a, first, NOW + CHALLENGE_LIFETIME) == 0);
	CHECK(take(&a, first + 1, NOW + CHALLENGE_LIFETIME + 1) == -1);
	/* Used up by that, too. */
	CHECK(take(&a, first + 1, NOW) == -1);
	CHECK(take(&a, first + 2, NOW) == 0);
}

/* A clock that was set begins a block; what two readings differ by does not. */
static void
batches_of_different_walls(void)
{
	uint32_t first, next, set;

	challenge_init(&a);
	challenge_wall(&a, 7000000000);
	first = issue(&a, 3, NOW);
	challenge_wall(&a, 7000000000 + CHALLENGE_ASTRAY);
	next = issue(&a, 3, NOW);
	challenge_wall(&a, 7000000000 - CHALLENGE_ASTRAY - 1);
	set = issue(&a, 3, NOW);
	CHECK(next == first + 3);
	CHECK(set == first + CHALLENGE_BLOCK);
	CHECK(take(&a, next, NOW) == 0 && wall == 7000000000);
	CHECK(take(&a, set, NOW) == 0 && wall == 6499999999);
}

/* In either direction. */
static void
walls_that_are_followed(void)
{
	uint64_t at;

	challenge_init(&a);
	at = 7000000000;
	challenge_wall(&a, at);
	challenge_wall(&a, at - CHALLENGE_ASTRAY);
	CHECK(a.wall == at);
	challenge_wall(&a, at + CHALLENGE_ASTRAY);
	CHECK(a.wall == at);
	at += CHALLENGE_ASTRAY + 1;
	challenge_wall(&a, at);
	CHECK(a.wall == at);
	at -= CHALLENGE_ASTRAY + 1;
	challenge_wall(&a, at);
	CHECK(a.wall == at);
}

/* Whichever block it is, before and after the first was taken again. */
static void
batches_of_one_second_follow_each_other(void)
{
	uint32_t first;

	challenge_init(&a);
	first = issue(&a, 31 * CHALLENGE_BLOCK + 3, NOW);
	CHECK(issue(&a, 3, NOW) == first + 31 * CHALLENGE_BLOCK + 3);
	challenge_init(&a);
	first = issue(&a, CHALLENGE_WINDOW, NOW);
	CHECK(issue(&a, 3, NOW + 1) == first + CHALLENGE_WINDOW);
	CHECK(issue(&a, 3, NOW + 1) == first + CHALLENGE_WINDOW + 3);
}

/* A later batch neither ages nor renews an earlier one of its block. */
static void
batches_of_different_seconds(void)
{
	uint32_t first, same, later;

	challenge_init(&a);
	first = issue(&a, 3, NOW);
	same = issue(&a, 3, NOW);
	later = issue(&a, 3, NOW + 50);
	CHECK(same == first + 3);
	CHECK(later == first + CHALLENGE_BLOCK);
	CHECK(take(&a, first, NOW + 51) == 0 && issued == NOW);
	CHECK(take(&a, same + 2, NOW + 51) == 0 && issued == NOW);
	CHECK(take(&a, later, NOW + 51) == 0 && issued == NOW + 50);
	/* What was passed over was never issued. */
	for (same += 3; same != later; same++)
		CHECK(take(&a, same, NOW + 51) == -1);
}

static void
window(void)
{
	uint32_t first;

	challenge_init(&a);
	first = issue(&a, CHALLENGE_WINDOW, NOW);
	CHECK(take(&a, first, NOW) == 0);
	CHECK(take(&a, first + CHALLENGE_WINDOW - 1, NOW) == 0);
	(void)issue(&a, 1, NOW);
	/* The oldest block is gone, used or not; the next one is not. */
	CHECK(take(&a, first, NOW) == -1);
	CHECK(take(&a, first + 1, NOW) == -1);
	CHECK(take(&a, first + CHALLENGE_BLOCK - 1, NOW) == -1);
	CHECK(take(&a, first + CHALLENGE_BLOCK, NOW) == 0);
	CHECK(take(&a, first + CHALLENGE_WINDOW, NOW) == 0);
}

/* Numbers on the wire wrap; nonces do not come again. */
static void
wrap(void)
{
	uint8_t before[PROTO_NONCE_LEN];
	uint32_t first;

	challenge_init(&a);
	(void)challenge_issue(&a, 1, NOW, before);
	a.next = (1ULL << 32) - 32;
	first = issue(&a, 64, NOW);
	CHECK(first == UINT32_MAX - 31);
	CHECK(memcmp(many[32], before, sizeof(before)) != 0);
	CHECK(take(&a, 0, NOW) == 0);
	CHECK(memcmp(nonce, many[32], sizeof(nonce)) == 0);
	CHECK(take(&a, UINT32_MAX, NOW) == 0);
	CHECK(memcmp(nonce, many[31], sizeof(nonce)) == 0);
	CHECK(take(&a, first, NOW) == 0);
	CHECK(take(&a, 31, NOW) == 0);
	CHECK(take(&a, 32, NOW) == -1);
	CHECK(take(&a, 0, NOW) == -1);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	RUN(nothing_issued);
	RUN(each_once);
	RUN(all_different);
	RUN(other_worker);
	RUN(age);
	RUN(batches_of_different_seconds);
	RUN(batches_of_different_walls);
	RUN(walls_that_are_followed);
	RUN(batches_of_one_second_follow_each_other);
	RUN(window);
	RUN(wrap);
	return (test_failed());
}
