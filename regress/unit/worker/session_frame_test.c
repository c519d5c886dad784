/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/frame_parts.h"

/* Frames and messages: which go where, and which end the session. */

static void
test_binary_is_relayed_and_text_ignored(void)
{
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, 20, 'a');
	frame(WS_PING, 1, 0, 0);
	frame(WS_TEXT, 1, 5, 'b');
	frame(WS_BINARY, 1, 200, 'c');
	CHECK(all_come() && relayed == 2 && controls == 1);
	CHECK(last_len == 200 && last[0] == 'c' && last[199] == 'c');
	counted_page.value[COUNTER_FRAMES_IN] += 2;
	CHECK(counted(COUNTER_TEXT_IGNORED));
	CHECK(s->frames_in == 2 && violations == 0);
}

/* But for its last byte; is that, too, the end of all that came? */
static int
half_comes(void)
{
	size_t total;

	used--;
	return (come(&total) == used - RX_HEADROOM && total == 0 &&
		s->skip == SKIP_ALL);
}

/* Is that the end, and is nothing done of it or of what comes behind it? */
static int
ends(enum session_why why)
{
	frame(WS_PING, 1, 0, 0);
	return (all_come() && controls == 0 && logins == 0 && relayed == 0 &&
		violation == why && violations == 1);
}

static void
test_before_it_is_open_all_is_the_logins(void)
{
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, LOGIN_REPLY_MAX, '{');
	CHECK(all_come() && logins == 1 && relayed == 0 && counted_all());
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, LOGIN_REPLY_MAX + 1, '{');
	CHECK(all_come() && logins == 0);
	CHECK(failed == WS_STATUS_POLICY && violations == 0);
	CHECK(s->why == WHY_TOO_BIG);
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, LOGIN_REPLY_MAX + 1, '{');
	CHECK(half_comes() && failed == WS_STATUS_POLICY);
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
	CHECK(ends(WHY_FRAGMENT));
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, 1, 'a');
	frame(WS_BINARY, 1, 1, 'b');
	CHECK(ends(WHY_FRAGMENT));
	/* One cause is enough. */
	begin(SESSION_OPEN);
	frame(WS_CONTINUATION, 1, w.settings.max_frame + 1, 'a');
	CHECK(ends(WHY_FRAGMENT));
}

static void
test_a_message_of_the_most_and_one_byte_more(void)
{
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, w.settings.max_frame, 'a');
	CHECK(all_come() && relayed == 1 && violations == 0);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, w.settings.max_frame + 1, 'a');
	CHECK(all_come() && relayed == 0 && violation == WHY_TOO_BIG);
	CHECK(violations == 1);
	/* In parts, none of which is too long. */
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, w.settings.max_frame, 'a');
	frame(WS_CONTINUATION, 1, 1, 'b');
	CHECK(all_come() && relayed == 0 && violation == WHY_TOO_BIG);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, w.settings.max_frame - 1, 'a');
	frame(WS_CONTINUATION, 1, 1, 'b');
	CHECK(all_come() && relayed == 1 && violations == 0);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, w.settings.max_frame, 'a');
	frame(WS_CONTINUATION, 1, 0, 0);
	CHECK(all_come() && relayed == 1 && violations == 0);
}

static void
test_so_many_a_second(void)
{
	int i;

	begin(SESSION_OPEN);
	w.settings.source_packet_limit = 3;
	for (i = 0; i < 5; i++)
		frame(WS_BINARY, 1, 10, 'a');
	CHECK(all_come() && relayed == 3 && s->frames_in == 5);
	w.settings.source_packet_limit = 0;
	counted_page.value[COUNTER_FRAMES_IN] += 5;
	counted_page.value[COUNTER_DROP_RATE] += 2;
	CHECK(counted_all() && violations == 0);
	begin(SESSION_OPEN);
	w.settings.source_byte_limit = 29;
	for (i = 0; i < 3; i++)
		frame(WS_BINARY, 1, 10, 'a');
	CHECK(all_come() && relayed == 2);
	w.settings.source_byte_limit = 0;
	counted_page.value[COUNTER_FRAMES_IN] += 3;
	CHECK(counted(COUNTER_DROP_BYTE_RATE) && violations == 0);
}

