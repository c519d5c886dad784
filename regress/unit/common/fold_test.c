/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/fold.h"
#include "regress/unit/test.h"

static const uint64_t numbers[] = { 0, 1, 2, UINT32_MAX, 1ULL << 32,
	0x123456789abcdefULL, 0x9e3779b97f4a7c15ULL, INT64_MAX, UINT64_MAX - 1,
	UINT64_MAX };
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static void
test_known(void)
{
	CHECK(fold(0, UINT64_MAX) == 0);
	CHECK(fold(3, 5) == 15);
	CHECK(fold(1ULL << 32, 1ULL << 32) == 1);
	/* The low half is 1, the high half all but its last bit. */
	CHECK(fold(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	CHECK(fold(1ULL << 63, 6) == 3);
}

static void
test_both_ways_agree(void)
{
	size_t i, j;

	for (i = 0; i < NUMBERS; i++)
		for (j = 0; j < NUMBERS; j++)
			CHECK(fold(numbers[i], numbers[j]) ==
			    fold_halves(numbers[i], numbers[j]));
}

int
main(void)
{
	RUN(test_known);
	RUN(test_both_ways_agree);
	return (test_failed());
}
