/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "regress/fuzz/fuzz.h"
#include "worker/proxy_header.h"

static void
check(const struct proxy_header *header, int got, size_t size)
{
	REQUIRE((got == -1) == (header->bad != NULL));
	if (got != 1)
		return;
	REQUIRE(header->len >= 15 && header->len <= size);
	REQUIRE(header->len <= PROXY_HEADER_MAX);
	REQUIRE(header->has_client || header->port == 0);
}

/* An answer stays the answer, whatever follows, and comes in time. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header part, whole;
	size_t n;
	int answer, got;

	answer = proxy_header_parse(data, size, &whole);
	check(&whole, answer, size);
	REQUIRE(answer != 0 || size < PROXY_HEADER_MAX);
	for (n = 0; n < size && n <= PROXY_HEADER_MAX; n++) {
		got = proxy_header_parse(data, n, &part);
		if (got == 0) {
			REQUIRE(answer != 1 || n < whole.len);
			continue;
		}
		/* No earlier than its end is a good one known to be good. */
		REQUIRE(got == -1 || n >= whole.len);
		REQUIRE(got == answer && part.len == whole.len &&
			part.port == whole.port && part.bad == whole.bad &&
			part.has_client == whole.has_client &&
			memcmp(part.addr, whole.addr, 16) == 0);
		break;
	}
	return (0);
}
