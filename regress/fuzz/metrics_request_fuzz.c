/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "metrics/request.h"
#include "regress/fuzz/fuzz.h"

/* An answer stays the answer, whatever follows, and comes in time. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request part, whole;
	const char *text;
	size_t n;
	int answered;

	text = (const char *)data;
	if (size > REQUEST_MAX)
		size = REQUEST_MAX;
	if (request_parse(text, size, &whole) == 0) {
		REQUIRE(size < REQUEST_MAX);
		REQUIRE(memmem(text, size, "\r\n\r\n", 4) == NULL);
		return (0);
	}
	REQUIRE(whole.status == 200 || whole.status == 400 ||
		whole.status == 404 || whole.status == 405);
	REQUIRE(whole.status != 200 || whole.target != TARGET_NONE);
	answered = 0;
	for (n = 0; n <= size; n++) {
		if (request_parse(text, n, &part) == 0) {
			REQUIRE(!answered);
			continue;
		}
		answered = 1;
		REQUIRE(memcmp(&part, &whole, sizeof(part)) == 0);
	}
	return (0);
}
