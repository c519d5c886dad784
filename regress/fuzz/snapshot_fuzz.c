/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The registry's snapshot: any bytes.  The first says where the rest is cut
 * into chunks, which must make no difference; what comes out is sorted and can
 * be found.
 */
#include <string.h>

#include "auth/snapshot.h"
#include "regress/fuzz/fuzz.h"

static int
read_in_chunks(
    struct snapshot *s, const uint8_t *data, size_t size, size_t chunk)
{
	size_t n;

	REQUIRE(snapshot_begin(s, -1, "fuzz", 1) == 0);
	for (; size > 0; size -= n, data += n) {
		n = size < chunk ? size : chunk;
		if (snapshot_feed(s, data, n) == -1)
			return (-1);
	}
	return (snapshot_end(s));
}

static void
check(const struct snapshot *s)
{
	const struct keycache_entry *entries;
	uint32_t i;

	entries = s->cache.entries;
	REQUIRE(s->cache.count > 0 && s->depth == 0);
	for (i = 0; i < s->cache.count; i++) {
		REQUIRE(entries[i].node > (i == 0 ? 0 : entries[i - 1].node));
		REQUIRE(keycache_find(&s->cache, entries[i].node) ==
			entries[i].key);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct snapshot one, other;
	int result;

	if (size < 2)
		return (0);
	result = read_in_chunks(&one, data + 1, size - 1, size);
	REQUIRE(read_in_chunks(
		    &other, data + 1, size - 1, (size_t)data[0] + 1) == result);
	if (result == 0) {
		check(&one);
		REQUIRE(one.bad == other.bad &&
			one.cache.count == other.cache.count);
		REQUIRE(memcmp(one.cache.entries, other.cache.entries,
			    one.cache.count * sizeof(*one.cache.entries)) == 0);
	}
	snapshot_close(&one);
	snapshot_close(&other);
	return (0);
}
