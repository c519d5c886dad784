/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/keystore.h"

#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

static struct keystore ks;
static struct keystore_key found;
static uint8_t one[PROTO_KEY_LEN] = { 1 }, two[PROTO_KEY_LEN] = { 2 };
static uint8_t three[PROTO_KEY_LEN] = { 3 };

static int
find(uint32_t node)
{
	return (keystore_find(&ks, node, clock_seconds(), &found));
}

static int
is(uint32_t node, enum keystore_source source, const uint8_t *key)
{
	return (find(node) && found.source == source &&
		memcmp(found.key, key, PROTO_KEY_LEN) == 0);
}

static int
before(const uint8_t *key)
{
	if (key == NULL)
		return (found.previous == NULL);
	return (found.previous != NULL &&
		memcmp(found.previous, key, PROTO_KEY_LEN) == 0);
}

static void
confirm(uint32_t node, const uint8_t *key)
{
	keystore_confirm(&ks, node, key, clock_ns());
}

static enum keystore_ground
ground(uint32_t node, const uint8_t *key)
{
	return (keystore_ground(&ks, node, keycache_id(key), clock_ns()));
}

static void
configure(uint32_t rate)
{
	struct msg_registry_conf conf;

	memset(&conf, 0, sizeof(conf));
	conf.rate = rate;
	conf.refresh = 100;
	conf.stale = 1000;
	conf.grace = 50;
	keystore_configure(&ks, &conf);
}

/* Nodes 1 to n with that key, and node 50 if there is another for it. */
static struct keycache
keys(uint32_t n, const uint8_t *key, const uint8_t *of50)
{
	struct keycache cache;
	uint32_t i;

	keycache_init(&cache);
	for (i = 1; i <= n; i++)
		(void)keycache_add(&cache, i, 0, key);
	if (of50 != NULL)
		(void)keycache_add(&cache, 50, 0, of50);
	(void)keycache_finish(&cache, NULL, NULL);
	return (cache);
}

static uint32_t
snapshot(uint32_t n, const uint8_t *key, const uint8_t *of50)
{
	struct keycache cache;

	cache = keys(n, key, of50);
	return (keystore_swap_snapshot(
	    &ks, &cache, clock_seconds(), clock_seconds()));
}

static void
test_file_over_registry_over_snapshot_over_cache(void)
{
	struct learned_entry *entry;
	struct keycache cache;

	configure(80);
	entry = learned_add(&ks.learned, 9, LEARNED_MAX);
	learned_set(entry, three, clock_seconds(), 0);
	entry->source = LEARNED_CACHE;
	CHECK(is(9, KEYSTORE_CACHE, three) && before(NULL) && !found.old);
	CHECK(snapshot(9, two, NULL) == 0);
	CHECK(is(9, KEYSTORE_SNAPSHOT, two));
	confirm(9, one);
	CHECK(is(9, KEYSTORE_REGISTRY, one));
	cache = keys(9, three, NULL);
	keystore_swap_file(&ks, &cache);
	CHECK(is(9, KEYSTORE_FILE, three) && !found.old);
	/* What the registry says of it is of no interest. */
	keystore_gone(&ks, 9, clock_ns());
	CHECK(is(9, KEYSTORE_FILE, three));
	CHECK(ground(9, three) == KEYSTORE_FIRM);
	CHECK(ground(9, one) == KEYSTORE_FALLEN);
	keystore_swap_file(&ks, &cache);
	/* It has gone from what was learned, and is in the snapshot yet. */
	CHECK(is(9, KEYSTORE_SNAPSHOT, two));
	CHECK(!find(10));
}

static void
test_old_and_stale(void)
{
	still_pass(1000);
	CHECK(snapshot(0, one, NULL) > 0);
	confirm(20, one);
	still_pass(100);
	CHECK(find(20) && !found.old);
	CHECK(ground(20, one) == KEYSTORE_FIRM);
	still_pass(1);
	CHECK(find(20) && found.old);
	CHECK(ground(20, one) == KEYSTORE_UNSURE);
	still_pass(899);
	CHECK(find(20));
	still_pass(1);
	CHECK(!find(20));
	/* However long the registry does not answer. */
	CHECK(ground(20, one) == KEYSTORE_UNSURE);
	CHECK(ground(20, two) == KEYSTORE_UNSURE);
	/* Keys of a snapshot are old with it, and serve for ever. */
	CHECK(snapshot(5, one, NULL) == 0);
	CHECK(find(5) && !found.old);
	still_pass(101);
	CHECK(find(5) && found.old);
	still_pass(100000);
	CHECK(is(5, KEYSTORE_SNAPSHOT, one));
}

