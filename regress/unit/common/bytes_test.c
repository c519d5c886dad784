/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/bytes.h"

#include "regress/unit/test.h"

static void
test_first_in_first_out(void)
{
	struct bytes b;
	uint8_t byte;
	size_t i, in, out, round;

	memset(&b, 0, sizeof(b));
	in = out = 0;
	for (round = 1; round < 300; round++) {
		for (i = 0; i < round; i++, in++) {
			byte = in & 0xff;
			CHECK(bytes_add(&b, &byte, 1, 16) == 0);
		}
		CHECK(b.len >= round / 2);
		for (i = 0; i < round / 2 + 1; i++, out++) {
			CHECK(*bytes_first(&b) == (out & 0xff));
			bytes_take(&b, 1);
		}
	}
	while (b.len > 0) {
		CHECK(*bytes_first(&b) == (out++ & 0xff));
		bytes_take(&b, 1);
	}
	CHECK(in == out && b.head == 0);
	bytes_free(&b);
	CHECK(b.data == NULL && b.size == 0);
}

static void
test_room_doubles_and_is_used_again(void)
{
	struct bytes b;
	uint8_t some[100] = { 0 };

	memset(&b, 0, sizeof(b));
	CHECK(bytes_add(&b, some, 0, 64) == 0 && b.data == NULL);
	CHECK(bytes_add(&b, some, 10, 64) == 0 && b.size == 64);
	CHECK(bytes_add(&b, some, 100, 64) == 0 && b.size == 128);
	bytes_take(&b, 90);
	CHECK(bytes_add(&b, some, 100, 64) == 0);
	CHECK(b.size == 128 && b.head == 0 && b.len == 120);
	bytes_free(&b);
}

int
main(void)
{
	RUN(test_first_in_first_out);
	RUN(test_room_doubles_and_is_used_again);
	return (test_failed());
}
