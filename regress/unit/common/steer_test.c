/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/steer.h"
#include "regress/unit/test.h"

/* Source i, of IPv4 or of IPv6. */
static void
source(uint8_t addr[16], uint32_t i, int six)
{
	memset(addr, 0, 16);
	if (six)
		memcpy(addr, "\x20\x01\x0d\xb8", 4);
	else
		memset(addr + 10, 0xff, 2);
	addr[13] = (uint8_t)(i >> 16);
	addr[14] = (uint8_t)(i >> 8);
	addr[15] = (uint8_t)i;
}

/* The words that the kernel's program computes, here by hand. */
static void
test_a_known_value(void)
{
	uint8_t addr[16];
	uint32_t hash;

	source(addr, 0x010203, 0);
	hash = (0xabcdU ^ 0x00010203U) * STEER_FACTOR;
	hash ^= hash >> STEER_SHIFT;
	CHECK(steer_worker(0xabcd, 1000, addr, 0) == hash % 1000);
	hash = (hash ^ 4000U) * STEER_FACTOR;
	hash ^= hash >> STEER_SHIFT;
	CHECK(steer_worker(0xabcd, 1000, addr, 4000) == hash % 1000);
}

/* None is everybody's, whatever of the source changes. */
static void
test_sources_are_spread(void)
{
	uint32_t i, n[7];
	uint8_t addr[16];
	int kind;

	for (kind = 0; kind < 3; kind++) {
		memset(n, 0, sizeof(n));
		for (i = 0; i < 7000; i++) {
			source(addr, kind == 2 ? 1 : i, kind == 1);
			n[steer_worker(99, 7, addr, kind == 2 ? i + 1 : 0)]++;
		}
		for (i = 0; i < 7; i++)
			CHECK(n[i] > 700 && n[i] < 1300);
	}
}

/* Who does not know it cannot choose sources for one worker. */
static void
test_the_key_counts(void)
{
	uint32_t i, same;
	uint8_t addr[16];

	for (i = 0, same = 0; i < 4000; i++) {
		source(addr, i, 0);
		same +=
		    steer_worker(1, 4, addr, 1) == steer_worker(2, 4, addr, 1);
	}
	CHECK(same > 700 && same < 1300);
	for (i = 0; i < 100; i++) {
		source(addr, i, 1);
		CHECK(steer_worker(i, 1, addr, i) == 0);
	}
}

int
main(void)
{
	RUN(test_a_known_value);
	RUN(test_sources_are_spread);
	RUN(test_the_key_counts);
	return (test_failed());
}
