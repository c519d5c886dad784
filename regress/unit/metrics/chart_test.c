/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/chart.h"
#include "regress/unit/test.h"

static struct ring ring;
static char text[64 << 10];

static const char *
chart(enum ring_series series)
{
	struct out out;

	out = (struct out){ text, sizeof(text), 0, 0 };
	chart_write(&out, &ring, series, "Title");
	return (out.full ? "full" : text);
}

/* So many peers, and logins until then. */
static void
sample(uint64_t peers, uint64_t logins)
{
	static struct sums_data data;

	data.gauge[GAUGE_PEERS] = peers;
	data.counter[COUNTER_AUTH_OK] = logins;
	ring_add(&ring, &data);
}

static void
test_nothing_yet(void)
{
	memset(&ring, 0, sizeof(ring));
	CHECK(strstr(chart(RING_PEERS), "Title<b>0</b>") != NULL);
	CHECK(strstr(text, "most 0<") != NULL);
	CHECK(strstr(text, "polyline") == NULL);
	sample(5, 0);
	CHECK(strstr(chart(RING_PEERS), "polyline") == NULL);
}

/* The highest is at the top, zero at the bottom, now at the right. */
static void
test_a_line(void)
{
	memset(&ring, 0, sizeof(ring));
	sample(0, 0);
	sample(10, 0);
	sample(5, 0);
	sample(0, 0);
	CHECK(strstr(chart(RING_PEERS), "<b>0</b>") != NULL);
	CHECK(strstr(text, "most 10<") != NULL);
	CHECK(strstr(text, ",4.0 ") != NULL && strstr(text, ",45.0 ") != NULL);
	CHECK(strstr(text, " 360.0,86.0\"/>") != NULL);
}

/* Where nothing happened, it lies at zero, whatever 0 / 0 may be. */
static void
test_a_flat_line(void)
{
	memset(&ring, 0, sizeof(ring));
	sample(0, 7);
	sample(0, 7);
	CHECK(strstr(chart(RING_LOGINS), "<b>0</b>") != NULL);
	CHECK(strstr(text, "most 0<") != NULL);
	CHECK(strstr(text, "points=\"360.0,86.0\"") != NULL);
}

/* It begins at the left edge when all minutes are there. */
static void
test_a_whole_ring(void)
{
	uint32_t i;

	memset(&ring, 0, sizeof(ring));
	for (i = 0; i < 2 * RING_SIZE; i++)
		sample(i, UINT64_C(1) << 60);
	CHECK(strstr(chart(RING_PEERS), "points=\"0.0,") != NULL);
	CHECK(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL);
}

static const char *
number(double value)
{
	struct out out;

	out = (struct out){ text, sizeof(text), 0, 0 };
	chart_number(&out, value);
	return (text);
}

static void
test_numbers_for_people(void)
{
	CHECK(strcmp(number(0.), "0") == 0);
	CHECK(strcmp(number(.25), "0.2") == 0);
	CHECK(strcmp(number(999.), "999") == 0);
	CHECK(strcmp(number(999.6), "1.0 k") == 0);
	CHECK(strcmp(number(24700.), "24.7 k") == 0);
	CHECK(strcmp(number(1.8446744073709552e19), "18.4 E") == 0);
}

int
main(void)
{
	RUN(test_numbers_for_people);
	RUN(test_nothing_yet);
	RUN(test_a_line);
	RUN(test_a_flat_line);
	RUN(test_a_whole_ring);
	return (test_failed());
}
