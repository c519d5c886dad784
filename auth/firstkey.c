/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "auth/firstkey.h"

/* Returns 0, or -1 with errno ENOMEM.  Slots never used cost no memory. */
int
firstkey_init(struct firstkeys *fk)
{
	fk->slots = calloc(FIRSTKEY_SLOTS, sizeof(*fk->slots));
	if (fk->slots == NULL)
		return (-1);
	fk->count = 0;
	randombytes_buf(fk->secret, sizeof(fk->secret));
	return (0);
}

void
firstkey_free(struct firstkeys *fk)
{
	free(fk->slots);
	fk->slots = NULL;
	fk->count = 0;
}

/* The slot of node, or the free one where it belongs: half are always free. */
static struct firstkey *
firstkey_slot(const struct firstkeys *fk, uint32_t node)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t at;

	(void)crypto_shorthash(
	    hash, (const unsigned char *)&node, sizeof(node), fk->secret);
	memcpy(&at, hash, sizeof(at));
	at %= FIRSTKEY_SLOTS;
	while (fk->slots[at].node != 0 && fk->slots[at].node != node)
		at = (at + 1) % FIRSTKEY_SLOTS;
	return (&fk->slots[at]);
}

/*
 * Returns 0 if the key is kept now, or one of that node was before; -1 for
 * node 0 and when the table is full.
 */
int
firstkey_add(
    struct firstkeys *fk, uint32_t node, const uint8_t key[PROTO_KEY_LEN])
{
	struct firstkey *slot;

	if (node == 0)
		return (-1);
	slot = firstkey_slot(fk, node);
	if (slot->node == node)
		return (0);
	if (fk->count == FIRSTKEY_MAX)
		return (-1);
	slot->node = node;
	memcpy(slot->key, key, PROTO_KEY_LEN);
	fk->count++;
	return (0);
}

/* The key of node, PROTO_KEY_LEN bytes, or NULL. */
const uint8_t *
firstkey_find(const struct firstkeys *fk, uint32_t node)
{
	const struct firstkey *slot;

	if (node == 0)
		return (NULL);
	slot = firstkey_slot(fk, node);
	return (slot->node == node ? slot->key : NULL);
}

/*
 * Forgets the nodes that have an authoritative key now and, unless map is NULL,
 * those that it does not know (any more).  Returns 0, or -1 with errno ENOMEM,
 * nothing forgotten.
 */
int
firstkey_prune(struct firstkeys *fk, const struct keycache *keys,
    const struct peermap *map)
{
	struct firstkey *slot;
	struct firstkeys kept;
	uint32_t i;

	if (fk->count == 0)
		return (0);
	if (firstkey_init(&kept) == -1)
		return (-1);
	for (i = 0; i < FIRSTKEY_SLOTS; i++) {
		slot = &fk->slots[i];
		if (slot->node != 0 &&
		    keycache_find(keys, slot->node) == NULL &&
		    (map == NULL ||
			peermap_find(map, slot->node) != PEERMAP_NONE))
			(void)firstkey_add(&kept, slot->node, slot->key);
	}
	firstkey_free(fk);
	*fk = kept;
	return (0);
}
