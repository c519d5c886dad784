/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>

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

/* The first `prefix` bits, 0 to 128, of addr; the others are zero. */
void
address_network(uint8_t net[16], const uint8_t addr[16], uint32_t prefix)
{
	uint32_t bytes;

	bytes = prefix / 8;
	memset(net, 0, 16);
	memcpy(net, addr, bytes);
	if (prefix % 8 != 0)
		net[bytes] = addr[bytes] & (uint8_t)(0xff00U >> prefix % 8);
}

/*
 * "192.0.2.0/24" or "2001:db8::1": net without the bits behind the prefix, and
 * that, of the 16-byte form.  Returns 1, or 0 if it is no network.
 */
int
address_network_parse(const char *text, uint8_t net[16], uint32_t *prefix)
{
	char host[ADDRESS_TEXT_LEN];
	const char *errstr, *slash;
	uint8_t addr[16];
	size_t len;
	int v4;

	slash = strchr(text, '/');
	len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	if (len >= sizeof(host))
		return (0);
	memcpy(host, text, len);
	host[len] = '\0';
	if (!address_parse(host, addr))
		return (0);
	v4 = strchr(host, ':') == NULL;
	*prefix = 128;
	if (slash != NULL) {
		*prefix =
		    (uint32_t)strtonum(slash + 1, 0, v4 ? 32 : 128, &errstr);
		if (errstr != NULL)
			return (0);
		*prefix += v4 ? 96 : 0;
	}
	address_network(net, addr, *prefix);
	return (1);
}

/* The shortest that address_network_parse() reads as the same. */
const char *
address_network_text(
    const uint8_t net[16], uint32_t prefix, char text[ADDRESS_TEXT_LEN])
{
	size_t len;
	int v4;

	(void)address_host(net, text);
	v4 = address_is_v4(net) && prefix >= 96;
	len = strlen(text);
	if (prefix != 128)
		(void)snprintf(text + len, ADDRESS_TEXT_LEN - len, "/%u",
		    v4 ? prefix - 96 : prefix);
	return (text);
}
