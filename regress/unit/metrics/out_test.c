/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/out.h"
#include "regress/unit/test.h"

static char data[20];
static struct out out;

static void
begin(size_t size)
{
	memset(data, 'x', sizeof(data));
	out = (struct out){ data, size, 0, 0 };
}

static void
test_one_behind_the_other(void)
{
	begin(10);
	out_printf(&out, "%d-", 12);
	out_printf(&out, "%s", "");
	out_printf(&out, "%s", "abcdef");
	CHECK(!out.full && out.len == 9 && strcmp(data, "12-abcdef") == 0);
}

/* What does not fit whole is left out, and so is all behind it. */
static void
test_full(void)
{
	begin(10);
	out_printf(&out, "123456789");
	CHECK(!out.full && out.len == 9);
	out_printf(&out, "0");
	CHECK(out.full && out.len == 9 && data[10] == 'x');
	begin(10);
	out_printf(&out, "1234567890");
	CHECK(out.full && out.len == 0 && data[10] == 'x');
	out_printf(&out, "1");
	CHECK(out.len == 0);
}

int
main(void)
{
	RUN(test_one_behind_the_other);
	RUN(test_full);
	return (test_failed());
}