static void
test_grace(void)
{
	confirm(30, one);
	CHECK(find(30) && before(NULL));
	confirm(30, two);
	CHECK(is(30, KEYSTORE_REGISTRY, two) && before(one));
	CHECK(ground(30, one) == KEYSTORE_FIRM);
	CHECK(ground(30, two) == KEYSTORE_FIRM);
	CHECK(ground(30, three) == KEYSTORE_FALLEN);
	still_pass(49);
	CHECK(find(30) && before(one));
	still_pass(1);
	CHECK(find(30) && before(NULL));
	CHECK(ground(30, one) == KEYSTORE_FALLEN);
	/* A key that was in the snapshot has one too. */
	CHECK(is(5, KEYSTORE_SNAPSHOT, one));
	confirm(5, two);
	CHECK(is(5, KEYSTORE_REGISTRY, two) && before(one));
}

/* A key that has not served since `stale` was not replaced just now. */
static void
test_a_stale_key_has_no_grace(void)
{
	confirm(31, one);
	still_pass(1001);
	CHECK(!find(31));
	confirm(31, two);
	CHECK(is(31, KEYSTORE_REGISTRY, two) && before(NULL));
	/* Nor does the registry's of then push aside the snapshot's. */
	CHECK(snapshot(0, one, one) > 0);
	confirm(50, three);
	still_pass(1001);
	CHECK(is(50, KEYSTORE_SNAPSHOT, one));
	CHECK(snapshot(0, one, two) == 1);
	CHECK(is(50, KEYSTORE_SNAPSHOT, two) && before(one));
	/* One that had gone from there comes back as another. */
	CHECK(snapshot(5, one, NULL) == 1);
	confirm(50, three);
	CHECK(is(50, KEYSTORE_REGISTRY, three) && before(NULL));
}

static void
cached(uint32_t node, const uint8_t *key)
{
	struct learned_entry *entry;

	entry = learned_add(&ks.learned, node, LEARNED_MAX);
	learned_set(entry, key, clock_seconds(), 0);
	entry->source = LEARNED_CACHE;
}

/* Sessions stand on what the snapshot has, and not on what the cache has. */
static void
test_the_grace_is_of_the_key_that_served(void)
{
	learned_remove(&ks.learned, 50);
	CHECK(snapshot(5, one, two) == 0);
	cached(50, one);
	CHECK(is(50, KEYSTORE_SNAPSHOT, two));
	confirm(50, three);
	CHECK(is(50, KEYSTORE_REGISTRY, three) && before(two));
	/* The registry knows no other than the snapshot. */
	cached(50, one);
	confirm(50, two);
	CHECK(is(50, KEYSTORE_REGISTRY, two) && before(NULL));
	/* Replaced there. */
	cached(50, one);
	CHECK(snapshot(5, one, three) == 1);
	CHECK(is(50, KEYSTORE_SNAPSHOT, three) && before(two));
	learned_remove(&ks.learned, 50);
	CHECK(snapshot(5, one, NULL) == 1);
}

static void
test_not_found(void)
{
	confirm(40, one);
	keystore_gone(&ks, 40, clock_ns());
	CHECK(!find(40) && keystore_absent(&ks, 40, clock_ns()));
	CHECK(ground(40, one) == KEYSTORE_FALLEN);
	still_pass(2);
	CHECK(!keystore_absent(&ks, 40, clock_ns()));
	CHECK(ground(40, one) == KEYSTORE_UNSURE);
	keystore_gone(&ks, 40, clock_ns());
	confirm(40, two);
	CHECK(!keystore_absent(&ks, 40, clock_ns()) && find(40));
	/* No key is not no node. */
	keystore_unfit(&ks, 40, clock_ns());
	CHECK(keystore_absent(&ks, 40, clock_ns()));
	CHECK(is(40, KEYSTORE_REGISTRY, two));
	CHECK(ground(40, two) == KEYSTORE_FIRM);
}

