/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "regress/unit/test.h"
#include "worker/limit.h"

static struct source_table *table;

/* A v4-mapped address that differs by n. */
static void
v4(uint8_t addr[16], uint32_t n)
{
	memset(addr, 0, 16);
	addr[10] = addr[11] = 0xff;
	memcpy(addr + 12, &n, sizeof(n));
}

static void
counts_up_to_the_limit_each_second(void)
{
	uint8_t addr[16];
	int i;

	v4(addr, 1);
	for (i = 0; i < 5; i++)
		CHECK(limit_source(table, addr, 7, 100, 5));
	CHECK(!limit_source(table, addr, 7, 100, 5));
	CHECK(limit_source(table, addr, 7, 101, 5));
}

static void
zero_is_no_limit(void)
{
	uint8_t addr[16];
	int i;

	v4(addr, 2);
	for (i = 0; i < 100; i++)
		CHECK(limit_source(table, addr, 7, 100, 0));
}

static void
ports_are_sources_of_their_own(void)
{
	uint8_t addr[16];

	v4(addr, 3);
	CHECK(limit_source(table, addr, 1, 100, 1));
	CHECK(!limit_source(table, addr, 1, 100, 1));
	CHECK(limit_source(table, addr, 2, 100, 1));
}

static void
customers_are_v4_addresses_and_v6_networks(void)
{
	uint8_t addr[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint8_t a[16], b[16];

	v4(a, 4);
	v4(b, 5);
	CHECK(limit_customer(table, a, 100, 1));
	CHECK(limit_customer(table, b, 100, 1));
	CHECK(!limit_customer(table, a, 100, 1));
	CHECK(limit_customer(table, addr, 100, 1));
	addr[15] = 9; /* same /64 */
	CHECK(!limit_customer(table, addr, 100, 1));
	addr[7] = 1; /* another */
	CHECK(limit_customer(table, addr, 100, 1));
	/* As a source without a port. */
	CHECK(!limit_source(table, a, 0, 100, 1));
}

static void
packets_and_their_bytes_are_counted_apart(void)
{
	struct msg_settings most = { .source_packet_limit = 3,
		.source_byte_limit = 100 };
	struct endpoint from;

	v4(from.addr, 6);
	from.port = 7;
	CHECK(limit_packet(table, &from, 100, 60, &most) == LIMIT_WITHIN);
	/* What does not fit takes nothing from what does. */
	CHECK(limit_packet(table, &from, 100, 41, &most) == LIMIT_BYTES);
	CHECK(limit_packet(table, &from, 100, 40, &most) == LIMIT_WITHIN);
	CHECK(limit_packet(table, &from, 100, 1, &most) == LIMIT_BYTES);
	CHECK(limit_packet(table, &from, 100, 0, &most) == LIMIT_WITHIN);
	CHECK(limit_packet(table, &from, 100, 0, &most) == LIMIT_PACKETS);
	CHECK(limit_packet(table, &from, 101, 101, &most) == LIMIT_BYTES);
	CHECK(limit_packet(table, &from, 101, 100, &most) == LIMIT_WITHIN);
	most.source_byte_limit = 0;
	CHECK(limit_packet(table, &from, 101, 65507, &most) == LIMIT_WITHIN);
	most.source_packet_limit = 0;
	CHECK(limit_packet(table, &from, 101, 65507, &most) == LIMIT_WITHIN);
}

static void
either_limit_alone(void)
{
	struct msg_settings packets = { .source_packet_limit = 1 };
	struct msg_settings bytes = { .source_byte_limit = 1 };
	struct endpoint from;

	v4(from.addr, 8);
	from.port = 7;
	CHECK(limit_packet(table, &from, 100, 60, &packets) == LIMIT_WITHIN);
	CHECK(limit_packet(table, &from, 100, 60, &packets) == LIMIT_PACKETS);
	from.port = 8;
	CHECK(limit_packet(table, &from, 100, 2, &bytes) == LIMIT_BYTES);
	CHECK(limit_packet(table, &from, 100, 1, &bytes) == LIMIT_WITHIN);
	CHECK(limit_packet(table, &from, 100, 0, &bytes) == LIMIT_WITHIN);
	CHECK(limit_packet(table, &from, 100, 1, &bytes) == LIMIT_BYTES);
}

/* Nor does anybody lose a place for it. */
static void
without_a_limit_nobody_is_counted(void)
{
	static const struct source none[LIMIT_SETS][LIMIT_WAYS];
	static const struct msg_settings settings;
	struct source_table *other;
	struct endpoint from;

	other = limit_new();
	v4(from.addr, 9);
	from.port = 7;
	CHECK(limit_packet(other, &from, 100, 60, &settings) == LIMIT_WITHIN);
	CHECK(memcmp(other->sets, none, sizeof(none)) == 0);
}

/* A flood of sources takes no memory and shuts nobody out. */
static void
a_flood_of_sources_lets_new_ones_in(void)
{
	uint8_t addr[16];
	uint32_t i;

	for (i = 0; i < 200000; i++) {
		v4(addr, i + 1000);
		CHECK(limit_source(table, addr, 7, 200, 1));
	}
}

/* After that flood each set is full; behind them the last page is empty. */
static void
the_whole_table_is_used_and_nothing_behind_it(void)
{
	static const struct source none[LIMIT_WAYS];
	uint32_t i, j;

	for (i = 0; i < LIMIT_SETS; i++)
		for (j = 0; j < LIMIT_WAYS; j++)
			CHECK(table->sets[i][j].port != 0);
	CHECK(memcmp(table + 1, none, sizeof(none)) == 0);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	table = limit_new();
	RUN(counts_up_to_the_limit_each_second);
	RUN(zero_is_no_limit);
	RUN(ports_are_sources_of_their_own);
	RUN(customers_are_v4_addresses_and_v6_networks);
	RUN(packets_and_their_bytes_are_counted_apart);
	RUN(either_limit_alone);
	RUN(without_a_limit_nobody_is_counted);
	RUN(a_flood_of_sources_lets_new_ones_in);
	RUN(the_whole_table_is_used_and_nothing_behind_it);
	return (test_failed());
}
