/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/ring.h"

#include "regress/unit/test.h"

static struct ring ring;
static struct sums_data data;

static void
begin(void)
{
	memset(&ring, 0, sizeof(ring));
	memset(&data, 0, sizeof(data));
}

static void
test_two_samples_are_one_value(void)
{
	begin();
	CHECK(ring_points(&ring) == 0);
	ring_add(&ring, &data);
	CHECK(ring_points(&ring) == 0);
	data.gauge[GAUGE_PEERS] = 7;
	data.counter[COUNTER_BRIDGE_WW] = 20;
	data.counter[COUNTER_TO_BEACONS] = 5;
	data.counter[COUNTER_DROP_TYPE] = 10;
	data.counter[COUNTER_AUTH_OK] = 15;
	data.counter[COUNTER_AUTH_FAIL] = 5;
	data.counter[COUNTER_REFUSED_RATE] = 5;
	ring_add(&ring, &data);
	CHECK(ring_points(&ring) == 1);
	CHECK(ring_value(&ring, RING_PEERS, 0) == 7.);
	CHECK(ring_value(&ring, RING_RELAYED, 0) == 5.);
	CHECK(ring_value(&ring, RING_DROPPED, 0) == 2.);
	CHECK(ring_value(&ring, RING_LOGINS, 0) == 3.);
	CHECK(ring_value(&ring, RING_REFUSED, 0) == 2.);
}

/* The oldest goes; the order stays. */
static void
test_it_is_a_ring(void)
{
	uint32_t i;

	begin();
	for (i = 0; i < 2 * RING_SIZE + 7; i++) {
		data.gauge[GAUGE_PEERS] = i;
		data.counter[COUNTER_BRIDGE_UU] += (uint64_t)i * RING_SECONDS;
		ring_add(&ring, &data);
	}
	CHECK(ring_points(&ring) == RING_SIZE - 1);
	for (i = 0; i < ring_points(&ring); i++) {
		CHECK(
		    ring_value(&ring, RING_PEERS, i) == RING_SIZE + 7 + i + 1);
		CHECK(ring_value(&ring, RING_RELAYED, i) ==
		      RING_SIZE + 7 + i + 1);
	}
}

static void
test_what_shrinks_is_nothing(void)
{
	begin();
	data.counter[COUNTER_BRIDGE_UU] = 100;
	ring_add(&ring, &data);
	data.counter[COUNTER_BRIDGE_UU] = 0;
	ring_add(&ring, &data);
	CHECK(ring_value(&ring, RING_RELAYED, 0) == 0.);
}

int
main(void)
{
	RUN(test_two_samples_are_one_value);
	RUN(test_it_is_a_ring);
	RUN(test_what_shrinks_is_nothing);
	return (test_failed());
}
