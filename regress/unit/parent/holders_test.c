/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <unistd.h>

#include "common/peermap.h"
#include "parent/holders.h"
#include "regress/unit/test.h"

static struct holders *all;

static int
set_up(void)
{
	all = holders_new();
	return (all == NULL ? -1 : 0);
}

/* Address n: IPv4 if it is even, else an IPv6 /64 of which `in` is one. */
static const uint8_t *
address(uint32_t n, uint32_t in)
{
	static uint8_t addr[16];

	memset(addr, 0, sizeof(addr));
	if (n % 2 == 0) {
		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, &n, sizeof(n));
	} else {
		addr[0] = 0xfd;
		memcpy(addr + 4, &n, sizeof(n));
		memcpy(addr + 12, &in, sizeof(in));
	}
	return (addr);
}

/* One network; count 0: none. */
static int
exempt(uint32_t n, uint32_t prefix, uint32_t count)
{
	struct network *net;

	net = calloc(1, sizeof(*net));
	if (net == NULL)
		return (-1);
	memcpy(net->addr, address(n, 0), sizeof(net->addr));
	net->prefix = prefix;
	holders_exempt(all, net, count);
	return (0);
}

static void
test_limit(void)
{
	uint32_t n;

	/* The same for an IPv4 address as for an IPv6 /64. */
	for (n = 2; n <= 3; n++) {
		CHECK(set_up() == 0);
		CHECK(holders_may_take(all, PEERMAP_NONE, address(n, 1), 2));
		holders_take(all, 100, address(n, 1));
		CHECK(holders_may_take(all, PEERMAP_NONE, address(n, 2), 2));
		holders_take(all, 101, address(n, 2));
		CHECK(!holders_may_take(all, PEERMAP_NONE, address(n, 3), 2));
		CHECK(!holders_may_take(all, 102, address(n, 3), 2));
		CHECK(holders_may_take(all, 102, address(n, 3), 0));
		CHECK(holders_may_take(all, 102, address(n + 2, 3), 2));
		/* What it has it may have. */
		CHECK(holders_may_take(all, 101, address(n, 3), 2));
		holders_take(all, 101, address(n + 2, 1));
		CHECK(holders_may_take(all, 102, address(n, 3), 2));
		holders_take(all, 102, address(n, 1));
		holders_drop(all, 100);
		holders_drop(all, 100);
		CHECK(holders_may_take(all, 103, address(n, 3), 2));
		holders_free(all);
	}
}

static void
test_exempt(void)
{
	uint32_t i;

	CHECK(set_up() == 0);
	CHECK(exempt(2, 128, 1) == 0);
	for (i = 0; i < 10; i++) {
		CHECK(holders_may_take(all, i, address(2, 0), 1));
		holders_take(all, i, address(2, 0));
	}
	for (i = 10; i < 12; i++)
		holders_take(all, i, address(3, 0));
	CHECK(!holders_may_take(all, i, address(3, 0), 1));
	/* Counts as one, so the other makes room. */
	CHECK(holders_next_to_go(all) == 10);
	/* A part of a /64 is all of it. */
	CHECK(exempt(3, 128, 1) == 0);
	CHECK(holders_may_take(all, i, address(3, 9), 1));
	CHECK(!holders_may_take(all, i, address(2, 0), 10));
	CHECK(holders_next_to_go(all) == 0);
	/* Both exempt: who was active last goes last. */
	CHECK(exempt(0, 0, 1) == 0 && holders_next_to_go(all) == 0);
	holders_take(all, 0, address(2, 0));
	CHECK(holders_next_to_go(all) == 10);
	CHECK(exempt(0, 0, 0) == 0);
	CHECK(holders_next_to_go(all) == 1);
	holders_free(all);
}

