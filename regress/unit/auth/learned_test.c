/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/counters.h"

#include "auth/learned.h"

#include "regress/unit/resident.h"
#include "regress/unit/test.h"

static struct learned learned;
static uint8_t one[PROTO_KEY_LEN] = { 1 }, two[PROTO_KEY_LEN] = { 2 };

static int
has(const struct learned_entry *entry, const uint8_t *key)
{
	return (
	    entry != NULL && memcmp(entry->key, key, sizeof(entry->key)) == 0);
}

static void
learn(uint32_t node, uint32_t max)
{
	learned_set(learned_add(&learned, node, max), one, 1000, 600);
}

static int
knows(uint32_t node)
{
	return (has(learned_find(&learned, node), one));
}

static void
test_key_and_the_one_before(void)
{
	struct learned_entry *entry;

	CHECK(learned_find(&learned, 7) == NULL);
	entry = learned_add(&learned, 7, LEARNED_MAX);
	learned_set(entry, one, 1000, 600);
	CHECK(learned_find(&learned, 7) == entry && has(entry, one));
	CHECK(entry->confirmed == 1000 && entry->previous_until == 0);
	/* The same once more is no other. */
	CHECK(learned_add(&learned, 7, LEARNED_MAX) == entry);
	learned_set(entry, one, 1600, 600);
	CHECK(entry->confirmed == 1600 && entry->previous_until == 0);
	learned_set(entry, two, 1700, 600);
	CHECK(has(entry, two) && entry->previous_until == 2300);
	CHECK(memcmp(entry->previous, one, sizeof(one)) == 0);
	learned_set(entry, two, 1800, 600);
	CHECK(entry->previous_until == 2300);
	CHECK(learned.count == 1);
	learned_remove(&learned, 7);
	learned_remove(&learned, 7);
	CHECK(learned_find(&learned, 7) == NULL && learned.count == 0);
	/* Nothing of it is left for whoever comes next. */
	entry = learned_add(&learned, 8, LEARNED_MAX);
	CHECK(entry->confirmed == 0 && entry->previous_until == 0);
	learned_remove(&learned, 8);
}

static void
test_least_recently_used_goes(void)
{
	uint64_t evicted;
	uint32_t node;

	evicted = counters_read(counters, COUNTER_KEYS_EVICTED);
	for (node = 1; node <= 5; node++)
		learn(node, 5);
	learned_touch(&learned, learned_find(&learned, 1));
	learned_touch(&learned, learned_find(&learned, 3));
	learned_touch(&learned, learned_find(&learned, 3));
	learn(6, 5);
	learn(7, 5);
	learn(8, 5);
	CHECK(learned.count == 5);
	CHECK(!knows(2) && !knows(4) && !knows(5));
	CHECK(knows(1) && knows(3) && knows(6) && knows(7) && knows(8));
	evicted = counters_read(counters, COUNTER_KEYS_EVICTED) - evicted;
	CHECK(evicted == 3);
	/* What is used last may be removed, and what was used first. */
	learned_remove(&learned, 8);
	learned_remove(&learned, 1);
	learn(9, 5);
	learn(10, 5);
	CHECK(learned.count == 5 && knows(3));
	learn(11, 5);
	CHECK(!knows(3) && knows(6));
}

/* The bound became less: each that is added takes two away. */
static void
test_bound_that_shrinks(void)
{
	uint32_t i, node;

	for (node = 100; node < 200; node++)
		learn(node, LEARNED_MAX);
	for (node = 200; node < 300; node++)
		learn(node, 10);
	CHECK(learned.count <= 10);
	for (i = 1; i < 10; i++)
		CHECK(knows(300 - i));
}

/* Any order of adding, removing and using, against a plain list. */
static void
test_at_random(void)
{
	static uint32_t order[64];
	uint32_t count, i, node, step;

	while (learned.count > 0)
		learned_remove(
		    &learned, learned.entries[learned.newest - 1].node);
	for (count = step = 0; step < 100000; step++) {
		node = 1 + randombytes_uniform(100);
		for (i = 0; i < count && order[i] != node; i++)
			continue;
		if (i < count) {
			CHECK(knows(node));
			memmove(&order[i], &order[i + 1],
			    (count - i - 1) * sizeof(*order));
			count--;
			if (step % 3 == 0) {
				learned_remove(&learned, node);
				continue;
			}
			learned_touch(&learned, learned_find(&learned, node));
		} else {
			CHECK(!knows(node));
			learn(node, 64);
			if (count == 64)
				memmove(&order[0], &order[1],
				    --count * sizeof(*order));
		}
		order[count++] = node;
	}
	CHECK(learned.count == count);
	for (i = 0; i < count; i++)
		CHECK(knows(order[i]));
}

/* A million keys, 100 bytes each, and no byte more for two million more. */
static void
test_memory(void)
{
	size_t before, full;
	uint32_t node;

	learned_free(&learned);
	CHECK(learned_init(&learned) == 0);
	before = resident();
	for (node = 1; node <= 1000; node++)
		learn(node, LEARNED_MAX);
	/* A table that is all but empty takes no more than its heads. */
	CHECK(resident() - before < 6U << 20);
	for (; node <= LEARNED_MAX; node++)
		learn(node, LEARNED_MAX);
	full = resident();
	printf("# %.1f bytes a key\n", (double)(full - before) / LEARNED_MAX);
	CHECK(learned.count == LEARNED_MAX);
	CHECK(full - before <= resident_of(100UL * LEARNED_MAX));
	for (; node <= 3 * LEARNED_MAX; node++)
		learn(node, LEARNED_MAX);
	CHECK(learned.count == LEARNED_MAX);
	CHECK(resident() <= full + (1U << 20));
	CHECK(knows(3 * LEARNED_MAX) && knows(2 * LEARNED_MAX + 1));
	CHECK(!knows(2 * LEARNED_MAX));
}

int
main(void)
{
	if (sodium_init() == -1 || learned_init(&learned) == -1)
		return (1);
	RUN(test_key_and_the_one_before);
	RUN(test_least_recently_used_goes);
	RUN(test_bound_that_shrinks);
	RUN(test_at_random);
	RUN(test_memory);
	learned_free(&learned);
	return (test_failed());
}
