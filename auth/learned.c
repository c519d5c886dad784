/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include "common/counters.h"

#include "auth/learned.h"

#define LEARNED_ENTRY_BYTES (LEARNED_MAX * sizeof(struct learned_entry))
#define LEARNED_HEAD_BYTES  (LEARNED_HEADS * sizeof(uint32_t))

/* Pages that are never touched cost nothing. */
static void *
learned_map(size_t size)
{
	void *base;

	base = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return (base == MAP_FAILED ? NULL : base);
}

/* Returns 0, or -1 with errno ENOMEM. */
int
learned_init(struct learned *l)
{
	memset(l, 0, sizeof(*l));
	randombytes_buf(l->secret, sizeof(l->secret));
	l->entries = learned_map(LEARNED_ENTRY_BYTES);
	if (l->entries == NULL)
		return (-1);
	l->heads = learned_map(LEARNED_HEAD_BYTES);
	if (l->heads != NULL)
		return (0);
	(void)munmap(l->entries, LEARNED_ENTRY_BYTES);
	return (-1);
}

void
learned_free(struct learned *l)
{
	(void)munmap(l->entries, LEARNED_ENTRY_BYTES);
	(void)munmap(l->heads, LEARNED_HEAD_BYTES);
	memset(l, 0, sizeof(*l));
}

static uint32_t *
learned_head(const struct learned *l, uint32_t node)
{
	return (&l->heads[nodehash(l->secret, node) % LEARNED_HEADS]);
}

static uint32_t
learned_number(const struct learned *l, const struct learned_entry *entry)
{
	return ((uint32_t)(entry - l->entries) + 1);
}

/* The entry of node, or NULL.  That it was looked for is no use of it. */
struct learned_entry *
learned_find(const struct learned *l, uint32_t node)
{
	uint32_t at;

	for (at = *learned_head(l, node); at != 0; at = l->entries[at - 1].next)
		if (l->entries[at - 1].node == node)
			return (&l->entries[at - 1]);
	return (NULL);
}

static void
learned_unlist(struct learned *l, const struct learned_entry *entry)
{
	if (entry->newer == 0)
		l->newest = entry->older;
	else
		l->entries[entry->newer - 1].older = entry->older;
	if (entry->older == 0)
		l->oldest = entry->newer;
	else
		l->entries[entry->older - 1].newer = entry->newer;
}

static void
learned_list(struct learned *l, struct learned_entry *entry)
{
	uint32_t number;

	number = learned_number(l, entry);
	entry->newer = 0;
	entry->older = l->newest;
	if (l->newest == 0)
		l->oldest = number;
	else
		l->entries[l->newest - 1].newer = number;
	l->newest = number;
}

/* Used just now: of all entries it will be the last to go. */
void
learned_touch(struct learned *l, struct learned_entry *entry)
{
	if (l->newest == learned_number(l, entry))
		return;
	learned_unlist(l, entry);
	learned_list(l, entry);
}

static void
learned_drop(struct learned *l, struct learned_entry *entry)
{
	uint32_t *link, number;

	number = learned_number(l, entry);
	link = learned_head(l, entry->node);
	while (*link != number)
		link = &l->entries[*link - 1].next;
	*link = entry->next;
	learned_unlist(l, entry);
	memset(entry, 0, sizeof(*entry));
	entry->next = l->unused;
	l->unused = number;
	l->count--;
}

static struct learned_entry *
learned_fresh(struct learned *l)
{
	struct learned_entry *entry;

	if (l->unused == 0)
		return (&l->entries[l->used++]);
	entry = &l->entries[l->unused - 1];
	l->unused = entry->next;
	return (entry);
}

/*
 * The entry of node (not 0), which is new and without keys if there was none.
 * Then the oldest make room until there are no more than max, which is 1 to
 * LEARNED_MAX; no more than two in one call, should it have become less.
 */
struct learned_entry *
learned_add(struct learned *l, uint32_t node, uint32_t max)
{
	struct learned_entry *entry;
	uint32_t *head, i;

	entry = learned_find(l, node);
	if (entry != NULL)
		return (entry);
	for (i = 0; i < 2 && l->count >= max; i++) {
		counters_add(COUNTER_KEYS_EVICTED, 1);
		learned_drop(l, &l->entries[l->oldest - 1]);
	}
	entry = learned_fresh(l);
	memset(entry, 0, sizeof(*entry));
	head = learned_head(l, node);
	entry->node = node;
	entry->next = *head;
	*head = learned_number(l, entry);
	learned_list(l, entry);
	l->count++;
	return (entry);
}

/*
 * That is the key of the entry's node, at now, clock_seconds().  The one that
 * it had before, if it is another, serves for `grace` more seconds.
 */
void
learned_set(struct learned_entry *entry, const uint8_t key[PROTO_KEY_LEN],
    uint32_t now, uint32_t grace)
{
	if (entry->confirmed != 0 &&
	    memcmp(entry->key, key, PROTO_KEY_LEN) != 0) {
		memcpy(entry->previous, entry->key, PROTO_KEY_LEN);
		entry->previous_until = now + grace;
	}
	memcpy(entry->key, key, PROTO_KEY_LEN);
	entry->confirmed = now;
}

void
learned_remove(struct learned *l, uint32_t node)
{
	struct learned_entry *entry;

	entry = learned_find(l, node);
	if (entry != NULL)
		learned_drop(l, entry);
}
