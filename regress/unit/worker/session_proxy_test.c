/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"

/* Whose a connection is, and what is done with one of a proxy's. */

static struct session *s;
static int joins = 1; /* boolean: what session_join_source() says */
static int joined;    /* calls of it */

int
session_join_source(struct worker *of, struct session *x)
{
	joined++;
	return (joins);
}

void
wheel_set(struct worker *of, struct session *x)
{
}

void
broken_mark(struct worker *of, struct session *x)
{
	x->state = SESSION_BROKEN;
}

/* A connection of 192.0.2.1, or of a proxy. */
static void
begin(int of_proxy)
{
	s = parts_session(0, SESSION_HEAD);
	s->peer.at = parts_endpoint(1, 4000);
	if (of_proxy)
		memcpy(s->peer.at.addr + 12, "\x7f\0\0\1", 4);
	s->deadline = 1;
	joined = 0;
}

#define TCP4 "PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n"

static size_t
header(const char *bytes)
{
	return (session_proxy(&w, s, (const uint8_t *)bytes, strlen(bytes)));
}

static void
test_a_source_may_have_no_more(void)
{
	uint64_t refused;

	refused = COUNTED(REFUSED_HALF_OPEN);
	begin(0);
	session_client_known(&w, s);
	CHECK(joined == 1 && s->state == SESSION_HEAD);
	joins = 0;
	begin(0);
	session_client_known(&w, s);
	CHECK(s->state == SESSION_BROKEN);
	CHECK(COUNTED(REFUSED_HALF_OPEN) == refused + 1);
	/* A proxy speaks for many. */
	begin(1);
	session_client_known(&w, s);
	CHECK(joined == 0 && s->state == SESSION_HEAD);
	joins = 1;
}

static void
test_a_header_is_awaited_of_a_proxy_alone(void)
{
	uint64_t refused;

	refused = COUNTED(FAIL_PROXY_UNTRUSTED);
	begin(1);
	session_proxy_expect(&w, s);
	CHECK(s->state == SESSION_PROXY && joined == 0);
	CHECK(s->deadline == w.tick + PROXY_TICKS);
	begin(0);
	session_proxy_expect(&w, s);
	CHECK(s->state == SESSION_BROKEN && joined == 0);
	CHECK(COUNTED(FAIL_PROXY_UNTRUSTED) == refused + 1);
}

static void
test_the_header_says_whose_it_is(void)
{
	w.settings.head_timeout = 5;
	begin(1);
	session_proxy_expect(&w, s);
	CHECK(header("PROXY TCP4 ") == 0 && s->state == SESSION_PROXY);
	CHECK(header(TCP4 "GET / ") == strlen(TCP4));
	CHECK(s->state == SESSION_HEAD && joined == 1);
	CHECK(s->deadline == w.tick + TICKS(5));
	CHECK(s->peer.at.addr[15] == 7 && s->peer.at.port == 4711);
	joins = 0;
	begin(1);
	session_proxy_expect(&w, s);
	CHECK(header(TCP4) == strlen(TCP4) && s->state == SESSION_BROKEN);
	joins = 1;
	begin(1);
	session_proxy_expect(&w, s);
	CHECK(header("PROXY UNKNOWN\r\n") == 15 && s->state == SESSION_HEAD);
	CHECK(joined == 0 && s->peer.at.port == 4000);
	CHECK(s->peer.at.addr[12] == 127);
}

static void
test_a_bad_one_or_a_late_one_ends_it(void)
{
	uint64_t late, malformed;

	late = COUNTED(FAIL_PROXY_TIMEOUT);
	malformed = COUNTED(FAIL_PROXY_BAD);
	begin(1);
	session_proxy_expect(&w, s);
	CHECK(header("GET / ") == 6 && s->state == SESSION_BROKEN);
	CHECK(COUNTED(FAIL_PROXY_BAD) == malformed + 1);
	begin(1);
	session_proxy_expect(&w, s);
	session_proxy_late(&w, s);
	CHECK(s->state == SESSION_BROKEN);
	CHECK(COUNTED(FAIL_PROXY_TIMEOUT) == late + 1);
}

int
main(void)
{
	(void)parts_sessions();
	parts_trust_loopback();
	RUN(test_a_source_may_have_no_more);
	RUN(test_a_header_is_awaited_of_a_proxy_alone);
	RUN(test_the_header_says_whose_it_is);
	RUN(test_a_bad_one_or_a_late_one_ends_it);
	return (test_failed());
}
