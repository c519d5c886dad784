/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The key file: any bytes.  The first says where the rest is cut into chunks,
 * which must make no difference; what comes out is sorted and can be found.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "auth/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_in_chunks(struct keyfile *kf, const char *data, size_t size, size_t chunk)
{
	size_t n;

	keyfile_begin(kf, -1, "fuzz");
	for (; size > 0; size -= n, data += n) {
		n = size < chunk ? size : chunk;
		if (keyfile_feed(kf, data, n) == -1)
			abort();
	}
	if (keyfile_end(kf) == -1)
		abort();
}

static void
check(const struct keyfile *kf)
{
	const struct keycache_entry *entries;
	uint32_t i;

	entries = kf->cache.entries;
	for (i = 0; i < kf->cache.count; i++) {
		if (entries[i].node == 0 ||
		    (i > 0 && entries[i - 1].node >= entries[i].node))
			abort();
		if (keycache_find(&kf->cache, entries[i].node) !=
		    entries[i].key)
			abort();
	}
	if ((uint64_t)kf->cache.count + kf->bad > kf->line)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keyfile one, other;

	/* A child's log without a parent: to nowhere. */
	log_init("fuzz", LOG_TO_PARENT);
	if (size < 2)
		return (0);
	read_in_chunks(&one, (const char *)data + 1, size - 1, size);
	read_in_chunks(
	    &other, (const char *)data + 1, size - 1, (size_t)data[0] + 1);
	check(&one);
	if (one.bad != other.bad || one.cache.count != other.cache.count)
		abort();
	if (one.cache.count > 0 &&
	    memcmp(one.cache.entries, other.cache.entries,
		one.cache.count * sizeof(*one.cache.entries)) != 0)
		abort();
	keyfile_close(&one);
	keyfile_close(&other);
	return (0);
}
