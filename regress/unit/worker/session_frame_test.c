/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"
#include "worker/login_reply.h"

/* Frames and messages: which go where, and which end the session. */

static struct session *s;
static int logins, relayed, controls, bursts, crowded, later;
static size_t last_len;
static uint8_t last[300];
static int violation; /* its code; 0: none */
static int failed;    /* session_fail() */

void
login_message(struct worker *of, struct session *x, int opcode,
    const uint8_t *payload, size_t len)
{
	logins++;
	last_len = len;
}

static void
upper_frame(struct worker *of, struct origin *from, uint8_t *frame, size_t len)
{
	relayed++;
	last_len = len;
	memcpy(last, frame, len < sizeof(last) ? len : sizeof(last));
	/* The header before it is written into, wherever it lies. */
	memset(frame - 8, 0xee, 8);
}

void
session_control(struct worker *of, struct session *x, const struct ws_header *h,
    const uint8_t *payload)
{
	controls++;
}

void
session_violation(struct worker *of, struct session *x, enum session_why why)
{
	violation = why == WHY_TOO_BIG ? WS_STATUS_TOO_BIG
		    : why == WHY_UTF8  ? WS_STATUS_BAD_DATA
				       : WS_STATUS_PROTOCOL_ERROR;
	x->state = SESSION_CLOSING;
	x->skip = SKIP_ALL;
	free(inbound_take_message(of, x));
}

void
session_fail(struct worker *of, struct session *x, int code, const char *why)
{
	failed = code;
	x->state = SESSION_CLOSING;
	x->skip = SKIP_ALL;
}

void
session_stop_listening(struct worker *of, struct session *x)
{
	x->skip = SKIP_ALL;
}

void
session_send_pongs(struct worker *of, struct session *x)
{
}

void
session_try_later(struct worker *of, struct session *x)
{
	later++;
	x->state = SESSION_CLOSING;
	x->skip = SKIP_ALL;
}

void
session_crowded_out(struct worker *of, struct session *x)
{
	crowded++;
	free(inbound_take_message(of, x));
}

void
burst_end(struct worker *of)
{
	bursts++;
}

static uint8_t room[RX_SIZE];
static size_t used;

static void
begin(enum session_state state)
{
	free(s == NULL ? NULL : inbound_take_message(&w, s));
	s = parts_session(0, state);
	used = RX_HEADROOM;
	logins = relayed = controls = bursts = crowded = later = 0;
	violation = failed = 0;
	w.now++;
}

/* One more frame, masked; n bytes of `fill`. */
static void
frame(int opcode, int fin, size_t n, int fill)
{
	static const uint8_t mask[WS_MASK_LEN] = { 1, 2, 3, 4 };
	size_t i;

	used += ws_header_build_masked(room + used, opcode, n, mask);
	if (!fin)
		room[used - (n < 126 ? 6 : 8)] &= 0x7f;
	for (i = 0; i < n; i++)
		room[used + i] = (uint8_t)fill ^ mask[i % 4];
	used += n;
}

/* What was put together comes in; returns the bytes dealt with. */
static size_t
come(size_t *total)
{
	return (session_frames(
	    &w, s, room + RX_HEADROOM, used - RX_HEADROOM, total));
}

static int
all_come(void)
{
	size_t total;

	return (come(&total) == used - RX_HEADROOM && total == 0);
}

static void
test_binary_is_relayed_and_text_ignored(void)
{
	uint64_t ignored;

	ignored = COUNTED(TEXT_IGNORED);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, 20, 'a');
	frame(WS_PING, 1, 0, 0);
	frame(WS_TEXT, 1, 5, 'b');
	frame(WS_BINARY, 1, 200, 'c');
	CHECK(all_come() && relayed == 2 && controls == 1);
	CHECK(last_len == 200 && last[0] == 'c' && last[199] == 'c');
	CHECK(COUNTED(TEXT_IGNORED) == ignored + 1);
	CHECK(s->frames_in == 2 && violation == 0);
}

static void
test_before_it_is_open_all_is_the_logins(void)
{
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, LOGIN_REPLY_MAX, '{');
	CHECK(all_come() && logins == 1 && relayed == 0);
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, LOGIN_REPLY_MAX + 1, '{');
	CHECK(all_come() && logins == 0);
	CHECK(failed == WS_STATUS_POLICY && violation == 0);
}

/* The rest is asked for as soon as it is known how much that is. */
static void
test_what_is_incomplete_stays(void)
{
	size_t n, total;

	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, 20, 'a');
	n = used - RX_HEADROOM;
	frame(WS_BINARY, 1, 200, 'b');
	used -= 50;
	CHECK(come(&total) == n && total == 208 && relayed == 1);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, 200, 'b');
	used = RX_HEADROOM + 3;
	CHECK(come(&total) == 0 && total == 0);
}

static void
test_fragments_are_put_together(void)
{
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, 20, 'a');
	frame(WS_PING, 1, 0, 0);
	frame(WS_CONTINUATION, 0, 0, 0);
	frame(WS_CONTINUATION, 1, 20, 'b');
	frame(WS_BINARY, 1, 3, 'c');
	CHECK(all_come() && relayed == 2 && controls == 1);
	CHECK(s->message == NULL && bursts == 1);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, 20, 'a');
	frame(WS_CONTINUATION, 1, 20, 'b');
	CHECK(all_come() && relayed == 1 && last_len == 40);
	CHECK(last[0] == 'a' && last[19] == 'a' && last[20] == 'b');
}

