/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <errno.h>
#include <string.h>

#include "common/fdstat.h"
#include "common/fold.h"
#include "common/peermap.h"

/* An entry as eight words, the units that are copied without tearing. */
typedef uint64_t word __attribute__((may_alias));

/* The three parts of a mapped peer map. */
void
peermap_view(struct peermap *map, const void *base)
{
	const uint8_t *p = base;

	map->header = base;
	map->half[0] = (const void *)(p + PEERMAP_INDEX_OFF);
	map->half[1] =
	    (const void *)(p + PEERMAP_INDEX_OFF + PEERMAP_INDEX_BYTES);
	map->entries = (const void *)(p + PEERMAP_ENTRY_OFF);
}

/*
 * Maps the descriptor that the parent sent, read-only.  Returns 0, or -1 with
 * errno: EINVAL if it is no peer map of this layout.  Closes fd.
 */
int
peermap_open(struct peermap *map, int fd)
{
	void *base;

	base = fdstat_map(fd, PEERMAP_BYTES, PROT_READ);
	if (base == NULL)
		return (-1);
	peermap_view(map, base);
	if (map->header->magic != PEERMAP_MAGIC) {
		(void)munmap(base, PEERMAP_BYTES);
		errno = EINVAL;
		return (-1);
	}
	return (0);
}

/* The other map is in the place of this one, which nobody looks at any more. */
void
peermap_replace(struct peermap *map, const struct peermap *other)
{
	if (map->header != NULL)
		(void)munmap((void *)(uintptr_t)map->header, PEERMAP_BYTES);
	*map = *other;
}

/*
 * Keyed, because UDP lets strangers choose the node ids that fill the table:
 * two rounds of multiply and fold.
 */
uint32_t
peermap_hash(const struct peermap_header *header, uint32_t node)
{
	uint64_t x;

	x = fold(node ^ header->key[0], header->key[1] | 1);
	return ((uint32_t)fold(x ^ header->key[1], 0x9e3779b97f4a7c15ULL));
}

static uint32_t
peermap_probe(const struct peermap *map, uint32_t index, uint32_t node)
{
	const _Atomic uint32_t *slots;
	uint32_t at, i, mask, number;

	slots = map->half[PEERMAP_INDEX_HALF(index)];
	mask = PEERMAP_INDEX_MASK(index);
	at = peermap_hash(map->header, node) & mask;
	/* Bounded, should a rebuild pull the index away under us. */
	for (i = 0; i <= mask; i++) {
		number = atomic_load_explicit(&slots[at], memory_order_acquire);
		if (number == 0)
			break;
		if (number <= PEERMAP_NODES_MAX &&
		    __atomic_load_n(&map->entries[number - 1].node,
			__ATOMIC_RELAXED) == node)
			return (number - 1);
		at = (at + 1) & mask;
	}
	return (PEERMAP_NONE);
}

/*
 * The number of node's entry, or PEERMAP_NONE.  A number stays good as a hint:
 * peermap_read() tells whether the entry is still that node's.
 */
uint32_t
peermap_find(const struct peermap *map, uint32_t node)
{
	uint32_t again, index, number;

	if (node == 0)
		return (PEERMAP_NONE);
	again = atomic_load_explicit(&map->header->index, memory_order_acquire);
	do {
		index = again;
		number = peermap_probe(map, index, node);
		if (number != PEERMAP_NONE)
			break;
		again = atomic_load_explicit(
		    &map->header->index, memory_order_acquire);
	} while (again != index);
	return (number);
}

/* Word by word, and without a loop: every packet passes here. */
static inline void
peermap_copy(word *to, const word *from)
{
#define COPY(i) to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED)
	COPY(0);
	COPY(1);
	COPY(2);
	COPY(3);
	COPY(4);
	COPY(5);
	COPY(6);
	COPY(7);
#undef COPY
}

_Static_assert(
    sizeof(struct peermap_entry) == 8 * sizeof(word), "peermap_copy()");

/*
 * Copies entry `number` as of one moment.  Returns 1, or 0 if it is not (or no
 * longer) node's.  Never waits for long: the parent's writes are a few stores.
 */
int
peermap_read(const struct peermap *map, uint32_t number, uint32_t node,
    struct peermap_entry *out)
{
	const struct peermap_entry *entry;
	uint32_t seq;

	if (number >= PEERMAP_NODES_MAX)
		return (0);
	entry = &map->entries[number];
	for (;;) {
		seq = atomic_load_explicit(&entry->seq, memory_order_acquire);
		if (seq & 1)
			continue;
		peermap_copy((word *)out, (const word *)entry);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&entry->seq, memory_order_relaxed) ==
		    seq)
			break;
	}
	return (out->node == node && node != 0);
}

/* Find and read in one.  Returns 1, or 0 if node is nowhere. */
int
peermap_lookup(
    const struct peermap *map, uint32_t node, struct peermap_entry *out)
{
	return (peermap_read(map, peermap_find(map, node), node, out));
}
