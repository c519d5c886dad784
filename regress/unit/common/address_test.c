/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include "common/address.h"
#include "regress/unit/test.h"

/* The address that the text means, in the form that all processes use. */
static const uint8_t *
address(const char *text)
{
	static uint8_t rooms[4][16];
	static int used;
	char mapped[INET6_ADDRSTRLEN];
	uint8_t *addr;

	addr = rooms[used++ % 4];
	(void)snprintf(mapped, sizeof(mapped), "%s%s",
	    strchr(text, ':') == NULL ? "::ffff:" : "", text);
	if (inet_pton(AF_INET6, mapped, addr) != 1)
		abort();
	return (addr);
}

static int
customer(const char *text, const char *net)
{
	uint8_t got[16];

	address_customer(got, address(text));
	return (memcmp(got, address(net), sizeof(got)) == 0);
}

static int
within(const char *text, const char *net, uint32_t prefix)
{
	return (address_within(address(text), address(net), prefix));
}

static void
test_v4(void)
{
	CHECK(address_is_v4(address("192.0.2.1")));
	CHECK(address_is_v4(address("0.0.0.0")));
	CHECK(!address_is_v4(address("::")) && !address_is_v4(address("::1")));
	CHECK(!address_is_v4(address("::fffe:c000:201")));
	CHECK(!address_is_v4(address("2001:db8::ffff:c000:201")));
}

static void
test_customer(void)
{
	CHECK(customer("192.0.2.1", "192.0.2.1"));
	CHECK(customer("2001:db8::1:2:3:4", "2001:db8::"));
	CHECK(customer("2001:db8:0:1:ffff::", "2001:db8:0:1::"));
	CHECK(customer("::1", "::"));
}

static void
test_within(void)
{
	CHECK(within("192.0.2.1", "192.0.2.1", 128));
	CHECK(!within("192.0.2.2", "192.0.2.1", 128));
	CHECK(within("192.0.2.2", "192.0.2.0", 96 + 30));
	CHECK(!within("192.0.2.4", "192.0.2.0", 96 + 30));
	CHECK(within("192.0.3.255", "192.0.2.0", 96 + 23));
	CHECK(within("2001:db8::1", "2001:db8::", 32));
	CHECK(!within("2001:db9::1", "2001:db8::", 32));
	CHECK(within("2001:db9::1", "2001:db8::", 31));
	CHECK(within("192.0.2.1", "::", 0) && within("::1", "::", 0));
	CHECK(!within("::1", "0.0.0.0", 96));
}

/* Ports, networks and keys make a difference, in all bits that are used. */
static void
test_hash(void)
{
	static const uint64_t key[2] = { 0x243f6a8885a308d3,
		0x13198a2e03707344 };
	static const uint64_t other[2] = { 0x243f6a8885a308d3, 5 };
	uint32_t buckets[64], i, most;
	char text[16];

	memset(buckets, 0, sizeof(buckets));
	for (most = i = 0; i < 64 * 256; i++) {
		(void)snprintf(
		    text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
		most = ++buckets[address_hash(key, address(text), 0) % 64];
		CHECK(most < 400);
	}
	CHECK(address_hash(key, address("::1"), 1) !=
	      address_hash(key, address("::1"), 2));
	CHECK(address_hash(key, address("::1"), 1) !=
	      address_hash(other, address("::1"), 1));
}

int
main(void)
{
	RUN(test_v4);
	RUN(test_customer);
	RUN(test_within);
	RUN(test_hash);
	return (test_failed());
}
