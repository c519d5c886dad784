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

static void
test_text(void)
{
	static const struct {
		const char *text;
		uint32_t port;
		const char *printed;
	} cases[] = {
		{ "192.0.2.1", 80, "192.0.2.1:80" },
		{ "192.0.2.1", 0, "192.0.2.1:0" },
		{ "::ffff:192.0.2.1", 65535, "192.0.2.1:65535" },
		{ "2001:db8::1", 80, "[2001:db8::1]:80" },
		{ "::", 0, "[::]:0" },
	};
	char text[ADDRESS_TEXT_LEN];
	uint8_t addr[16];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(address_parse(cases[i].text, addr));
		CHECK(strcmp(address_text(addr, cases[i].port, text),
			  cases[i].printed) == 0);
	}
	CHECK(strcmp(address_host(addr, text), "::") == 0);
	CHECK(!address_parse("example.org", addr));
	CHECK(!address_parse("1.2.3", addr));
	CHECK(!address_parse("", addr));
}

static void
test_of(void)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	uint8_t addr[16], want[16];

	memset(&four, 0, sizeof(four));
	four.sin_family = AF_INET;
	four.sin_port = htons(4000);
	four.sin_addr.s_addr = htonl(0xc0000201);
	CHECK(address_of(&four, addr) == 4000);
	CHECK(address_parse("192.0.2.1", want));
	CHECK(memcmp(addr, want, 16) == 0);
	memset(&six, 0, sizeof(six));
	six.sin6_family = AF_INET6;
	six.sin6_port = htons(4001);
	CHECK(address_parse("2001:db8::7", want));
	memcpy(&six.sin6_addr, want, 16);
	CHECK(address_of(&six, addr) == 4001);
	CHECK(memcmp(addr, want, 16) == 0);
}

int
main(void)
{
	RUN(test_v4);
	RUN(test_customer);
	RUN(test_within);
	RUN(test_hash);
	RUN(test_text);
	RUN(test_of);
	return (test_failed());
}
