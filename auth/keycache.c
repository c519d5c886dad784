/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keycache.h"

#define KEYCACHE_ROOM   1024 /* entries, at first */
#define KEYCACHE_DIGIT  11   /* bits that one pass of the sort looks at */
#define KEYCACHE_DIGITS (1U << KEYCACHE_DIGIT)

void
keycache_init(struct keycache *kc)
{
	memset(kc, 0, sizeof(*kc));
}

void
keycache_free(struct keycache *kc)
{
	free(kc->entries);
	keycache_init(kc);
}

static int
keycache_resize(struct keycache *kc, uint32_t room)
{
	struct keycache_entry *entries;

	entries = reallocarray(kc->entries, room, sizeof(*entries));
	if (entries == NULL)
		return (-1);
	kc->entries = entries;
	kc->room = room;
	return (0);
}

/*
 * Adds a key; line may be any number.  Returns 0, or -1 with errno: EINVAL for
 * node 0, ENOSPC at KEYCACHE_MAX keys, ENOMEM.
 */
int
keycache_add(struct keycache *kc, uint32_t node, uint32_t line,
    const uint8_t key[PROTO_KEY_LEN])
{
	struct keycache_entry *entry;
	uint32_t room;

	if (node == 0) {
		errno = EINVAL;
		return (-1);
	}
	if (kc->count == KEYCACHE_MAX) {
		errno = ENOSPC;
		return (-1);
	}
	room = kc->room == 0 ? KEYCACHE_ROOM : kc->room * 2;
	if (kc->count == kc->room && keycache_resize(kc, room) == -1)
		return (-1);
	entry = &kc->entries[kc->count];
	if (kc->count > 0 && entry[-1].node >= node)
		kc->unsorted = 1;
	entry->node = node;
	entry->line = line;
	memcpy(entry->key, key, PROTO_KEY_LEN);
	kc->count++;
	return (0);
}

static void
keycache_pass(const struct keycache_entry *from, struct keycache_entry *to,
    uint32_t count, uint32_t shift)
{
	uint32_t at[KEYCACHE_DIGITS] = { 0 };
	uint32_t digit, i, n, sum;

	for (i = 0; i < count; i++)
		at[from[i].node >> shift & (KEYCACHE_DIGITS - 1)]++;
	for (digit = 0, sum = 0; digit < KEYCACHE_DIGITS; digit++) {
		n = at[digit];
		at[digit] = sum;
		sum += n;
	}
	for (i = 0; i < count; i++)
		to[at[from[i].node >> shift & (KEYCACHE_DIGITS - 1)]++] =
		    from[i];
}

/*
 * A radix sort: linear, stable (of two entries of a node the first stays
 * first), and without the system calls that qsort(3) makes to size its memory.
 */
static int
keycache_sort(struct keycache *kc)
{
	struct keycache_entry *other;

	other = reallocarray(NULL, kc->count, sizeof(*other));
	if (other == NULL)
		return (-1);
	keycache_pass(kc->entries, other, kc->count, 0);
	keycache_pass(other, kc->entries, kc->count, KEYCACHE_DIGIT);
	keycache_pass(kc->entries, other, kc->count, 2 * KEYCACHE_DIGIT);
	free(kc->entries);
	kc->entries = other;
	kc->room = kc->count;
	kc->unsorted = 0;
	return (0);
}

static void
keycache_unique(struct keycache *kc, keycache_double_fn fn, void *arg)
{
	uint32_t i, kept;

	for (i = 1, kept = 1; i < kc->count; i++) {
		if (kc->entries[i].node == kc->entries[kept - 1].node) {
			if (fn != NULL)
				fn(arg, &kc->entries[i]);
			continue;
		}
		kc->entries[kept++] = kc->entries[i];
	}
	kc->count = kept;
}

/*
 * Makes the cache searchable: sorted, one key a node (the first one added; fn,
 * if not NULL, is told of the others), no memory to spare.  Returns 0, or -1
 * with errno ENOMEM.
 */
int
keycache_finish(struct keycache *kc, keycache_double_fn fn, void *arg)
{
	if (kc->count == 0) {
		keycache_free(kc);
		return (0);
	}
	if (kc->unsorted) {
		if (keycache_sort(kc) == -1)
			return (-1);
		keycache_unique(kc, fn, arg);
	}
	return (keycache_resize(kc, kc->count));
}

/* The key of node, PROTO_KEY_LEN bytes, or NULL. */
const uint8_t *
keycache_find(const struct keycache *kc, uint32_t node)
{
	const struct keycache_entry *base;
	uint32_t half, n;

	if (kc->count == 0)
		return (NULL);
	/* No branch on what is compared: it would be mispredicted. */
	base = kc->entries;
	for (n = kc->count; n > 1; n -= half) {
		half = n / 2;
		base += (base[half].node <= node) * half;
	}
	return (base->node == node ? base->key : NULL);
}

/* The fingerprint by which the peer map knows a key. */
uint64_t
keycache_id(const uint8_t key[PROTO_KEY_LEN])
{
	uint8_t hash[crypto_generichash_BYTES];
	uint64_t id;

	(void)crypto_generichash(
	    hash, sizeof(hash), key, PROTO_KEY_LEN, NULL, 0);
	memcpy(&id, hash, sizeof(id));
	return (id);
}
