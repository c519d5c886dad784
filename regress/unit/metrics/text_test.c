/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/text.h"

#include "regress/unit/test.h"

static struct sums_data data;
static char buf[256 << 10];

static const char *
text(int openmetrics, size_t size)
{
	struct out out;

	out = (struct out){ buf, size, 0, 0 };
	text_write(&out, &data, openmetrics);
	return (out.full ? NULL : buf);
}

static void
fill(void)
{
	uint64_t i;

	memset(&data, 0, sizeof(data));
	for (i = 0; i < COUNTER_MAX; i++)
		data.counter[i] = UINT64_MAX;
	for (i = 0; i < GAUGE_MAX; i++)
		data.gauge[i] = UINT64_MAX;
	data.nprocesses = SUMS_PROCESSES_MAX;
	for (i = 0; i < SUMS_PROCESSES_MAX; i++) {
		data.process[i].role = ROLE_WORKER;
		data.process[i].number = i;
		memset(
		    data.process[i].value, 0xff, sizeof(data.process[i].value));
	}
}

static void
test_plain(void)
{
	const char *t;

	memset(&data, 0, sizeof(data));
	data.nprocesses = 1;
	data.counter[COUNTER_DROP_STALE] = 7;
	data.gauge[GAUGE_PEERS] = 8;
	data.process[0].role = ROLE_AUTH;
	data.process[0].value[PROCESS_CPU] = 1500000;
	t = text(0, sizeof(buf));
	CHECK(t != NULL);
	CHECK(strstr(t, "# TYPE pilot_beacon_drops_total counter\n") != NULL);
	CHECK(strstr(t, "\npilot_beacon_drops_total{reason=\"stale\"} 7\n") !=
	      NULL);
	CHECK(strstr(t, "\npilot_beacon_wss_active 8\n") != NULL);
	CHECK(strstr(t, "cpu_seconds_total{role=\"auth\",number=\"0\"} "
			"1.500000\n") != NULL);
	CHECK(strstr(t, "# EOF") == NULL && strstr(t, "# UNIT") == NULL);
}

static void
test_open(void)
{
	const char *t;

	t = text(1, sizeof(buf));
	CHECK(t != NULL);
	CHECK(strstr(t, "# TYPE pilot_beacon_drops counter\n") != NULL);
	CHECK(strstr(t, "\npilot_beacon_drops_total{reason=\"stale\"} 7\n") !=
	      NULL);
	CHECK(strstr(t, "# UNIT pilot_beacon_udp_bytes bytes\n") != NULL);
	CHECK(strstr(t, "{reason=\\\"stale\\\"}") != NULL);
	CHECK(strcmp(t + strlen(t) - 6, "# EOF\n") == 0);
}

/* The largest of all fits, and what does not fit is not begun. */
static void
test_bounds(void)
{
	size_t i;

	fill();
	CHECK(text(1, sizeof(buf)) != NULL);
	for (i = 1; i < 2000; i++)
		CHECK(text(1, i) == NULL);
	/* No number of processes leads out of the table. */
	data.nprocesses = UINT64_MAX;
	CHECK(text(0, sizeof(buf)) != NULL);
}

/* What both forms ask of the names. */
static void
test_names(void)
{
	const char *name;
	enum counter c, d;
	size_t len;

	for (c = 0; c < COUNTER_MAX; c++) {
		name = counters_name(c);
		len = counters_family_len(c);
		CHECK(len > 6 && memcmp(name + len - 6, "_total", 6) == 0);
		CHECK(strpbrk(counters_help(c), "\"\\\n") == NULL);
		for (d = c + 1; d < COUNTER_MAX && counters_begins(c); d++)
			CHECK(!counters_begins(d) ||
			      counters_family_len(d) != len ||
			      memcmp(counters_name(d), name, len) != 0);
	}
}

int
main(void)
{
	RUN(test_plain);
	RUN(test_open);
	RUN(test_bounds);
	RUN(test_names);
	return (test_failed());
}
