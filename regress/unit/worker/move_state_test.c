/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stddef.h>

#include "regress/unit/test.h"
#include "worker/move.h"
#include "worker/worker.h"

/* What another worker says of a session, each number beyond its bounds. */

#define BATCH     5
#define FRAME_MAX (WS_HEADER_MAX + FRAME_DATA_MAX)

struct change {
	size_t at;
	size_t size;
	uint32_t value;
};

#define SET(member, value)                                                   \
	{                                                                    \
		offsetof(struct msg_move_state, member),                     \
		    sizeof(((struct msg_move_state *)NULL)->member), (value) \
	}
#define CONTROL(i, value)                                                  \
	{                                                                  \
		offsetof(struct msg_move_state, control) + (i), 1, (value) \
	}

struct row {
	int good;
	struct change changes[4];
};

static const struct row rows[] = {
	{ 1, { SET(version, 2) } },
	{ 0, { SET(version, 0) } },
	{ 0, { SET(magic, MOVE_STATE_MAGIC + 1) } },
	{ 0, { SET(len, sizeof(struct msg_move_state) - 1) } },
	{ 0, { SET(len, sizeof(struct msg_move_state) + 1) } },
	{ 0, { SET(required, 0x80000000U) } },
	{ 0, { SET(required, 1) } },
	{ 1, { SET(optional, UINT32_MAX) } },
	{ 1, { SET(session, BATCH - 1) } },
	{ 0, { SET(session, BATCH) } },
	{ 1, { SET(port, UINT16_MAX) } },
	{ 0, { SET(port, UINT16_MAX + 1) } },
	/* The start of a frame. */
	{ 1, { SET(pending, WS_HEADER_MAX) } },
	{ 0, { SET(pending, WS_HEADER_MAX + 1) } },
	{ 1, { SET(pending, 99), SET(pending_total, 100) } },
	{ 0, { SET(pending, 100), SET(pending_total, 100) } },
	{ 1, { SET(pending, 99), SET(pending_total, FRAME_MAX) } },
	{ 0, { SET(pending, 99), SET(pending_total, FRAME_MAX + 1) } },
	{ 1, { SET(pending, 9), SET(pending_checked, 9) } },
	{ 0, { SET(pending, 9), SET(pending_checked, 10) } },
	/* A fragmented message. */
	{ 0, { SET(message, 1) } },
	{ 1, { SET(message, FRAME_DATA_MAX), SET(message_opcode, WS_TEXT) } },
	{ 0, { SET(message, FRAME_DATA_MAX + 1),
		 SET(message_opcode, WS_TEXT) } },
	{ 1, { SET(message_opcode, WS_BINARY) } },
	{ 0, { SET(message_opcode, WS_PING) } },
	{ 0, { SET(message_opcode, 0x100 | WS_TEXT) } },
	/* What waits. */
	{ 1, { SET(queue, SESSION_QUEUE_MAX + FRAME_MAX) } },
	{ 0, { SET(queue, SESSION_QUEUE_MAX + FRAME_MAX + 1) } },
	{ 1, { SET(queue, 7), SET(frame_left, 7) } },
	{ 0, { SET(queue, 7), SET(frame_left, 8) } },
	{ 1, { SET(queue, 1U << 20), SET(frame_left, FRAME_MAX) } },
	{ 0, { SET(queue, 1U << 20), SET(frame_left, FRAME_MAX + 1) } },
	/* Control frames: one, of which some is sent perhaps, and one more. */
	{ 0, { SET(control_sent, 1) } },
	{ 0, { SET(control_len, 1) } },
	{ 1, { SET(control_len, 2) } },
	{ 1, { SET(control_len, 4), CONTROL(1, 2), SET(control_sent, 3) } },
	{ 0, { SET(control_len, 4), CONTROL(1, 2), SET(control_sent, 4) } },
	{ 0, { SET(control_len, 4), CONTROL(1, 3) } },
	{ 0, { SET(control_len, 5), CONTROL(1, 2) } },
	{ 1, { SET(control_len, 7), CONTROL(1, 2), CONTROL(5, 1) } },
	{ 0, { SET(control_len, 7), CONTROL(1, 2), CONTROL(5, 2) } },
	{ 0, { SET(control_len, 7), CONTROL(1, 2), CONTROL(5, 0) } },
	{ 0, { SET(control_len, 128), CONTROL(1, WS_CONTROL_MAX + 1) } },
	{ 1, { SET(control_len, 254), CONTROL(1, WS_CONTROL_MAX),
		 CONTROL(128, WS_CONTROL_MAX) } },
	{ 0, { SET(control_len, 255), CONTROL(1, WS_CONTROL_MAX),
		 CONTROL(128, WS_CONTROL_MAX + 1) } },
	{ 0, { SET(control_len, UINT32_MAX) } },
};

static const char *
check(const struct row *row, size_t len)
{
	struct msg_move_state state;
	size_t i;

	memset(&state, 0, sizeof(state));
	state.magic = MOVE_STATE_MAGIC;
	state.version = MOVE_STATE_VERSION;
	state.len = (uint16_t)len;
	for (i = 0; i < 4; i++)
		memcpy((uint8_t *)&state + row->changes[i].at,
		    &row->changes[i].value, row->changes[i].size);
	return (move_state_check(&state, len, BATCH));
}

static void
test_each_number_within_its_bounds(void)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((check(&rows[i], sizeof(struct msg_move_state)) == NULL) ==
		    rows[i].good)
			continue;
		printf("row %zu\n", i);
		CHECK(!"as it is to be");
	}
}

/* Of a later version there is more, of which this one makes nothing. */
static void
test_longer_if_it_says_so(void)
{
	static const struct row later = { 1, { SET(version, 7) } };

	CHECK(check(&later, sizeof(struct msg_move_state) + 8) == NULL);
	CHECK(check(&later, sizeof(struct msg_move_state) + MOVE_STATE_MORE) ==
	      NULL);
}

static void
test_how_long_a_frame_of_ours_is(void)
{
	static const struct {
		uint8_t bytes[4];
		size_t len, is;
	} frames[] = {
		{ { 0x82 }, 1, 0 },
		{ { 0x82, 5 }, 2, 7 },
		{ { 0x81, 125 }, 2, 127 },
		{ { 0x82, 126 }, 2, 0 },
		{ { 0x82, 126, 1 }, 3, 0 },
		{ { 0x82, 126, 1, 2 }, 4, 4 + 258 },
		{ { 0x82, 127 }, 2, SIZE_MAX },
		{ { 0x82, 0x85 }, 2, SIZE_MAX }, /* masked */
		{ { 0x02, 5 }, 2, SIZE_MAX },    /* part of a message */
		{ { 0x80, 5 }, 2, SIZE_MAX },
		{ { 0x89, 5 }, 2, SIZE_MAX },
		{ { 0xc2, 5 }, 2, SIZE_MAX },
	};
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		CHECK(move_state_frame(frames[i].bytes, frames[i].len) ==
		      frames[i].is);
}

int
main(void)
{
	RUN(test_each_number_within_its_bounds);
	RUN(test_longer_if_it_says_so);
	RUN(test_how_long_a_frame_of_ours_is);
	return (test_failed());
}
