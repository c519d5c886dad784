/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "regress/unit/test.h"
#include "worker/stranger.h"

static struct strangers all;

static const uint8_t v4[3][16] = {
	{ [10] = 0xff, 0xff, 192, 0, 2, 1 },
	{ [10] = 0xff, 0xff, 192, 0, 2, 2 },
	{ [10] = 0xff, 0xff, 192, 0, 2, 3 },
};
static const uint8_t v6[3][16] = {
	{ 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, [15] = 1 },
	{ 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, [15] = 2 },
	{ 0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, [15] = 1 },
};

static void
test_the_oldest_is_first(void)
{
	struct stranger *x[3];
	uint32_t i;

	for (i = 0; i < 3; i++) {
		x[i] = stranger_new(&all, i, 100 + i);
		CHECK(x[i] != NULL && x[i]->slot == i && !x[i]->done);
	}
	CHECK(TAILQ_FIRST(&all.all) == x[0] && x[0]->since == 100);
	stranger_free(&all, x[0]);
	CHECK(TAILQ_FIRST(&all.all) == x[1]);
	stranger_free(&all, x[2]);
	stranger_free(&all, x[1]);
	CHECK(TAILQ_EMPTY(&all.all));
	stranger_free(&all, NULL);
}

static void
test_who_is_done_goes_before_the_oldest(void)
{
	struct stranger *x[3];
	uint32_t i;

	for (i = 0; i < 3; i++) {
		x[i] = stranger_new(&all, i, 100);
		CHECK(x[i] != NULL && stranger_join(&all, x[i], v4[0]) == 0);
	}
	stranger_done(&all, x[1]);
	CHECK(x[1]->done && TAILQ_FIRST(&all.all) == x[1]);
	CHECK(TAILQ_FIRST(&x[0]->source->strangers) == x[1]);
	for (i = 0; i < 3; i++)
		stranger_free(&all, x[i]);
}

static void
test_a_source_is_an_address_or_a_network_of_IPv6(void)
{
	struct stranger *x[6];
	uint32_t i;

	for (i = 0; i < 6; i++) {
		x[i] = stranger_new(&all, i, 100);
		CHECK(x[i] != NULL && x[i]->source == NULL);
		CHECK(
		    stranger_join(&all, x[i], i < 3 ? v4[i] : v6[i - 3]) == 0);
	}
	for (i = 0; i < 3; i++)
		CHECK(x[i]->source->count == 1);
	CHECK(x[3]->source == x[4]->source && x[3]->source->count == 2);
	CHECK(TAILQ_FIRST(&x[4]->source->strangers) == x[3]);
	CHECK(x[5]->source != x[3]->source);
	stranger_free(&all, x[3]);
	CHECK(x[4]->source->count == 1);
	CHECK(TAILQ_FIRST(&x[4]->source->strangers) == x[4]);
	for (i = 0; i < 6; i++)
		if (i != 3)
			stranger_free(&all, x[i]);
	for (i = 0; i < STRANGER_BUCKETS; i++)
		CHECK(LIST_EMPTY(&all.sources[i]));
}

/* More sources than buckets, which come and go. */
static void
test_many_sources(void)
{
	static struct stranger *x[3 * STRANGER_BUCKETS];
	uint8_t addr[16];
	uint32_t i;

	memcpy(addr, v4[0], sizeof(addr));
	for (i = 0; i < 3 * STRANGER_BUCKETS; i++) {
		addr[14] = (uint8_t)(i >> 8);
		addr[15] = (uint8_t)i;
		x[i] = stranger_new(&all, i, 100);
		CHECK(x[i] != NULL && stranger_join(&all, x[i], addr) == 0);
		CHECK(x[i]->source->count == 1);
	}
	for (i = 0; i < 3 * STRANGER_BUCKETS; i++)
		stranger_free(&all, x[i]);
	for (i = 0; i < STRANGER_BUCKETS; i++)
		CHECK(LIST_EMPTY(&all.sources[i]));
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	stranger_init(&all);
	RUN(test_the_oldest_is_first);
	RUN(test_who_is_done_goes_before_the_oldest);
	RUN(test_a_source_is_an_address_or_a_network_of_IPv6);
	RUN(test_many_sources);
	return (test_failed());
}
