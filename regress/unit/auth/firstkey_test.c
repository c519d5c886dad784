/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

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

/* A peer map that knows one node. */
static void *
map_of(struct peermap *map, uint32_t node)
{
	_Atomic uint32_t *slots;
	struct peermap_header *header;
	struct peermap_entry *entry;
	uint32_t mask;
	void *base;

	base = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return (NULL);
	peermap_view(map, base);
	header = base;
	header->index = PEERMAP_INDEX(1, PEERMAP_SHIFT_MIN, 0);
	mask = PEERMAP_INDEX_MASK(header->index);
	slots = (void *)((uint8_t *)base + PEERMAP_INDEX_OFF);
	slots[peermap_hash(header, node) & mask] = 1;
	entry = (void *)((uint8_t *)base + PEERMAP_ENTRY_OFF);
	entry->node = node;
	return (base);
}

/* Nodes that nobody has heard of for long make room. */
static void
unheard_of(void)
{
	struct keycache keys;
	struct peermap map;
	void *base;

	keycache_init(&keys);
	base = map_of(&map, 7);
	CHECK(base != NULL && peermap_find(&map, 7) == 0);
	CHECK(firstkey_init(&fk) == 0);
	CHECK(add(5, 1) == 0 && add(7, 3) == 0);
	CHECK(firstkey_prune(&fk, &keys, &map) == 0);
	CHECK(fk.count == 1 && is(7, 3) && firstkey_find(&fk, 5) == NULL);
	firstkey_free(&fk);
	(void)munmap(base, PEERMAP_BYTES);
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
	RUN(unheard_of);
	return (test_failed());
}
