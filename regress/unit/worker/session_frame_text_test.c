/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/frame_parts.h"

/* Is text what it says: of whole messages, of fragments, and as it comes. */

static void
test_a_text_that_is_none(void)
{
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, 1, 0xff);
	CHECK(all_come() && violation == WHY_UTF8 && logins == 0);
	/* A character that is cut by the end of the message, not of a part. */
	begin(SESSION_REPLY);
	frame(WS_TEXT, 1, 1, 0xc3);
	CHECK(all_come() && violation == WHY_UTF8 && logins == 0);
	begin(SESSION_OPEN);
	frame(WS_TEXT, 0, 1, 0xc3);
	frame(WS_CONTINUATION, 1, 1, 0xbc);
	CHECK(all_come() && violations == 0 && counted(COUNTER_TEXT_IGNORED));
	begin(SESSION_OPEN);
	frame(WS_TEXT, 0, 1, 0xc3);
	frame(WS_CONTINUATION, 1, 0, 0);
	CHECK(all_come() && violation == WHY_UTF8 && counted_all());
}

/* A frame of that text, of which the first byte has come, is kept. */
static void
keep(int opcode, const char *text)
{
	struct session *largest;
	size_t i, n, off, total;

	n = strlen(text);
	frame(opcode, 1, n, 0);
	for (i = 0; i < n; i++)
		room[used - n + i] ^= (uint8_t)text[i];
	used -= n - 1;
	off = RX_HEADROOM + come(&total);
	if (inbound_keep(&w, s, room + off, used - off, total, &largest) != 0)
		abort();
	session_frame_grows(&w, s);
}

/* One byte more. */
static void
grow(void)
{
	s->pending->data[s->pending->len++] = room[used++];
	session_frame_grows(&w, s);
}

/* It fails at its first bad octet, before its frame is whole. */
static void
test_a_text_that_grows(void)
{
	begin(SESSION_OPEN);
	keep(WS_TEXT, "a\xc3\xbc\xff.");
	CHECK(s->pending->checked == 1);
	grow();
	grow();
	CHECK(violations == 0 && s->pending->checked == 3);
	grow();
	CHECK(violation == WHY_UTF8);
	/* Binary may be anything. */
	begin(SESSION_OPEN);
	keep(WS_BINARY, "a\xff.");
	grow();
	CHECK(violations == 0);
}

/* The character that the fragment before has begun goes on. */
static void
test_a_text_that_grows_by_fragments(void)
{
	begin(SESSION_OPEN);
	frame(WS_TEXT, 0, 1, 0xc3);
	keep(WS_CONTINUATION, "\xbc"
			      "ab\xff.");
	grow();
	grow();
	CHECK(violations == 0 && s->pending->checked == 3);
	grow();
	CHECK(violation == WHY_UTF8);
	begin(SESSION_OPEN);
	frame(WS_BINARY, 0, 1, 'a');
	keep(WS_CONTINUATION, "\xff\xff.");
	grow();
	CHECK(violations == 0);
}

/* What is no frame yet, and what is not listened to any more. */
static void
test_what_grows_and_is_not_looked_at(void)
{
	begin(SESSION_OPEN);
	keep(WS_TEXT, "a\xff.");
	s->pending->total = 0;
	grow();
	CHECK(violations == 0);
	begin(SESSION_OPEN);
	keep(WS_TEXT, "a\xff.");
	s->state = SESSION_CLOSING;
	grow();
	CHECK(violations == 0);
}

int
main(void)
{
	frame_parts_init();
	RUN(test_a_text_that_is_none);
	RUN(test_a_text_that_grows);
	RUN(test_a_text_that_grows_by_fragments);
	RUN(test_what_grows_and_is_not_looked_at);
	return (test_failed());
}