/* While we close, what is long is skipped and never kept. */
static void
test_while_we_close_only_control_frames_count(void)
{
	size_t total;

	begin(SESSION_CLOSING);
	frame(WS_BINARY, 1, 20, 'a');
	frame(WS_CLOSE, 1, 0, 0);
	CHECK(all_come() && relayed == 0 && controls == 1 && logins == 0);
	/* As it comes from a proxy. */
	begin(SESSION_CLOSING);
	used += ws_header_build(room + used, WS_CLOSE, 0);
	CHECK(all_come() && controls == 1 && violations == 0);
	begin(SESSION_CLOSING);
	frame(WS_BINARY, 1, w.settings.max_frame, 'a');
	used -= 50;
	CHECK(come(&total) == used - RX_HEADROOM && s->skip == 50);
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

static void
test_nothing_is_done_of_a_bad_header(void)
{
	begin(SESSION_OPEN);
	frame(WS_PING, 1, 0, 0);
	frame(WS_PING, 1, 0, 0);
	room[RX_HEADROOM + 6] |= 0x40;
	CHECK(all_come() && violation == WHY_HEADER && controls == 1);
}

static void
test_what_breaks_the_protocol(void)
{
	begin(SESSION_OPEN); /* no mask */
	used += ws_header_build(room + used, WS_BINARY, 1);
	used++;
	CHECK(ends(WHY_MASK));
	begin(SESSION_OPEN);
	used += ws_header_build(room + used, WS_PING, 0);
	CHECK(ends(WHY_MASK));
	begin(SESSION_OPEN); /* a proxy's */
	used += ws_header_build(room + used, WS_CLOSE, 0);
	CHECK(ends(WHY_PROXY));
	begin(SESSION_OPEN); /* a reserved bit */
	frame(WS_BINARY, 1, 1, 'a');
	room[RX_HEADROOM] |= 0x40;
	CHECK(ends(WHY_HEADER));
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, w.settings.max_frame + 1, 'a');
	CHECK(ends(WHY_TOO_BIG));
}

/* The rest of a frame that has ended the session is never waited for. */
static void
test_half_a_frame_breaks_it_as_well(void)
{
	begin(SESSION_OPEN);
	used += ws_header_build(room + used, WS_BINARY, 2);
	used += 2;
	CHECK(half_comes() && violation == WHY_MASK && violations == 1);
	begin(SESSION_OPEN);
	frame(WS_CONTINUATION, 1, 2, 'a');
	CHECK(half_comes() && violation == WHY_FRAGMENT && violations == 1);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 1, w.settings.max_frame + 1, 'a');
	CHECK(half_comes() && violation == WHY_TOO_BIG && violations == 1);
}

/* It has hung up, or is to be reaped. */
static void
test_of_a_session_that_has_ended_nothing_is_read(void)
{
	begin(SESSION_LINGER);
	frame(WS_PING, 1, 0, 0);
	CHECK(all_come() && controls == 0 && violations == 0);
	begin(SESSION_CLOSING);
	s->skip = SKIP_ALL;
	frame(WS_PING, 1, 0, 0);
	CHECK(all_come() && controls == 0 && violations == 0);
}

/* A fragment, when others hold all that there is but n bytes. */
static void
comes_when_others_hold_all(size_t n)
{
	size_t most;

	frame(WS_BINARY, 0, 20, 'a');
	most = INBOUND_PEERS_MAX - w.inbound[INBOUND_PEERS].bytes - n;
	w.inbound[INBOUND_PEERS].bytes += most;
	(void)all_come();
	w.inbound[INBOUND_PEERS].bytes -= most;
}

static void
test_a_fragment_without_room(void)
{
	struct session *other;

	begin(SESSION_OPEN);
	comes_when_others_hold_all(10);
	CHECK(later == 1 && s->message == NULL && violations == 0);
	begin(SESSION_OPEN);
	other = parts_session(1, SESSION_OPEN);
	CHECK(inbound_room(&w, other, 30000, &other) == 0);
	comes_when_others_hold_all(10);
	CHECK(later == 0 && crowded == 1);
	CHECK(s->message != NULL && s->message->len == 20);
}

int
main(void)
{
	frame_parts_init();
	RUN(test_binary_is_relayed_and_text_ignored);
	RUN(test_before_it_is_open_all_is_the_logins);
	RUN(test_what_is_incomplete_stays);
	RUN(test_fragments_are_put_together);
	RUN(test_fragments_out_of_turn);
	RUN(test_a_message_of_the_most_and_one_byte_more);
	RUN(test_so_many_a_second);
	RUN(test_while_we_close_only_control_frames_count);
	RUN(test_nothing_is_done_of_a_bad_header);
	RUN(test_what_breaks_the_protocol);
	RUN(test_half_a_frame_breaks_it_as_well);
	RUN(test_of_a_session_that_has_ended_nothing_is_read);
	RUN(test_a_fragment_without_room);
	return (test_failed());
}
