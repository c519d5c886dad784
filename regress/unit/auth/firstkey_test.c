/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "auth/firstkey.h"

#include "regress/unit/test.h"

static struct firstkeys fk;

static int
add(uint32_t node, uint8_t byte)
{
	uint8_t key[PROTO_KEY_LEN];

	memset(key, byte, sizeof(key));
	return (firstkey_add(&fk, node, key));
}

static int
is(uint32_t node, uint8_t byte)
{
	const uint8_t *key;

	key = firstkey_find(&fk, node);
	return (key != NULL && key[0] == byte && key[31] == byte);
}

static void
first_one_stays(void)
{
	CHECK(firstkey_init(&fk) == 0);
	CHECK(firstkey_find(&fk, 5) == NULL);
	CHECK(add(5, 1) == 0 && add(6, 2) == 0);
	CHECK(add(5, 3) == 0);
	CHECK(is(5, 1) && is(6, 2) && fk.count == 2);
	CHECK(firstkey_find(&fk, 7) == NULL);
	firstkey_free(&fk);
}

static void
no_node_zero(void)
{
	CHECK(firstkey_init(&fk) == 0);
	CHECK(add(0, 1) == -1);
	CHECK(firstkey_find(&fk, 0) == NULL && fk.count == 0);
	firstkey_free(&fk);
}

/* Full: those who are in stay, nobody else gets in, lookups still end. */
static void
full(void)
{
	uint32_t i;

	CHECK(firstkey_init(&fk) == 0);
	for (i = 1; i <= FIRSTKEY_MAX; i++)
		CHECK(add(i * 2654435761U, (uint8_t)i) == 0);
	CHECK(fk.count == FIRSTKEY_MAX);
	CHECK(add((FIRSTKEY_MAX + 1) * 2654435761U, 1) == -1);
	CHECK(firstkey_find(&fk, (FIRSTKEY_MAX + 1) * 2654435761U) == NULL);
	CHECK(add(2654435761U, 9) == 0);
	for (i = 1; i <= FIRSTKEY_MAX; i++)
		CHECK(is(i * 2654435761U, (uint8_t)i));
	firstkey_free(&fk);
}

static void
pruned(void)
{
	uint8_t key[PROTO_KEY_LEN] = { 0 };
	struct keycache keys;

	keycache_init(&keys);
	CHECK(keycache_add(&keys, 6, 1, key) == 0);
	CHECK(keycache_finish(&keys, NULL, NULL) == 0);
	CHECK(firstkey_init(&fk) == 0);
	CHECK(firstkey_prune(&fk, &keys, NULL) == 0);
	CHECK(add(5, 1) == 0 && add(6, 2) == 0 && add(7, 3) == 0);
	CHECK(firstkey_prune(&fk, &keys, NULL) == 0);
	CHECK(fk.count == 2 && is(5, 1) && is(7, 3));
	CHECK(firstkey_find(&fk, 6) == NULL);
	firstkey_free(&fk);
	keycache_free(&keys);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	RUN(first_one_stays);
	RUN(no_node_zero);
	RUN(full);
	RUN(pruned);
	return (test_failed());
}
