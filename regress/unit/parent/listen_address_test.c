/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include "regress/unit/parent/parts.h"

static const struct sockaddr_storage *
address(const char *text, uint16_t port)
{
	static struct sockaddr_storage ss;
	struct sockaddr_in6 *six;
	struct sockaddr_in *four;

	memset(&ss, 0, sizeof(ss));
	six = (void *)&ss;
	four = (void *)&ss;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
			abort();
	}
	return (&ss);
}

static void
test_as_text(void)
{
	char text[LISTEN_TEXT];

	listen_text(address("192.0.2.1", 80), text);
	CHECK(strcmp(text, "192.0.2.1:80") == 0);
	listen_text(address("2001:db8::1", 65535), text);
	CHECK(strcmp(text, "[2001:db8::1]:65535") == 0);
}

static void
test_all_addresses(void)
{
	CHECK(listen_is_any(address("0.0.0.0", 1)));
	CHECK(listen_is_any(address("::", 1)));
	CHECK(!listen_is_any(address("0.0.0.1", 0)));
	CHECK(!listen_is_any(address("::1", 0)));
}

/* In IPv6's form, where an IPv4 prefix counts from bit 96 on. */
static void
test_networks(void)
{
	struct conf_address network;
	uint8_t addr[16];

	memset(&network, 0, sizeof(network));
	network.ss = *address("10.0.0.0", 0);
	network.prefix = 8;
	CHECK(listen_network(&network, addr) == 104);
	CHECK(memcmp(addr + 10, "\xff\xff\x0a\0\0\0", 6) == 0);
	network.ss = *address("2001:db8::", 0);
	network.prefix = 32;
	CHECK(listen_network(&network, addr) == 32 && addr[0] == 0x20);
	network.prefix = 0;
	CHECK(listen_network(&network, addr) == 0);
}

int
main(void)
{
	RUN(test_as_text);
	RUN(test_all_addresses);
	RUN(test_networks);
	return (test_failed());
}