static void
test_equal_holders(void)
{
	uint32_t i;

	CHECK(set_up() == 0);
	CHECK(holders_next_to_go(all) == PEERMAP_NONE);
	for (i = 0; i < 100; i++)
		holders_take(all, i, address(i, 0));
	CHECK(holders_next_to_go(all) == 0);
	holders_take(all, 0, address(0, 1));
	CHECK(holders_next_to_go(all) == 1);
	holders_drop(all, 1);
	CHECK(holders_next_to_go(all) == 2);
	holders_take(all, 100, address(50, 0));
	CHECK(holders_next_to_go(all) == 50);
	for (i = 0; i < 100; i++)
		holders_drop(all, i);
	CHECK(holders_next_to_go(all) == 100);
	holders_drop(all, 100);
	CHECK(holders_next_to_go(all) == PEERMAP_NONE);
	holders_free(all);
}

/* A second book, kept in the plainest way. */
#define MODEL_ENTRIES   400
#define MODEL_ADDRESSES 30

static struct {
	int at;         /* address; -1: none */
	uint32_t fresh; /* when it was refreshed */
} model[MODEL_ENTRIES];

static uint32_t
model_count(int at)
{
	uint32_t i, n;

	for (i = n = 0; i < MODEL_ENTRIES; i++)
		n += model[i].at == at;
	return (n);
}

/* The most that one address holds. */
static uint32_t
model_most(void)
{
	uint32_t most, n;
	int at;

	for (at = 0, most = 0; at < MODEL_ADDRESSES; at++)
		if ((n = model_count(at)) > most)
			most = n;
	return (most);
}

/* Is that the one of the largest holder that was not refreshed for longest? */
static int
model_agrees_to(uint32_t number)
{
	uint32_t i;

	if (model_most() == 0)
		return (number == PEERMAP_NONE);
	if (number >= MODEL_ENTRIES || model[number].at == -1 ||
	    model_count(model[number].at) != model_most())
		return (0);
	for (i = 0; i < MODEL_ENTRIES; i++)
		if (model[i].at == model[number].at &&
		    model[i].fresh < model[number].fresh)
			return (0);
	return (1);
}

static int
model_counts_agree(void)
{
	uint32_t n;
	int at;

	for (at = 0; at < MODEL_ADDRESSES; at++) {
		n = model_count(at);
		if (!holders_may_take(
			all, PEERMAP_NONE, address((uint32_t)at, 7), n + 1) ||
		    (n > 0 && holders_may_take(all, PEERMAP_NONE,
				  address((uint32_t)at, 7), n)))
			return (0);
	}
	return (1);
}

static void
test_against_a_model(void)
{
	uint32_t i, number, to;

	CHECK(set_up() == 0);
	for (i = 0; i < MODEL_ENTRIES; i++)
		model[i].at = -1;
	srand48(1);
	for (i = 1; i <= 20000; i++) {
		number = (uint32_t)lrand48() % MODEL_ENTRIES;
		/* Skewed, so that somebody holds most. */
		to = (uint32_t)lrand48() % MODEL_ADDRESSES;
		to = to * to / MODEL_ADDRESSES;
		if (lrand48() % 3 == 0) {
			holders_drop(all, number);
			model[number].at = -1;
		} else {
			holders_take(all, number, address(to, i));
			model[number].at = (int)to;
			model[number].fresh = i;
		}
		CHECK(model_agrees_to(holders_next_to_go(all)));
		CHECK(i % 16 != 0 || model_counts_agree());
	}
	holders_free(all);
}

/* KiB that this process has. */
static long
resident(void)
{
	long pages, size;
	FILE *f;

	f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2)
		return (-1);
	(void)fclose(f);
	return (pages * (sysconf(_SC_PAGESIZE) / 1024));
}

/* Memory follows what is held, and is used again. */
static void
test_memory(void)
{
	uint32_t i, round;
	long before, used;

	CHECK(set_up() == 0);
	before = resident();
	CHECK(before > 0);
	for (i = 0; i < 1000; i++)
		holders_take(all, i, address(i, 0));
	CHECK(resident() - before < 4096);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ENDPOINTS_MAX; i++)
			holders_take(all, i, address(i, 0));
		used = resident() - before;
		CHECK(used < 64 << 10);
		for (i = 0; i < ENDPOINTS_MAX; i++)
			holders_drop(all, i);
	}
	holders_free(all);
}

int
main(void)
{
	RUN(test_limit);
	RUN(test_exempt);
	RUN(test_equal_holders);
	RUN(test_against_a_model);
	RUN(test_memory);
	return (test_failed());
}
