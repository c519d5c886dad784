/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/page.h"

#include "regress/unit/test.h"

static struct sums_data data;
static struct ring ring;
static char buf[256 << 10];

static int
page(size_t size)
{
	struct out out;

	out = (struct out){ buf, size, 0, 0 };
	page_write(&out, &data, &ring);
	return (out.full ? -1 : 0);
}

static void
test_values(void)
{
	memset(&data, 0, sizeof(data));
	data.gauge[GAUGE_PEERS] = 4711;
	data.gauge[GAUGE_START] = 1000;
	data.gauge[GAUGE_PUBLISHED] = 1000 + 2 * 86400 + 3661;
	data.gauge[GAUGE_RELOADED] = data.gauge[GAUGE_PUBLISHED] - 59;
	data.counter[COUNTER_DROP_STALE] = 12;
	data.counter[COUNTER_DROP_TYPE] = 24;
	data.nprocesses = 1;
	data.process[0].role = ROLE_AUTH;
	CHECK(page(sizeof(buf)) == 0);
	CHECK(strstr(buf, ">4711<") != NULL);
	CHECK(strstr(buf, "Up for 2 d 01:01:01; configuration read 00:00:59 "
			  "ago.") != NULL);
	CHECK(strstr(buf, "The last reload failed.") != NULL);
	CHECK(strstr(buf, "<td>auth</td><td><span class=\"bad\">down") != NULL);
	CHECK(strstr(buf, "packets for or from a session that was replaced "
			  "meanwhile<div class=\"bar\" "
			  "style=\"width:50.0%\"></div></td>"
			  "<td class=\"n\">12<") != NULL);
	CHECK(strstr(buf, "about to end") == NULL);
	CHECK(strcmp(buf + strlen(buf) - 8, "</html>\n") == 0);
}

/* A clock that was set makes no age of centuries; the largest page fits. */
static void
test_bounds(void)
{
	uint32_t i;

	memset(&data, 0xff, sizeof(data));
	for (i = 0; i < SUMS_PROCESSES_MAX; i++)
		data.process[i].role = ROLE_WORKER;
	data.gauge[GAUGE_PUBLISHED] = 5;
	for (i = 0; i < RING_SIZE; i++) {
		ring_add(&ring, &data);
		memset(data.counter, (int)i, sizeof(data.counter));
	}
	CHECK(page(sizeof(buf)) == 0);
	CHECK(strstr(buf, "Up for 00:00:00;") != NULL);
	CHECK(page(sizeof(buf) / 32) == -1);
}

int
main(void)
{
	RUN(test_values);
	RUN(test_bounds);
	return (test_failed());
}
