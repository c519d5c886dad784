/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"
#include "worker/packet.h"

/* What leaves when, of those below only what they are asked for. */

static int frames, routes, datagrams;

void
gather_flush(struct worker *of)
{
	frames++;
}

void
route_flush(struct worker *of)
{
	routes++;
}

void
udp_flush(struct worker *of)
{
	datagrams++;
}

static void
begin(void)
{
	memset(&w.burst, 0, sizeof(w.burst));
	memset(&w.routes, 0, sizeof(w.routes));
	frames = routes = datagrams = 0;
}

/* What waits for other workers in a stage may become more. */
static void
test_the_end_sends_all_but_what_is_staged(void)
{
	begin();
	w.routes.stage_len = 100;
	burst_end(&w);
	CHECK(frames == 1 && routes == 0 && datagrams == 1);
	w.routes.in_place = 1;
	burst_end(&w);
	CHECK(frames == 2 && routes == 1 && datagrams == 2);
}

static void
test_each_packet_of_ours_has_a_place_and_headroom(void)
{
	uint8_t *own[BURST_OWN];
	uint32_t i;

	begin();
	for (i = 0; i < BURST_OWN; i++) {
		own[i] = burst_own(&w);
		memset(own[i] - FRAME_HEADROOM, (int)i,
		    FRAME_HEADROOM + PACKET_ADDRESS_MAX);
	}
	CHECK(frames == 0 && burst_is_begun(&w));
	for (i = 0; i < BURST_OWN; i++) {
		CHECK(own[i][-FRAME_HEADROOM] == (uint8_t)i);
		CHECK(own[i][PACKET_ADDRESS_MAX - 1] == (uint8_t)i);
	}
	/* One more: those before it leave first. */
	CHECK(burst_own(&w) == own[0]);
	CHECK(frames == 1 && datagrams == 1 && w.burst.nown == 1);
	burst_end(&w);
	CHECK(!burst_is_begun(&w));
}

int
main(void)
{
	RUN(test_the_end_sends_all_but_what_is_staged);
	RUN(test_each_packet_of_ours_has_a_place_and_headroom);
	return (test_failed());
}
