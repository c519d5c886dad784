/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"
#include "worker/beacon_table.h"

static struct beacon_table *table;

static void
at(uint32_t number, uint8_t host, uint16_t port)
{
	struct path path;

	path = parts_path(host, port);
	beacon_table_set(table, number, &path);
}

static int
has(uint8_t host, uint16_t port)
{
	struct endpoint end;

	end = parts_endpoint(host, port);
	return (beacon_table_has(table, end.addr, port) != 0);
}

static void
test_by_port_and_by_host(void)
{
	CHECK(!has(1, 4000) && !has(1, 0));
	at(0, 1, 4000);
	CHECK(has(1, 4000) && has(1, 0) && !has(1, 4001) && !has(2, 4000));
	/* Two on one host: it is one until both are gone. */
	at(1, 1, 4001);
	at(0, 0, 0);
	CHECK(!has(1, 4000) && has(1, 4001) && has(1, 0));
	at(1, 0, 0);
	CHECK(!has(1, 0) && table->count == 0);
}

/* Gossip is not taken from the default beacon's other ports. */
static void
test_the_default_has_no_host(void)
{
	at(BEACON_DEFAULT, 1, 4000);
	CHECK(has(1, 4000) && !has(1, 0));
	at(3, 1, 4000);
	CHECK(has(1, 0));
	at(BEACON_DEFAULT, 0, 0);
	CHECK(has(1, 4000) && has(1, 0));
	at(3, 0, 0);
	CHECK(!has(1, 4000) && table->count == 0);
}

/* The same number again: where it was is nobody's. */
static void
test_a_number_moves(void)
{
	at(5, 1, 4000);
	at(5, 2, 4000);
	CHECK(!has(1, 4000) && !has(1, 0) && has(2, 4000));
	at(5, 2, 4000);
	CHECK(has(2, 4000) && table->count == 1);
	at(5, 0, 0);
	at(5, 0, 0);
	CHECK(!has(2, 4000) && table->count == 0);
}

/* In every bucket are some; each leaves its chain and no other does. */
static void
test_full_and_empty_again(void)
{
	uint32_t i;

	for (i = 0; i < BEACON_NUMBERS; i++)
		at(i, (uint8_t)(i % 200), (uint16_t)(1 + i));
	CHECK(table->count == BEACON_NUMBERS);
	for (i = 0; i < BEACON_NUMBERS; i += 2)
		at(i, 0, 0);
	for (i = 0; i < BEACON_NUMBERS; i++)
		CHECK(
		    has((uint8_t)(i % 200), (uint16_t)(1 + i)) == (int)(i % 2));
	for (i = 1; i < BEACON_NUMBERS; i += 2)
		at(i, 0, 0);
	CHECK(table->count == 0 && !has(1, 0));
}

int
main(void)
{
	table = beacon_table_new();
	RUN(test_by_port_and_by_host);
	RUN(test_the_default_has_no_host);
	RUN(test_a_number_moves);
	RUN(test_full_and_empty_again);
	return (test_failed());
}
