/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/packet.h"

static void
integers_are_big_endian(void)
{
	static const uint8_t wire[4] = { 0x01, 0x02, 0x03, 0xf4 };
	uint8_t buf[4];

	CHECK(packet_u32(wire) == 0x010203f4);
	packet_put_u32(buf, 0x010203f4);
	CHECK(memcmp(buf, wire, sizeof(wire)) == 0);
}

static void
deliver_takes_the_bytes_before_the_payload(void)
{
	static const uint8_t want[7] = { 6, 0, 0, 0x1e, 0x61, 'h', 'i' };
	uint8_t buf[16];
	uint8_t *packet;

	memset(buf, 0xee, sizeof(buf));
	memcpy(buf + 9, "hi", 2);
	packet = packet_deliver(buf + 9, 7777);
	CHECK(packet == buf + 4);
	CHECK(memcmp(packet, want, sizeof(want)) == 0);
	CHECK(buf[3] == 0xee);
}

static void
deliver_dest_names_both(void)
{
	static const uint8_t want[10] = { 9, 0, 0, 0, 1, 0, 0, 0, 2, 'x' };
	uint8_t buf[10] = { [9] = 'x' };

	CHECK(packet_deliver_dest(buf + 9, 1, 2) == buf);
	CHECK(memcmp(buf, want, sizeof(want)) == 0);
}

static void
v4_mapped_addresses_go_out_as_four_bytes(void)
{
	static const uint8_t addr[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	static const uint8_t want[8] = { 2, 4, 192, 0, 2, 1, 0x1f, 0x90 };
	uint8_t buf[PACKET_ADDRESS_MAX];

	CHECK(packet_address(buf, PACKET_DISCOVER_REPLY, addr, 8080) == 8);
	CHECK(memcmp(buf, want, sizeof(want)) == 0);
}

static void
v6_addresses_go_out_whole(void)
{
	static const uint8_t addr[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	uint8_t buf[PACKET_ADDRESS_MAX];

	CHECK(packet_address(buf, PACKET_PUNCH_COMMAND, addr, 1) == 20);
	CHECK(buf[0] == 4 && buf[1] == 16);
	CHECK(memcmp(buf + 2, addr, 16) == 0);
	CHECK(buf[18] == 0 && buf[19] == 1);
}

int
main(void)
{
	RUN(integers_are_big_endian);
	RUN(deliver_takes_the_bytes_before_the_payload);
	RUN(deliver_dest_names_both);
	RUN(v4_mapped_addresses_go_out_as_four_bytes);
	RUN(v6_addresses_go_out_whole);
	return (test_failed());
}
