/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/address.h"
#include "worker/packet.h"

/* Writes a RelayDeliverDest header before payload; as packet_deliver(). */
uint8_t *
packet_deliver_dest(uint8_t *payload, uint32_t sender, uint32_t dest)
{
	uint8_t *packet;

	packet = payload - PACKET_DELIVER_DEST_LEN;
	packet[0] = PACKET_DELIVER_DEST;
	packet_put_u32(packet + 1, sender);
	packet_put_u32(packet + 5, dest);
	return (packet);
}

/*
 * Writes a DiscoverReply or a PunchCommand with an address (16 bytes, IPv6 or
 * v4-mapped, which goes out as 4) and a port in host order to buf, which has
 * room for PACKET_ADDRESS_MAX.  Returns its length.
 */
size_t
packet_address(
    uint8_t *buf, enum packet_type type, const uint8_t addr[16], uint16_t port)
{
	size_t iplen;

	iplen = address_is_v4(addr) ? 4 : 16;
	buf[0] = (uint8_t)type;
	buf[1] = (uint8_t)iplen;
	memcpy(buf + 2, addr + 16 - iplen, iplen);
	buf[2 + iplen] = (uint8_t)(port >> 8);
	buf[3 + iplen] = (uint8_t)port;
	return (4 + iplen);
}
