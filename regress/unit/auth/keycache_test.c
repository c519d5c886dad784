/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <sodium.h>

#include "auth/keycache.h"

#include "regress/unit/test.h"

#define NODES 5000U

static struct keycache kc;
static uint32_t doubles, double_line;

static void
count_double(void *arg, const struct keycache_entry *entry)
{
	doubles++;
	double_line = entry->line;
}

/* A key that names its node and line. */
static int
add(uint32_t node, uint32_t line)
{
	uint8_t key[PROTO_KEY_LEN] = { 0 };

	memcpy(key, &node, sizeof(node));
	memcpy(key + sizeof(node), &line, sizeof(line));
	return (keycache_add(&kc, node, line, key));
}

static int
finish(void)
{
	doubles = double_line = 0;
	return (keycache_finish(&kc, count_double, NULL));
}

static int
found(uint32_t node, uint32_t line)
{
	const uint8_t *key;

	key = keycache_find(&kc, node);
	return (key != NULL && memcmp(key, &node, sizeof(node)) == 0 &&
		memcmp(key + sizeof(node), &line, sizeof(line)) == 0);
}

static void
empty(void)
{
	keycache_init(&kc);
	CHECK(keycache_find(&kc, 1) == NULL);
	CHECK(finish() == 0);
	CHECK(keycache_find(&kc, 0) == NULL);
	CHECK(keycache_find(&kc, 1) == NULL);
	keycache_free(&kc);
}

/* Every size up to a few dozen: the search's halving has no blind spot. */
static void
every_size(void)
{
	uint32_t i, n;

	for (n = 1; n < 70; n++) {
		keycache_init(&kc);
		for (i = 1; i <= n; i++)
			CHECK(add(2 * i, i) == 0);
		CHECK(finish() == 0);
		CHECK(kc.count == n && kc.room == n);
		for (i = 1; i <= n; i++) {
			CHECK(found(2 * i, i));
			CHECK(keycache_find(&kc, 2 * i - 1) == NULL);
		}
		CHECK(keycache_find(&kc, 2 * n + 1) == NULL);
		CHECK(keycache_find(&kc, 0) == NULL);
		CHECK(keycache_find(&kc, UINT32_MAX) == NULL);
		keycache_free(&kc);
	}
}

/* Node ids from all over, in no order: i * odd is a bijection on 32 bits. */
static void
unsorted(void)
{
	uint32_t i;

	keycache_init(&kc);
	for (i = 1; i <= NODES; i++)
		CHECK(add(i * 2654435761U, i) == 0);
	CHECK(finish() == 0);
	CHECK(doubles == 0 && kc.count == NODES);
	for (i = 1; i < NODES; i++)
		CHECK(kc.entries[i - 1].node < kc.entries[i].node);
	for (i = 1; i <= NODES; i++)
		CHECK(found(i * 2654435761U, i));
	CHECK(keycache_find(&kc, (NODES + 1) * 2654435761U) == NULL);
	keycache_free(&kc);
}

static void
extremes(void)
{
	keycache_init(&kc);
	CHECK(add(UINT32_MAX, 1) == 0);
	CHECK(add(1, 2) == 0);
	CHECK(add(0x80000000U, 3) == 0);
	CHECK(add(0, 4) == -1 && errno == EINVAL);
	CHECK(finish() == 0);
	CHECK(kc.count == 3);
	CHECK(found(UINT32_MAX, 1) && found(1, 2) && found(0x80000000U, 3));
	CHECK(keycache_find(&kc, 0) == NULL);
	keycache_free(&kc);
}

/* The first one of a node stays, next to each other or far apart. */
static void
first_one_stays(void)
{
	keycache_init(&kc);
	CHECK(add(7, 1) == 0 && add(7, 2) == 0);
	CHECK(finish() == 0);
	CHECK(doubles == 1 && double_line == 2);
	CHECK(kc.count == 1 && kc.room == 1 && found(7, 1));
	keycache_free(&kc);

	CHECK(add(9, 1) == 0 && add(7, 2) == 0 && add(8, 3) == 0);
	CHECK(add(9, 4) == 0 && add(9, 5) == 0 && add(10, 6) == 0);
	CHECK(finish() == 0);
	CHECK(doubles == 2 && double_line == 5);
	CHECK(kc.count == 4);
	CHECK(found(7, 2) && found(8, 3) && found(9, 1) && found(10, 6));
	keycache_free(&kc);
}

static void
bounded(void)
{
	keycache_init(&kc);
	CHECK(add(1, 1) == 0);
	kc.count = KEYCACHE_MAX; /* as if they were there */
	CHECK(add(2, 2) == -1 && errno == ENOSPC);
	kc.count = 1;
	CHECK(add(2, 2) == 0);
	keycache_free(&kc);
	CHECK(kc.entries == NULL && kc.count == 0);
}

static void
fingerprint(void)
{
	uint8_t one[PROTO_KEY_LEN], other[PROTO_KEY_LEN];

	randombytes_buf(one, sizeof(one));
	memcpy(other, one, sizeof(other));
	CHECK(keycache_id(one) == keycache_id(other));
	other[PROTO_KEY_LEN - 1] ^= 1;
	CHECK(keycache_id(one) != keycache_id(other));
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	RUN(empty);
	RUN(every_size);
	RUN(unsorted);
	RUN(extremes);
	RUN(first_one_stays);
	RUN(bounded);
	RUN(fingerprint);
	return (test_failed());
}
