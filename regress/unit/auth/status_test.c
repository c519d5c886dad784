/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/still_clock.h"

#include "regress/unit/auth/parts.h"

static struct msg_registry_status told;

uint32_t
keystore_room(const struct keystore *ks)
{
	return (1000);
}

static int
tells(void)
{
	memset(&told, 0, sizeof(told));
	status_tell(&auth);
	return (parts_told(AP_STATUS, &told, sizeof(told)));
}

static void
test_the_link(void)
{
	auth.registry.fd = -1;
	CHECK(tells() == 1 && told.link == REGISTRY_NONE);
	auth.conf.rate = 1;
	CHECK(tells() == 1 && told.link == REGISTRY_DOWN);
	auth.registry.fd = 5;
	CHECK(tells() == 1 && told.link == REGISTRY_PROBED);
	auth.registry.answered = 1;
	auth.registry.framing = WIRE_JSON;
	CHECK(tells() == 1 && told.link == REGISTRY_UP && told.json);
	CHECK(told.keys_max == 1000);
}

static void
test_only_what_has_changed(void)
{
	CHECK(tells() == -1);
	auth.lookups.nwaiting = 3;
	auth.lookups.count[LOOKUP_URGENT] = 2;
	auth.lookups.count[LOOKUP_REFRESH] = 5;
	CHECK(tells() == 1 && told.waiting == 3 && told.queued == 7);
	CHECK(tells() == -1);
}

/* Of this minute and the one before; what is older does not count. */
static void
test_latencies_of_the_last_minutes(void)
{
	uint32_t minute;

	minute = clock_seconds() / 60;
	auth.registry.latency = 30;
	auth.registry.now.minute = minute;
	auth.registry.now.count = 2;
	auth.registry.now.sum = 40;
	auth.registry.now.max = 30;
	auth.registry.before.minute = minute - 1;
	auth.registry.before.count = 1;
	auth.registry.before.sum = 200;
	auth.registry.before.max = 200;
	CHECK(tells() == 1 && told.latency_last == 30);
	CHECK(told.latency_mean == 80 && told.latency_max == 200);
	still_pass(60);
	CHECK(tells() == 1);
	CHECK(told.latency_mean == 20 && told.latency_max == 30);
	still_pass(60);
	CHECK(tells() == 1);
	CHECK(told.latency_mean == 0 && told.latency_max == 0);
	CHECK(told.latency_last == 30);
}

int
main(void)
{
	parts_loop();
	budget_init(&auth.registry.budget, 1, 0);
	RUN(test_the_link);
	RUN(test_only_what_has_changed);
	RUN(test_latencies_of_the_last_minutes);
	return (test_failed());
}
