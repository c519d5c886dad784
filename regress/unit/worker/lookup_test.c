/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include "regress/unit/test.h"
#include "worker/lookup.h"

static struct worker w;
static uint8_t *base;

/* Node `node` is in entry `number`. */
static struct peermap_entry *
enter(uint32_t number, uint32_t node)
{
	struct peermap_entry *entry;
	uint32_t *index;

	index = (void *)(base + PEERMAP_INDEX_OFF);
	index[peermap_hash(w.map.header, node) &
	      PEERMAP_INDEX_MASK(w.map.header->index)] = number + 1;
	entry = (void *)(base + PEERMAP_ENTRY_OFF);
	entry[number].node = node;
	return (&entry[number]);
}

static void
test_a_hint_is_kept_up_to_date(void)
{
	struct peermap_entry entry;
	uint32_t hint;

	enter(4, 77)->slot = 5;
	hint = PEERMAP_NONE;
	CHECK(lookup_at(&w, 77, &hint, &entry) && hint == 4 && entry.slot == 5);
	/* Another has its entry now. */
	enter(4, 78)->slot = 6;
	enter(9, 77)->slot = 7;
	CHECK(lookup_at(&w, 77, &hint, &entry) && hint == 9 && entry.slot == 7);
	hint = 4;
	CHECK(lookup_at(&w, 77, &hint, &entry) && entry.node == 77);
}

static void
test_who_is_not_there_is_not_found(void)
{
	struct peermap_entry entry;
	uint32_t hint;

	hint = 9;
	CHECK(!lookup_at(&w, 1234, &hint, &entry));
	CHECK(!lookup(&w, 1234, &entry));
	CHECK(lookup(&w, 78, &entry) && entry.slot == 6);
	CHECK(*lookup_hint(&w, 78) == 4);
}

int
main(void)
{
	base = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return (1);
	((struct peermap_header *)(void *)base)->index =
	    PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
	peermap_view(&w.map, (void *)base);
	RUN(test_a_hint_is_kept_up_to_date);
	RUN(test_who_is_not_there_is_not_found);
	return (test_failed());
}
