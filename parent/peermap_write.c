/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/random.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/log.h"
#include "parent/peermap_write.h"

/* An entry as eight words, the units that are copied without tearing. */
typedef uint64_t word __attribute__((may_alias));

#define ENTRY_WORDS (sizeof(struct peermap_entry) / sizeof(word))

_Static_assert(offsetof(struct peermap_entry, seq) == 0 &&
		   offsetof(struct peermap_entry, node) == 4,
    "the first word is the sequence number and the node");

static int
pmap_memory(struct pmap *map)
{
	void *base;

	map->fd = memfd_create("peermap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (map->fd == -1) {
		log_warn("peer map: memfd_create");
		return (-1);
	}
	if (ftruncate(map->fd, PEERMAP_BYTES) == -1) {
		log_warn("peer map: ftruncate to %zu bytes", PEERMAP_BYTES);
		goto fail;
	}
	base = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
	    map->fd, 0);
	if (base == MAP_FAILED) {
		log_warn("peer map: mmap of %zu bytes", PEERMAP_BYTES);
		goto fail;
	}
	/* From here on nobody, we included, can map it writable again. */
	if (fcntl(map->fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE |
		    F_SEAL_SEAL) == -1) {
		log_warn("peer map: fcntl ADD_SEALS");
		(void)munmap(base, PEERMAP_BYTES);
		goto fail;
	}
	peermap_view(&map->view, base);
	map->header = base;
	map->half[0] = (void *)((uint8_t *)base + PEERMAP_INDEX_OFF);
	map->half[1] =
	    (void *)((uint8_t *)base + PEERMAP_INDEX_OFF + PEERMAP_INDEX_BYTES);
	map->entries = (void *)((uint8_t *)base + PEERMAP_ENTRY_OFF);
	return (0);
fail:
	(void)close(map->fd);
	return (-1);
}

/*
 * An empty map in sealed memory, no worker running.  Returns 0, or -1 with the
 * reason logged.
 */
int
pmap_create(struct pmap *map)
{
	struct peermap_header *header;
	size_t i;

	memset(map, 0, sizeof(*map));
	if (pmap_memory(map) == -1)
		return (-1);
	header = map->header;
	if (getrandom(header->key, sizeof(header->key), 0) !=
	    (ssize_t)sizeof(header->key)) {
		log_warn("peer map: getrandom");
		pmap_destroy(map);
		return (-1);
	}
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		pmap_load(map, (uint32_t)i, UINT32_MAX);
	atomic_store(&header->index, PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0));
	header->magic = PEERMAP_MAGIC;
	map->free = PEERMAP_NONE;
	return (0);
}

void
pmap_destroy(struct pmap *map)
{
	(void)munmap(map->header, PEERMAP_BYTES);
	(void)close(map->fd);
}

/* The number of node's entry, or PEERMAP_NONE. */
uint32_t
pmap_find(const struct pmap *map, uint32_t node)
{
	return (peermap_find(&map->view, node));
}

/*
 * The entry of node's session, if it is that one and with that worker, in that
 * slot; else NULL.
 */
const struct peermap_entry *
pmap_session(const struct pmap *map, uint32_t node, uint32_t generation,
    uint32_t worker, uint32_t slot)
{
	const struct peermap_entry *entry;
	uint32_t number;

	number = pmap_find(map, node);
	if (number == PEERMAP_NONE || generation == 0)
		return (NULL);
	entry = pmap_entry(map, number);
	return (entry->generation == generation && entry->worker == worker &&
			entry->slot == slot
		    ? entry
		    : NULL);
}

/* The entry as it stands; the pointer stays good, what it shows does not. */
const struct peermap_entry *
pmap_entry(const struct pmap *map, uint32_t number)
{
	return (&map->entries[number]);
}

/* Where a walk over all entries ends; free ones on the way have node 0. */
uint32_t
pmap_used(const struct pmap *map)
{
	return (atomic_load_explicit(&map->header->used, memory_order_relaxed));
}