static void
test_fragments_out_of_turn(void)
{
	begin(SESSION_OPEN);
	frame(WS_CONTINUATION, 1, 1, 'a');
	CHECK(all_come() && violation == WS_STATUS_PROTOCOL_ERROR);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, 1, 'a');
	frame(WS_BINARY, 1, 1, 'b');
	frame(WS_BINARY, 1, 1, 'c');
	CHECK(all_come() && violation == WS_STATUS_PROTOCOL_ERROR);
	CHECK(relayed == 0);
}

static void
test_a_message_of_the_most_and_one_byte_more(void)
{
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, w.settings.max_frame, 'a');
	CHECK(all_come() && relayed == 1 && violation == 0);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, w.settings.max_frame + 1, 'a');
	CHECK(all_come() && relayed == 0 && violation == WS_STATUS_TOO_BIG);
	/* In parts, none of which is too long. */
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, w.settings.max_frame, 'a');
	frame(WS_CONTINUATION, 1, 1, 'b');
	CHECK(all_come() && relayed == 0 && violation == WS_STATUS_TOO_BIG);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, w.settings.max_frame - 1, 'a');
	frame(WS_CONTINUATION, 1, 1, 'b');
	CHECK(all_come() && relayed == 1 && violation == 0);
}

static void
test_what_breaks_the_protocol(void)
{
	size_t total;

	begin(SESSION_OPEN); /* no mask */
	used += ws_header_build(room + used, WS_BINARY, 1);
	used++;
	CHECK(all_come() && violation == WS_STATUS_PROTOCOL_ERROR);
	begin(SESSION_OPEN); /* a reserved bit */
	frame(WS_BINARY, 1, 1, 'a');
	room[RX_HEADROOM] |= 0x40;
	CHECK(all_come() && violation == WS_STATUS_PROTOCOL_ERROR);
	begin(SESSION_OPEN);
	frame(WS_TEXT, 1, 1, 0xff);
	CHECK(all_come() && violation == WS_STATUS_BAD_DATA);
	/* A character that is cut by the end of the message, not of a part. */
	begin(SESSION_OPEN);
	frame(WS_TEXT, 0, 1, 0xc3);
	frame(WS_CONTINUATION, 1, 1, 0xbc);
	CHECK(all_come() && violation == 0);
	begin(SESSION_OPEN);
	frame(WS_TEXT, 0, 1, 0xc3);
	frame(WS_CONTINUATION, 1, 0, 0);
	CHECK(come(&total) > 0 && violation == WS_STATUS_BAD_DATA);
}

static void
test_so_many_a_second(void)
{
	uint64_t rate;
	int i;

	rate = COUNTED(DROP_RATE);
	begin(SESSION_OPEN);
	w.settings.source_packet_limit = 3;
	for (i = 0; i < 5; i++)
		frame(WS_BINARY, 1, 10, 'a');
	CHECK(all_come() && relayed == 3 && s->frames_in == 5);
	CHECK(COUNTED(DROP_RATE) == rate + 2 && violation == 0);
	w.settings.source_packet_limit = 0;
}

/* While we close, what is long is skipped and never kept. */
static void
test_while_we_close_only_control_frames_count(void)
{
	size_t total;

	begin(SESSION_CLOSING);
	frame(WS_BINARY, 1, 20, 'a');
	frame(WS_CLOSE, 1, 0, 0);
	CHECK(all_come() && relayed == 0 && controls == 1);
	begin(SESSION_CLOSING);
	frame(WS_BINARY, 1, 200, 'a');
	used -= 50;
	CHECK(come(&total) == used - RX_HEADROOM && total == 0);
	CHECK(s->skip == 50);
	begin(SESSION_CLOSING);
	frame(WS_BINARY, 1, w.settings.max_frame + 1, 'a');
	used = RX_HEADROOM + 20;
	CHECK(come(&total) == 20 && s->skip == SKIP_ALL);
}

/* A text fails at its first bad octet, before its frame is whole. */
static void
test_a_text_that_grows(void)
{
	struct session *largest;
	size_t total;

	begin(SESSION_OPEN);
	frame(WS_TEXT, 1, 50, 'a');
	used -= 10;
	CHECK(come(&total) == 0 && total == 56);
	CHECK(inbound_keep(&w, s, room + RX_HEADROOM, used - RX_HEADROOM, total,
		  &largest) == 0);
	session_frame_grows(&w, s);
	CHECK(violation == 0 && s->pending->checked == 40);
	s->pending->data[s->pending->len++] = 0xff;
	session_frame_grows(&w, s);
	CHECK(violation == WS_STATUS_BAD_DATA);
	free(inbound_take_pending(&w, s));
}

int
main(void)
{
	static uint8_t rx[RX_SIZE];

	(void)parts_sessions();
	w.upper.frame = upper_frame;
	w.rx = rx;
	w.settings.max_frame = 32768;
	RUN(test_binary_is_relayed_and_text_ignored);
	RUN(test_before_it_is_open_all_is_the_logins);
	RUN(test_what_is_incomplete_stays);
	RUN(test_fragments_are_put_together);
	RUN(test_fragments_out_of_turn);
	RUN(test_a_message_of_the_most_and_one_byte_more);
	RUN(test_what_breaks_the_protocol);
	RUN(test_so_many_a_second);
	RUN(test_while_we_close_only_control_frames_count);
	RUN(test_a_text_that_grows);
	return (test_failed());
}
