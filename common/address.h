/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdint.h>
#include <string.h>

/*
 * An address as all processes speak of it: 16 bytes, IPv6 or v4-mapped, in
 * network order.
 */
static inline int
address_is_v4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	return (memcmp(addr, mapped, sizeof(mapped)) == 0);
}

/* 127.0.0.0/8 and ::1. */
static inline int
address_is_loopback(const uint8_t addr[16])
{
	static const uint8_t v6[16] = { [15] = 1 };

	return (address_is_v4(addr) ? addr[12] == 127
				    : memcmp(addr, v6, sizeof(v6)) == 0);
}

/*
 * Keyed, so that nobody can choose addresses that share a place.  Here, since
 * every datagram passes.
 */
static inline uint32_t
address_hash(const uint64_t key[2], const uint8_t addr[16], uint32_t port)
{
	unsigned __int128 m;
	uint64_t a, b;

	memcpy(&a, addr, sizeof(a));
	memcpy(&b, addr + sizeof(a), sizeof(b));
	m = (unsigned __int128)(a ^ key[0]) *
	    (b ^ key[1] ^ ((uint64_t)port << 48));
	a = (uint64_t)m ^ (uint64_t)(m >> 64);
	m = (unsigned __int128)(a ^ key[1]) * 0x9e3779b97f4a7c15ULL;
	return ((uint32_t)((uint64_t)m ^ (uint64_t)(m >> 64)));
}

void address_customer(uint8_t[16], const uint8_t[16]);
int address_within(const uint8_t[16], const uint8_t[16], uint32_t);

#endif /* COMMON_ADDRESS_H */
