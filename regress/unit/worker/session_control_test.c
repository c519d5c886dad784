/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"

/* Pings and the peer's close frame. */

static int violations;
static int failed_with; /* session_fail()'s code; 0: not called */
static int broken;

void
broken_mark(struct worker *of, struct session *s)
{
	broken++;
}

void
session_violation(struct worker *of, struct session *s, enum session_why why)
{
	violations++;
	s->state = SESSION_CLOSING;
}

void
session_fail(struct worker *of, struct session *s, int code, const char *why)
{
	failed_with = code;
	s->state = SESSION_CLOSING;
}

static struct session *
comes(enum ws_opcode opcode, const char *payload, size_t len)
{
	struct ws_header h;
	struct session *s;

	memset(&h, 0, sizeof(h));
	h.opcode = (uint8_t)opcode;
	h.payload_len = len;
	violations = failed_with = broken = 0;
	s = parts_session(0, SESSION_OPEN);
	session_control(&w, s, &h, (const uint8_t *)payload);
	return (s);
}

static void
test_a_pong_for_each_ping_in_one_write(void)
{
	w.pongs.len = 0;
	(void)comes(WS_PING, "", 0);
	(void)comes(WS_PING, "abc", 3);
	(void)comes(WS_PONG, "zzz", 3);
	CHECK(w.pongs.len == 7);
	CHECK(memcmp(w.pongs.bytes, "\x8a\0\x8a\3abc", 7) == 0);
}

/* The last takes the place of the one before it: RFC 6455 section 5.5.3. */
static void
test_more_pings_than_have_room(void)
{
	static char payload[WS_CONTROL_MAX];
	size_t len;
	int i;

	w.pongs.len = 0;
	for (i = 0; i < 100; i++) {
		memset(payload, i, sizeof(payload));
		(void)comes(WS_PING, payload, sizeof(payload));
		CHECK(w.pongs.len <= sizeof(w.pongs.bytes));
	}
	len = w.pongs.len;
	CHECK(len == 16 * (WS_CONTROL_MAX + 2));
	CHECK(w.pongs.bytes[2] == 0 && w.pongs.bytes[len - 1] == 99);
	/* A smaller one behind: the row is whole still. */
	(void)comes(WS_PING, "x", 1);
	CHECK(w.pongs.len == 15 * (WS_CONTROL_MAX + 2) + 3);
	CHECK(memcmp(w.pongs.bytes + w.pongs.last, "\x8a\1x", 3) == 0);
}

static void
test_a_close_is_answered_with_its_code(void)
{
	(void)comes(WS_CLOSE, "", 0);
	CHECK(failed_with == WS_STATUS_NORMAL && broken == 1);
	(void)comes(WS_CLOSE, "\x03\xe9", 2);
	CHECK(failed_with == WS_STATUS_GOING_AWAY && violations == 0);
	(void)comes(WS_CLOSE, "\x0f\xa0gr\xc3\xbc\xc3\x9f", 9);
	CHECK(failed_with == 4000 && violations == 0);
}

static void
test_a_close_that_is_none(void)
{
	(void)comes(WS_CLOSE, "\x03", 1);
	CHECK(violations == 1 && failed_with == 0);
	(void)comes(WS_CLOSE, "\x03\xed", 2); /* 1005 */
	CHECK(violations == 1);
	(void)comes(WS_CLOSE, "\x03\xe8\xff", 3);
	CHECK(violations == 1);
	(void)comes(WS_CLOSE, "\x03\xe8\xc3", 3); /* half a character */
	CHECK(violations == 1 && failed_with == 0);
}

/* Our close frame has left, theirs has come: that is all. */
static void
test_when_both_have_closed(void)
{
	static struct outq outq;
	struct ws_header h;
	struct session *s;

	memset(&h, 0, sizeof(h));
	h.opcode = WS_CLOSE;
	s = parts_session(0, SESSION_CLOSING);
	broken = failed_with = 0;
	session_control(&w, s, &h, NULL);
	CHECK(broken == 1 && failed_with == 0);
	/* Ours still waits to be sent. */
	s = parts_session(0, SESSION_OPEN);
	s->outq = &outq;
	broken = 0;
	session_control(&w, s, &h, NULL);
	CHECK(broken == 0 && failed_with == WS_STATUS_NORMAL);
}

int
main(void)
{
	(void)parts_sessions();
	RUN(test_a_pong_for_each_ping_in_one_write);
	RUN(test_more_pings_than_have_room);
	RUN(test_a_close_is_answered_with_its_code);
	RUN(test_a_close_that_is_none);
	RUN(test_when_both_have_closed);
	return (test_failed());
}
