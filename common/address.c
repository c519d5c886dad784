/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"

/* What one customer of a network has: an IPv4 address, or an IPv6 /64. */
void
address_customer(uint8_t net[16], const uint8_t addr[16])
{
	memcpy(net, addr, 16);
	if (!address_is_v4(addr))
		memset(net + 8, 0, 8);
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
