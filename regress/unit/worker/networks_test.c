/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "regress/unit/test.h"
#include "worker/networks.h"

static struct networks networks;

/* Returns boolean: it was taken. */
static int
take(const char *text, uint16_t prefix)
{
	struct msg_address msg;

	memset(&msg, 0, sizeof(msg));
	if (text != NULL && !address_parse(text, msg.addr))
		return (0);
	msg.prefix = prefix;
	return (networks_take(&networks, &msg) == NULL);
}

static int
has(const char *text)
{
	uint8_t addr[16];

	return (address_parse(text, addr) && networks_have(&networks, addr));
}

static void
none_at_first(void)
{
	CHECK(!has("127.0.0.1") && !has("::1") && !has("::"));
}

static void
a_list_counts_when_it_is_whole(void)
{
	CHECK(take("192.0.2.0", 96 + 24) && take("2001:db8::", 32));
	CHECK(!has("192.0.2.7"));
	CHECK(take(NULL, PROTO_PREFIX_NONE));
	CHECK(has("192.0.2.7") && has("192.0.2.255") && has("2001:db8::1"));
	CHECK(!has("192.0.3.0") && !has("2001:db9::"));
	CHECK(!has("::c000:207"));
	CHECK(take("198.51.100.7", 128));
	CHECK(has("192.0.2.7") && !has("198.51.100.7"));
	CHECK(take(NULL, PROTO_PREFIX_NONE));
	CHECK(!has("192.0.2.7") && has("198.51.100.7"));
	CHECK(take(NULL, PROTO_PREFIX_NONE));
	CHECK(!has("198.51.100.7"));
}

static void
so_many_and_no_more(void)
{
	int i;

	CHECK(!take("::", 129));
	for (i = 0; i < NETWORKS_MAX; i++)
		CHECK(take("192.0.2.1", 128));
	CHECK(!take("192.0.2.1", 128));
	CHECK(take(NULL, PROTO_PREFIX_NONE) && has("192.0.2.1"));
}

int
main(void)
{
	RUN(none_at_first);
	RUN(a_list_counts_when_it_is_whole);
	RUN(so_many_and_no_more);
	return (test_failed());
}
