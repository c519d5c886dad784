/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <stdint.h>
#include <string.h>

#include "common/fold.h"

#define ADDRESS_TEXT_LEN (INET6_ADDRSTRLEN + sizeof("[]:65535"))

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

/* The v4-mapped form of the four bytes at v4, in network order. */
static inline void
address_map(uint8_t addr[16], const void *v4)
{
	memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
	memcpy(addr + 12, v4, 4);
}

/*
 * That of a struct sockaddr_in or sockaddr_in6, whatever its alignment.
 * Returns the port, in host order.
 */
static inline uint16_t
address_of(const void *sockaddr, uint8_t addr[16])
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	memcpy(&four, sockaddr, sizeof(four));
	if (four.sin_family == AF_INET) {
		address_map(addr, &four.sin_addr);
		return (ntohs(four.sin_port));
	}
	memcpy(&six, sockaddr, sizeof(six));
	memcpy(addr, &six.sin6_addr, 16);
	return (ntohs(six.sin6_port));
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
	uint64_t a, b;

	memcpy(&a, addr, sizeof(a));
	memcpy(&b, addr + sizeof(a), sizeof(b));
	a = fold(a ^ key[0], b ^ key[1] ^ ((uint64_t)port << 48));
	return ((uint32_t)fold(a ^ key[1], 0x9e3779b97f4a7c15ULL));
}

int address_parse(const char *text, uint8_t addr[16]);
const char *address_host(const uint8_t addr[16], char text[ADDRESS_TEXT_LEN]);
const char *address_text(
    const uint8_t addr[16], uint32_t port, char text[ADDRESS_TEXT_LEN]);
void address_customer(uint8_t[16], const uint8_t[16]);
void address_network(uint8_t net[16], const uint8_t addr[16], uint32_t prefix);
int address_network_parse(const char *text, uint8_t net[16], uint32_t *prefix);
const char *address_network_text(
    const uint8_t net[16], uint32_t prefix, char text[ADDRESS_TEXT_LEN]);
int address_within(const uint8_t addr[16], const uint8_t net[16], uint32_t);

#endif /* COMMON_ADDRESS_H */
