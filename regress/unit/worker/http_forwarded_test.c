/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "regress/unit/test.h"
#include "worker/http_address.h"

/* Whom a proxy names in X-Forwarded-For; "" for nobody. */
static const char *
named(const char *list)
{
	static char out[ADDRESS_TEXT_LEN];
	uint8_t addr[16];
	struct text t;

	t.p = (const uint8_t *)list;
	t.len = strlen(list);
	if (!http_forwarded(t, addr))
		return ("");
	return (address_host(addr, out));
}

#define NAMED(list, addr) (strcmp(named(list), addr) == 0)

static void
test_one_address_with_or_without_a_port(void)
{
	CHECK(NAMED("192.0.2.1", "192.0.2.1"));
	CHECK(NAMED("192.0.2.1:80", "192.0.2.1"));
	CHECK(NAMED(" \t192.0.2.1 ", "192.0.2.1"));
	CHECK(NAMED("2001:db8::1", "2001:db8::1"));
	CHECK(NAMED("[2001:db8::1]", "2001:db8::1"));
	CHECK(NAMED("[2001:db8::1]:80", "2001:db8::1"));
	/* One client, however it is written. */
	CHECK(NAMED("::ffff:192.0.2.1", "192.0.2.1"));
}

/* What the client itself has put before it counts for nothing. */
static void
test_the_last_of_a_list(void)
{
	CHECK(NAMED("192.0.2.9, 192.0.2.1", "192.0.2.1"));
	CHECK(NAMED("nonsense,192.0.2.1", "192.0.2.1"));
	CHECK(NAMED("192.0.2.9, [::2]:1", "::2"));
	CHECK(NAMED("192.0.2.9, nonsense", ""));
	CHECK(NAMED("192.0.2.9,", "") && NAMED("192.0.2.9, ", ""));
}

static void
test_what_is_no_address(void)
{
	static const char *const bad[] = { "", " ", ",", "unknown", "_x",
		"192.0.2", "192.0.2.256", "192.0.2.1.1", "[", "[]", "[::1x",
		"::g", ":80", "192.0.2.1:80:90", "192.0.2.1 x",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!NAMED(bad[i], "")) {
			printf("# %s: %s\n", bad[i], named(bad[i]));
			CHECK(!"no address");
		}
}

int
main(void)
{
	RUN(test_one_address_with_or_without_a_port);
	RUN(test_the_last_of_a_list);
	RUN(test_what_is_no_address);
	return (test_failed());
}
