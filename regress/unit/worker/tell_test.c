/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/steer.h"
#include "regress/unit/worker/parts.h"

static struct imsgbuf parent;

static void
test_the_end_of_a_session_is_told(void)
{
	struct msg_closed msg;

	tell_closed(&w, 7, 9);
	CHECK(
	    parts_told(&w.parent, &parent, WP_CLOSED, &msg, sizeof(msg)) == 1);
	CHECK(msg.node == 7 && msg.generation == 9);
	tell_parent(&w, WP_PONG, NULL, 0);
	CHECK(parts_told(&w.parent, &parent, WP_PONG, NULL, 0) == 1);
	CHECK(parts_told(&w.parent, &parent, WP_PONG, NULL, 0) == -1);
}

/* Each source is one worker's; by its address alone for a Sync. */
static void
test_a_source_is_told_by_one_worker(void)
{
	struct endpoint at;
	uint32_t i, port;
	uint64_t others;
	int mine;

	w.settings.nworkers = 3;
	w.settings.steered = 1;
	w.settings.steer_key = 0x1234567;
	for (i = 0; i < 200; i++) {
		at = parts_endpoint((uint8_t)i, 0);
		port = i % 2 == 0 ? 0 : 4000 + i;
		others = COUNTED(MISDIRECTED);
		mine = 0;
		for (w.hello.worker = 0; w.hello.worker < 3; w.hello.worker++)
			if (tell_may_have_heard(&w, at.addr, port)) {
				mine++;
				CHECK(steer_worker(0x1234567, 3, at.addr,
					  port) == w.hello.worker);
			}
		CHECK(mine == 1 && COUNTED(MISDIRECTED) == others + 2);
	}
}

static void
test_unsteered_every_worker_may_tell(void)
{
	struct endpoint at;
	uint64_t others;

	at = parts_endpoint(1, 4000);
	others = COUNTED(MISDIRECTED);
	w.settings.nworkers = 3;
	w.settings.steered = 0;
	for (w.hello.worker = 0; w.hello.worker < 3; w.hello.worker++)
		CHECK(tell_may_have_heard(&w, at.addr, at.port));
	CHECK(COUNTED(MISDIRECTED) == others);
}

int
main(void)
{
	parts_loop();
	parts_channel(&w.parent, &parent);
	RUN(test_the_end_of_a_session_is_told);
	RUN(test_a_source_is_told_by_one_worker);
	RUN(test_unsteered_every_worker_may_tell);
	return (test_failed());
}