static void
test_forced_once_in_a_while(void)
{
	CHECK(keystore_force(&ks, 40, clock_ns()));
	CHECK(!keystore_force(&ks, 40, clock_ns()));
	CHECK(keystore_force(&ks, 41, clock_ns()));
	still_pass(29.9);
	CHECK(!keystore_force(&ks, 40, clock_ns()));
	still_pass(0.1);
	CHECK(keystore_force(&ks, 40, clock_ns()));
	keystore_unforce(&ks, 40);
	CHECK(keystore_force(&ks, 40, clock_ns()));
}

/* A strict registry shows only public nodes: the others are in its snapshot. */
static void
test_strict(void)
{
	CHECK(snapshot(3, one, one) == 2); /* 4 and 5 are gone */
	keystore_gone(&ks, 50, clock_ns());
	CHECK(is(50, KEYSTORE_SNAPSHOT, one));
	CHECK(ground(50, one) == KEYSTORE_FIRM);
	CHECK(ground(50, two) == KEYSTORE_FALLEN);
	/* Replaced in the snapshot: a grace there as well. */
	CHECK(snapshot(3, one, two) == 1);
	CHECK(is(50, KEYSTORE_SNAPSHOT, two) && before(one));
	keystore_gone(&ks, 50, clock_ns());
	CHECK(is(50, KEYSTORE_SNAPSHOT, two) && before(one));
	CHECK(ground(50, one) == KEYSTORE_FIRM);
	still_pass(50);
	CHECK(find(50) && before(NULL));
	/* Another key than the snapshot's: the registry may know more. */
	CHECK(ground(50, one) == KEYSTORE_UNSURE);
	keystore_gone(&ks, 50, clock_ns());
	CHECK(ground(50, one) == KEYSTORE_FALLEN);
	/* The same snapshot again is no change. */
	CHECK(snapshot(3, one, two) == 0);
	CHECK(snapshot(3, one, NULL) == 1);
	CHECK(!find(50));
}

static void
test_without_a_registry(void)
{
	configure(0);
	CHECK(ks.learned.count == 0);
	CHECK(!find(40) && !keystore_force(&ks, 40, clock_ns()));
	CHECK(ground(40, two) == KEYSTORE_FALLEN);
	still_pass(5000);
	CHECK(is(3, KEYSTORE_SNAPSHOT, one) && !found.old);
	CHECK(ground(3, one) == KEYSTORE_FIRM);
	CHECK(ground(3, two) == KEYSTORE_FALLEN);
	CHECK(snapshot(2, two, NULL) == 3);
	CHECK(is(2, KEYSTORE_SNAPSHOT, two) && before(one));
	still_pass(50);
	CHECK(find(2) && before(NULL));
}

/* Pinned keys take room from those that are learned, but not all of it. */
static void
test_room(void)
{
	struct keycache cache;

	configure(80);
	CHECK(snapshot(1000, one, NULL) > 0);
	CHECK(keystore_room(&ks) == LEARNED_MAX - 1000);
	cache = keys(LEARNED_MAX - 1000 - KEYSTORE_ROOM_MIN, one, NULL);
	keystore_swap_file(&ks, &cache);
	CHECK(keystore_room(&ks) == KEYSTORE_ROOM_MIN);
	cache = keys(LEARNED_MAX, one, NULL);
	keystore_swap_file(&ks, &cache);
	CHECK(keystore_room(&ks) == KEYSTORE_ROOM_MIN);
}

int
main(void)
{
	if (sodium_init() == -1 || keystore_init(&ks) == -1)
		return (1);
	RUN(test_file_over_registry_over_snapshot_over_cache);
	RUN(test_old_and_stale);
	RUN(test_grace);
	RUN(test_a_stale_key_has_no_grace);
	RUN(test_the_grace_is_of_the_key_that_served);
	RUN(test_not_found);
	RUN(test_forced_once_in_a_while);
	RUN(test_strict);
	RUN(test_without_a_registry);
	RUN(test_room);
	return (test_failed());
}
