/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_PACKET_H
#define WORKER_PACKET_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Beacon packets, doc/protocol.md 4.  All integers are big-endian. */
enum packet_type {
	PACKET_DISCOVER = 0x01,
	PACKET_DISCOVER_REPLY = 0x02,
	PACKET_PUNCH_REQUEST = 0x03,
	PACKET_PUNCH_COMMAND = 0x04,
	PACKET_RELAY = 0x05,
	PACKET_DELIVER = 0x06,
	PACKET_SYNC = 0x07,
	PACKET_DISCOVER_EX = 0x08,
	PACKET_DELIVER_DEST = 0x09,
	PACKET_NOTIFY = 0x0a
};

/* Bytes before the payload, or of the whole packet without optional parts. */
#define PACKET_DISCOVER_LEN     5
#define PACKET_DISCOVER_KEY_LEN 37
#define PACKET_PUNCH_LEN        9
#define PACKET_PUNCH_GRANT_LEN  81
#define PACKET_RELAY_LEN        9
#define PACKET_DELIVER_LEN      5
#define PACKET_DELIVER_DEST_LEN 9
#define PACKET_SYNC_LEN         7
#define PACKET_ADDRESS_MAX      20 /* DiscoverReply or PunchCommand */

/* Where every packet passes, calls would cost more than what they do. */

static inline uint32_t
packet_u32(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return (be32toh(n));
}

static inline void
packet_put_u32(uint8_t *p, uint32_t n)
{
	n = htobe32(n);
	memcpy(p, &n, sizeof(n));
}

/* Writes a RelayDeliver header before payload; returns where it begins. */
static inline uint8_t *
packet_deliver(uint8_t *payload, uint32_t sender)
{
	uint8_t *packet;

	packet = payload - PACKET_DELIVER_LEN;
	packet[0] = PACKET_DELIVER;
	packet_put_u32(packet + 1, sender);
	return (packet);
}

uint8_t *packet_deliver_dest(uint8_t *, uint32_t sender, uint32_t dest);
size_t packet_address(uint8_t *, enum packet_type, const uint8_t[16], uint16_t);

#endif /* WORKER_PACKET_H */