/* 1, 2, ...: never 0, which means "no session". */
uint32_t
pmap_next_generation(struct pmap *map)
{
	if (++map->generation == 0)
		map->generation = 1;
	return (map->generation);
}

/* Open connections of a worker; UINT32_MAX: it is not running. */
void
pmap_load(struct pmap *map, uint32_t worker, uint32_t load)
{
	atomic_store_explicit(
	    &map->header->load[worker], load, memory_order_relaxed);
}

/*
 * The number of an address of ours, for an entry that is going to be stored; 0
 * for the unspecified one, and if other addresses have all numbers.
 */
uint8_t
pmap_near(struct pmap *map, const uint8_t addr[16])
{
	uint64_t words[2];
	uint32_t free, i;
	uint8_t had[16];

	free = 0;
	for (i = 0; i < PEERMAP_NEAR_MAX; i++) {
		peermap_near(&map->view, (uint8_t)i, had);
		if (memcmp(had, addr, sizeof(had)) == 0)
			return ((uint8_t)i);
		if (i > 0 && free == 0 && map->near[i] == 0)
			free = i;
	}
	if (free == 0) {
		counters_add(COUNTER_NEAR_FULL, 1);
		return (0);
	}
	memcpy(words, addr, sizeof(words));
	for (i = 0; i < 2; i++)
		atomic_store_explicit(&map->header->near[free][i], words[i],
		    memory_order_relaxed);
	return ((uint8_t)free);
}

static uint32_t
pmap_index(const struct pmap *map)
{
	return (
	    atomic_load_explicit(&map->header->index, memory_order_relaxed));
}

/*
 * Writes entry `number` in one step for every reader.  The node goes by
 * itself, since the word that it stands in holds the sequence number too.
 */
