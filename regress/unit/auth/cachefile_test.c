/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <unistd.h>

#include "auth/cachefile.h"

#include "regress/unit/test.h"

#define NOW  5000000U
#define WALL 1700000000U

static struct learned from, to;
static struct cachefile c;
static uint8_t one[PROTO_KEY_LEN] = { 1 }, two[PROTO_KEY_LEN] = { 2 };
static uint8_t bytes[1 << 20];
static size_t len;

static struct learned_entry *
learn(uint32_t node, const uint8_t *key, uint32_t when, uint32_t grace)
{
	struct learned_entry *entry;

	entry = learned_add(&from, node, LEARNED_MAX);
	learned_set(entry, key, when, grace);
	return (entry);
}

/* What was learned, into `bytes`, as the parent would find it. */
static int
save(void)
{
	int fd;

	fd = memfd_create("cache", 0);
	if (fd == -1 || ftruncate(fd, PROTO_CACHE_BYTES) == -1 ||
	    cachefile_save(&c, fd, WALL, NOW) == -1)
		return (-1);
	while (cachefile_step_save(&c, &from) == 1)
		continue;
	len = cachefile_bytes(&c);
	cachefile_close(&c);
	if (len > sizeof(bytes) || pread(fd, bytes, len, 0) != (ssize_t)len)
		return (-1);
	return (close(fd));
}

/* The first n bytes, that much later. */
static int
load(size_t n, uint32_t later, uint32_t max)
{
	int fd, result;

	learned_free(&to);
	fd = memfd_create("file", 0);
	if (learned_init(&to) == -1 || fd == -1 ||
	    write(fd, bytes, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0 ||
	    cachefile_load(&c, fd, WALL + later, NOW + 3) == -1)
		return (-1);
	while ((result = cachefile_step_load(&c, &to, 1000, max)) == 1)
		continue;
	cachefile_close(&c);
	return (result);
}

static void
test_there_and_back(void)
{
	const struct learned_entry *entry;

	(void)learn(1, one, NOW - 100, 0);
	(void)learn(2, one, NOW - 300, 0);
	(void)learn(2, two, NOW - 200, 600);
	learn(3, one, NOW - 10, 0)->source = LEARNED_SNAPSHOT;
	(void)learn(4, one, NOW - 950, 0);
	learned_remove(&from, 1);
	(void)learn(5, two, NOW, 0);
	CHECK(save() == 0);
	CHECK(len == PROTO_CACHE_HEADER + 3 * PROTO_CACHE_ENTRY);
	CHECK(load(len, 60, LEARNED_MAX) == 0);
	/* Too old by now. */
	CHECK(to.count == 2 && learned_find(&to, 4) == NULL);
	entry = learned_find(&to, 2);
	CHECK(entry != NULL && entry->source == LEARNED_CACHE);
	CHECK(entry->confirmed == NOW + 3 - 260);
	CHECK(entry->previous_until == NOW + 3 + 400 - 60);
	CHECK(memcmp(entry->key, two, sizeof(two)) == 0);
	CHECK(memcmp(entry->previous, one, sizeof(one)) == 0);
	entry = learned_find(&to, 5);
	CHECK(entry != NULL && entry->previous_until == 0);
	CHECK(entry->confirmed == NOW + 3 - 60);
	/* The grace is over before it is read. */
	CHECK(load(len, 500, LEARNED_MAX) == 0);
	CHECK(learned_find(&to, 2)->previous_until == 0);
	/* A wall clock that was set back makes nothing younger. */
	CHECK(load(len, (uint32_t)-1000, LEARNED_MAX) == 0);
	CHECK(learned_find(&to, 5)->confirmed == NOW + 3);
	CHECK(load(len, 60, 1) == 0 && to.count == 1);
}

/* Any bit, any length: all of it or nothing. */
static void
test_not_whole(void)
{
	size_t i;

	for (i = 0; i < len * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(load(len, 0, LEARNED_MAX) == -1 && to.count == 0);
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < len; i++)
		CHECK(load(i, 0, LEARNED_MAX) == -1 && to.count == 0);
	memset(bytes + len, 0, PROTO_CACHE_ENTRY);
	CHECK(load(len + PROTO_CACHE_ENTRY, 0, LEARNED_MAX) == -1);
	CHECK(load(len, 0, LEARNED_MAX) == 0);
}

static void
test_many(void)
{
	uint32_t node;

	for (node = 100; node < 10100; node++)
		(void)learn(node, one, NOW, 0);
	CHECK(save() == 0);
	CHECK(load(len, 0, LEARNED_MAX) == 0 && to.count == 10003);
	CHECK(learned_find(&to, 10099) != NULL);
	/* Nothing learned is no reason to fail. */
	learned_free(&from);
	CHECK(learned_init(&from) == 0 && save() == 0);
	CHECK(load(len, 0, LEARNED_MAX) == 0 && to.count == 0);
}

static void
test_memory_of_another_size(void)
{
	int fd;

	fd = memfd_create("cache", 0);
	CHECK(ftruncate(fd, PROTO_CACHE_BYTES - 1) == 0);
	CHECK(cachefile_save(&c, fd, WALL, NOW) == -1);
	CHECK(ftruncate(fd, PROTO_CACHE_BYTES + PROTO_CACHE_ENTRY) == 0);
	CHECK(cachefile_save(&c, fd, WALL, NOW) == -1);
	CHECK(cachefile_load(&c, fd, WALL, NOW) == -1);
}

int
main(void)
{
	if (sodium_init() == -1 || learned_init(&from) == -1 ||
	    learned_init(&to) == -1)
		return (1);
	RUN(test_there_and_back);
	RUN(test_not_whole);
	RUN(test_many);
	RUN(test_memory_of_another_size);
	return (test_failed());
}
