/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <stdio.h>

#include "common/address.h"

/* What one customer of a network has: an IPv4 address, or an IPv6 /64. */
void
address_customer(uint8_t net[16], const uint8_t addr[16])
{
	memcpy(net, addr, 16);
	if (!address_is_v4(addr))
		memset(net + 8, 0, 8);
}

/* Of an IPv4 or IPv6 address in numbers.  Returns 1, or 0 if it is none. */
int
address_parse(const char *text, uint8_t addr[16])
{
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1) {
		address_map(addr, &four);
		return (1);
	}
	return (inet_pton(AF_INET6, text, addr) == 1);
}

/* "192.0.2.1" or "2001:db8::1".  Returns text. */
const char *
address_host(const uint8_t addr[16], char text[ADDRESS_TEXT_LEN])
{
	int v4;

	v4 = address_is_v4(addr);
	(void)inet_ntop(v4 ? AF_INET : AF_INET6, addr + (v4 ? 12 : 0), text,
	    ADDRESS_TEXT_LEN);
	return (text);
}

/* "192.0.2.1:80" or "[2001:db8::1]:80".  Returns text. */
const char *
address_text(const uint8_t addr[16], uint32_t port, char text[ADDRESS_TEXT_LEN])
{
	char host[ADDRESS_TEXT_LEN];
	int v4;

	v4 = address_is_v4(addr);
	(void)address_host(addr, host);
	(void)snprintf(text, ADDRESS_TEXT_LEN, "%s%.*s%s:%u", v4 ? "" : "[",
	    INET6_ADDRSTRLEN, host, v4 ? "" : "]", port);
	return (text);
}

/* Is addr in the network of `prefix` bits, 0 to 128, of the 16-byte form? */
int
address_within(const uint8_t addr[16], const uint8_t net[16], uint32_t prefix)
{
	uint32_t bits, bytes;
	uint8_t mask;

	bytes = prefix / 8;
	bits = prefix % 8;
	mask = (uint8_t)(0xff00U >> bits);
	return (memcmp(net, addr, bytes) == 0 &&
		(bits == 0 || ((net[bytes] ^ addr[bytes]) & mask) == 0));
}