static void
pmap_write(struct pmap *map, uint32_t number, const struct peermap_entry *from)
{
	struct peermap_entry *entry;
	const word *source;
	word *words;
	uint32_t seq;
	size_t i;

	entry = &map->entries[number];
	words = (word *)entry;
	source = (const word *)from;
	seq = atomic_load_explicit(&entry->seq, memory_order_relaxed);
	atomic_store_explicit(&entry->seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	__atomic_store_n(&entry->node, from->node, __ATOMIC_RELAXED);
	for (i = 1; i < ENTRY_WORDS; i++)
		__atomic_store_n(&words[i], source[i], __ATOMIC_RELAXED);
	atomic_store_explicit(&entry->seq, seq + 2, memory_order_release);
}

/*
 * Enters number in the half of `index`, in the first place that is free on
 * node's way.  The caller knows that node is not there yet.
 */
static void
pmap_place(struct pmap *map, uint32_t index, uint32_t node, uint32_t number)
{
	_Atomic uint32_t *slots;
	uint32_t at, mask, old;

	slots = map->half[PEERMAP_INDEX_HALF(index)];
	mask = PEERMAP_INDEX_MASK(index);
	at = peermap_hash(map->header, node) & mask;
	for (;;) {
		old = atomic_load_explicit(&slots[at], memory_order_relaxed);
		if (old == 0 || old == PEERMAP_TOMB)
			break;
		at = (at + 1) & mask;
	}
	if (old == 0)
		map->filled++;
	atomic_store_explicit(&slots[at], number + 1, memory_order_release);
}

/*
 * Builds the index anew in the other half, without tombstones and twice as
 * large if it needs to be.  Readers keep using the old one until the last
 * store.
 */
static void
pmap_rebuild(struct pmap *map)
{
	uint32_t i, index, old, shift, used;

	old = pmap_index(map);
	shift = PEERMAP_INDEX_SHIFT(old);
	if (shift < PEERMAP_SHIFT_MAX && map->live > (1U << shift) / 4)
		shift++;
	index = PEERMAP_INDEX(
	    PEERMAP_INDEX_BUILD(old) + 1, shift, PEERMAP_INDEX_HALF(old) ^ 1);
	for (i = 0; i < 1U << shift; i++)
		atomic_store_explicit(&map->half[PEERMAP_INDEX_HALF(index)][i],
		    0, memory_order_relaxed);
	map->filled = 0;
	used = pmap_used(map);
	for (i = 0; i < used; i++)
		if (map->entries[i].node != 0)
			pmap_place(map, index, map->entries[i].node, i);
	atomic_store_explicit(&map->header->index, index, memory_order_release);
}

/* At its largest it may get fuller, or it would be built all the time. */
static int
pmap_crowded(const struct pmap *map)
{
	uint32_t shift;

	shift = PEERMAP_INDEX_SHIFT(pmap_index(map));
	if (shift < PEERMAP_SHIFT_MAX)
		return (map->filled >= (1U << shift) / 2);
	return (map->filled >= (1U << shift) / 4 * 3);
}

/* A free entry: the one freed last, or else the next that was never used. */
static uint32_t
pmap_take(struct pmap *map)
{
	uint32_t number;

	number = map->free;
	if (number != PEERMAP_NONE) {
		map->free = map->entries[number].slot;
		return (number);
	}
	number = pmap_used(map);
	if (number >= PEERMAP_NODES_MAX)
		return (PEERMAP_NONE);
	atomic_store_explicit(
	    &map->header->used, number + 1, memory_order_release);
	return (number);
}

/*
 * The number of node's entry; if it has none, of a new and empty one, which
 * the caller is to fill at once by pmap_store().  Returns PEERMAP_NONE for
 * node 0 and if no more than `reserve` entries are left.
 */
uint32_t
pmap_add(struct pmap *map, uint32_t node, uint32_t reserve)
{
	struct peermap_entry entry;
	uint32_t number;

	if (node == 0)
		return (PEERMAP_NONE);
	number = pmap_find(map, node);
	if (number != PEERMAP_NONE)
		return (number);
	if (map->live + reserve >= PEERMAP_NODES_MAX)
		return (PEERMAP_NONE);
	if (pmap_crowded(map))
		pmap_rebuild(map);
	number = pmap_take(map);
	if (number == PEERMAP_NONE)
		return (PEERMAP_NONE);
	memset(&entry, 0, sizeof(entry));
	entry.node = node;
	pmap_write(map, number, &entry);
	pmap_place(map, pmap_index(map), node, number);
	map->live++;
	return (number);
}

/*
 * Takes node out.  The place in the index becomes a tombstone, so that a
 * reader on its way to another node never stops early.
 */
static void
pmap_remove(struct pmap *map, uint32_t number)
{
	struct peermap_entry empty;
	_Atomic uint32_t *slots;
	uint32_t at, index, mask;

	index = pmap_index(map);
	slots = map->half[PEERMAP_INDEX_HALF(index)];
	mask = PEERMAP_INDEX_MASK(index);
	at = peermap_hash(map->header, map->entries[number].node) & mask;
	while (atomic_load_explicit(&slots[at], memory_order_relaxed) !=
	       number + 1)
		at = (at + 1) & mask;
	atomic_store_explicit(&slots[at], PEERMAP_TOMB, memory_order_release);

	memset(&empty, 0, sizeof(empty));
	empty.slot = map->free;
	pmap_write(map, number, &empty);
	map->free = number;
	map->live--;
}

/*
 * Replaces what entry `number` says of its node (seq and node of `from` do not
 * count).  An entry without session, endpoint and beacon is freed.
 */
void
pmap_store(struct pmap *map, uint32_t number, const struct peermap_entry *from)
{
	struct peermap_entry entry;
	const struct peermap_entry *old;
	uint32_t sessions;

	old = &map->entries[number];
	entry = *from;
	entry.node = old->node;
	sessions =
	    atomic_load_explicit(&map->header->sessions, memory_order_relaxed);
	sessions += entry.generation != 0;
	sessions -= old->generation != 0;
	map->endpoints += entry.port != 0;
	map->endpoints -= old->port != 0;
	map->near[entry.near]++;
	map->near[old->near]--;
	if (entry.generation == 0 && entry.port == 0 && entry.beacon == 0)
		pmap_remove(map, number);
	else
		pmap_write(map, number, &entry);
	atomic_store_explicit(
	    &map->header->sessions, sessions, memory_order_relaxed);
}
