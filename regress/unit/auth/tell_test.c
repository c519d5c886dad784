/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/auth/parts.h"

static void
test_ready_says_who_we_are(void)
{
	struct msg_hello msg;

	auth.hello.epoch = 77;
	tell_ready(&auth);
	CHECK(parts_told(AP_READY, &msg, sizeof(msg)) == 1);
	CHECK(msg.epoch == 77 && auth.ready);
}

/* Half of its queue is for what comes of those that were read already. */
static void
test_a_parent_that_is_behind(void)
{
	static uint8_t bytes[8000];
	uint32_t i;

	CHECK(!tell_congested(&auth));
	for (i = 0; !tell_congested(&auth); i++) {
		CHECK(channel_queued(&auth.parent) <= CHANNEL_LIMIT / 2);
		tell_parent(&auth, AP_KEYS, bytes, sizeof(bytes));
	}
	CHECK(channel_queued(&auth.parent) < CHANNEL_LIMIT / 2 + 9000);
	for (; i > 0; i--)
		CHECK(parts_told(AP_KEYS, bytes, sizeof(bytes)) == 1);
	CHECK(!tell_congested(&auth));
}

int
main(void)
{
	parts_loop();
	RUN(test_ready_says_who_we_are);
	RUN(test_a_parent_that_is_behind);
	return (test_failed());
}
