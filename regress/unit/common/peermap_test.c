/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "common/peermap.h"
#include "regress/unit/test.h"

/* A reader's look at a map that the test writes. */

static uint8_t *base;
static int memory;
static struct peermap map;
static struct peermap_header *header;
static struct peermap_entry *entries;

static void
set_up(void)
{
	memory = memfd_create("map", 0);
	if (memory == -1 || ftruncate(memory, PEERMAP_BYTES) == -1)
		abort();
	base = mmap(
	    NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (base == MAP_FAILED)
		abort();
	header = (void *)base;
	header->magic = PEERMAP_MAGIC;
	header->key[0] = 0x1234567;
	header->key[1] = 0x89abcde;
	header->index = PEERMAP_INDEX(1, PEERMAP_SHIFT_MIN, 0);
	entries = (void *)(base + PEERMAP_ENTRY_OFF);
}

/* Puts a word into the first place of node's chain that is free. */
static void
put(uint32_t node, uint32_t word)
{
	uint32_t at, *index, mask;

	index =
	    (void *)(base + PEERMAP_INDEX_OFF +
		     PEERMAP_INDEX_HALF(header->index) * PEERMAP_INDEX_BYTES);
	mask = PEERMAP_INDEX_MASK(header->index);
	at = peermap_hash(header, node) & mask;
	while (index[at] != 0)
		at = (at + 1) & mask;
	index[at] = word;
}

static void
test_only_a_map_is_opened(void)
{
	struct peermap other;
	int fd;

	fd = dup(memory);
	CHECK(peermap_open(&map, fd) == 0 && fcntl(fd, F_GETFD) == -1);
	CHECK((const void *)map.header != (const void *)header);
	header->magic++;
	CHECK(peermap_open(&other, dup(memory)) == -1 && errno == EINVAL);
	header->magic--;
	fd = memfd_create("small", 0);
	CHECK(ftruncate(fd, PEERMAP_BYTES - 1) == 0);
	CHECK(peermap_open(&other, fd) == -1 && errno == EINVAL);
	CHECK(fcntl(fd, F_GETFD) == -1);
}

static void
test_found_by_node(void)
{
	struct peermap_entry entry;
	uint32_t node;

	for (node = 1; node < 1000; node++) {
		entries[node].node = node;
		entries[node].slot = 7 * node;
		put(node, node + 1);
	}
	for (node = 1; node < 1000; node++) {
		CHECK(peermap_find(&map, node) == node);
		CHECK(peermap_lookup(&map, node, &entry));
		CHECK(entry.node == node && entry.slot == 7 * node);
	}
	CHECK(peermap_find(&map, 1000) == PEERMAP_NONE);
	CHECK(!peermap_lookup(&map, 1000, &entry));
	CHECK(peermap_find(&map, 0) == PEERMAP_NONE);
	CHECK(!peermap_lookup(&map, 0, &entry));
}

/* A hint is good as long as the entry is that node's. */
static void
test_a_number_is_but_a_hint(void)
{
	struct peermap_entry entry;

	CHECK(peermap_read(&map, 5, 5, &entry));
	CHECK(!peermap_read(&map, 5, 6, &entry));
	CHECK(!peermap_read(&map, PEERMAP_NONE, 5, &entry));
	CHECK(!peermap_read(&map, PEERMAP_NODES_MAX, 5, &entry));
	entries[5].node = 0;
	CHECK(!peermap_read(&map, 5, 5, &entry));
	CHECK(!peermap_read(&map, 5, 0, &entry));
	CHECK(peermap_find(&map, 5) == PEERMAP_NONE);
	entries[5].node = 5;
}

/* What was removed, and numbers that cannot be, are passed over. */
static void
test_behind_a_tomb(void)
{
	put(2000, PEERMAP_TOMB);
	put(2000, PEERMAP_NODES_MAX + 1);
	put(2000, 2001);
	entries[2000].node = 2000;
	CHECK(peermap_find(&map, 2000) == 2000);
}

/* No word of it is 0: a look ends all the same. */
static void
test_an_index_without_an_end(void)
{
	uint32_t *index;
	size_t i;

	header->index = PEERMAP_INDEX(2, PEERMAP_SHIFT_MIN, 1);
	index = (void *)(base + PEERMAP_INDEX_OFF + PEERMAP_INDEX_BYTES);
	for (i = 0; i < 1U << PEERMAP_SHIFT_MIN; i++)
		index[i] = PEERMAP_TOMB;
	CHECK(peermap_find(&map, 7) == PEERMAP_NONE);
	header->index = PEERMAP_INDEX(3, PEERMAP_SHIFT_MIN, 0);
	CHECK(peermap_find(&map, 7) == 7);
}

static void
test_our_address_by_number(void)
{
	uint8_t addr[16];

	memcpy((void *)&header->near[3], "0123456789abcdef", 16);
	peermap_near(&map, 3, addr);
	CHECK(memcmp(addr, "0123456789abcdef", 16) == 0);
	peermap_near(&map, 0, addr);
	CHECK(addr[0] == 0 && addr[15] == 0);
}

static _Atomic int writing;

/* As the parent writes: odd while it does. */
static void *
writer(void *arg)
{
	struct peermap_entry *entry;
	uint32_t i;

	entry = &entries[9];
	for (i = 1; atomic_load(&writing); i++) {
		atomic_fetch_add(&entry->seq, 1);
		atomic_thread_fence(memory_order_seq_cst);
		__atomic_store_n(&entry->slot, i, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->seen, i, __ATOMIC_RELAXED);
		__atomic_store_n(&entry->rwindow, i, __ATOMIC_RELAXED);
		atomic_thread_fence(memory_order_seq_cst);
		atomic_fetch_add(&entry->seq, 1);
	}
	return (NULL);
}

static void
test_an_entry_is_of_one_moment(void)
{
	struct peermap_entry entry;
	pthread_t thread;
	uint32_t i;
	int bad;

	entries[9].slot = entries[9].seen = entries[9].rwindow = 0;
	atomic_store(&writing, 1);
	CHECK(pthread_create(&thread, NULL, writer, NULL) == 0);
	for (i = 0, bad = 0; i < 200000; i++)
		if (!peermap_read(&map, 9, 9, &entry) ||
		    entry.slot != entry.seen || entry.slot != entry.rwindow ||
		    (entry.seq & 1) != 0)
			bad++;
	atomic_store(&writing, 0);
	(void)pthread_join(thread, NULL);
	CHECK(bad == 0);
}

/* What was mapped before is not, and there may have been nothing. */
static void
test_one_in_the_place_of_another(void)
{
	struct peermap one, other;
	unsigned char in_core[1];

	memset(&one, 0, sizeof(one));
	CHECK(peermap_open(&other, dup(memory)) == 0);
	peermap_replace(&one, &other);
	CHECK(one.header == other.header && one.entries == other.entries);
	CHECK(peermap_open(&one, dup(memory)) == 0);
	CHECK(one.header != other.header);
	peermap_replace(&other, &one);
	CHECK(other.header == one.header && other.half[1] == one.half[1]);
	CHECK(mincore((void *)(uintptr_t)one.header, 1, in_core) == 0);
	peermap_replace(&other, &map);
	CHECK(mincore((void *)(uintptr_t)one.header, 1, in_core) == -1 &&
	      errno == ENOMEM);
}

int
main(void)
{
	set_up();
	RUN(test_only_a_map_is_opened);
	RUN(test_found_by_node);
	RUN(test_a_number_is_but_a_hint);
	RUN(test_behind_a_tomb);
	RUN(test_an_index_without_an_end);
	RUN(test_our_address_by_number);
	RUN(test_an_entry_is_of_one_moment);
	RUN(test_one_in_the_place_of_another);
	return (test_failed());
}
