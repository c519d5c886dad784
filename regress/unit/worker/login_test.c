/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <jansson.h>

#include "regress/unit/worker/login_parts.h"

/* The worker's part of a login, from the reply to the challenge on. */

#define SIG                                                                \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAA=="
#define REPLY "{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":\"" SIG "\"}"

/* Session 0 with a challenge. */
static struct session *
challenged(void)
{
	begin();
	login_top_up(&w);
	(void)nonces(5, 1);
	(void)asked();
	return (comes(0));
}

static void
reply(struct session *s, int opcode, const char *text)
{
	login_message(&w, s, opcode, (const uint8_t *)text, strlen(text));
}

static void
test_a_reply_goes_to_auth(void)
{
	struct msg_verify msg;
	struct session *s;

	s = challenged();
	(void)asked();
	reply(s, WS_TEXT, REPLY);
	CHECK(s->state == SESSION_VERIFY && s->peer.node == 7);
	CHECK(parts_told(&w.auth, &auth, WA_VERIFY, &msg, sizeof(msg)) == 1);
	CHECK(msg.slot == 0 && msg.serial == s->serial && msg.node == 7);
	CHECK(msg.nonce == 5 && msg.ts == clock_wall());
	/* There is but one. */
	reply(s, WS_TEXT, REPLY);
	CHECK(closed == WS_STATUS_POLICY && s->why == WHY_MALFORMED);
	CHECK(parts_told(&w.auth, &auth, WA_VERIFY, &msg, sizeof(msg)) == -1);
	goes(0);
}

static void
test_what_is_no_reply(void)
{
	static const char *const bad[] = { "", "{}", "{", "[]",
		"{\"type\":\"auth_reply\",\"node_id\":0,\"sig\":\"" SIG "\"}",
		"{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":\"AA==\"}" };
	struct session *s;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = challenged();
		reply(s, WS_TEXT, bad[i]);
		CHECK(closed == WS_STATUS_POLICY && s->peer.node == 0);
		CHECK(s->why == WHY_MALFORMED && later == 0);
		goes(0);
	}
	s = challenged();
	reply(s, WS_BINARY, REPLY);
	CHECK(closed == WS_STATUS_POLICY);
	goes(0);
	/* Before there was a challenge. */
	begin();
	s = comes(0);
	CHECK(s->state == SESSION_NONCE);
	reply(s, WS_TEXT, REPLY);
	CHECK(closed == WS_STATUS_POLICY);
	goes(0);
}

static void *
no_malloc(size_t size)
{
	errno = ENOMEM;
	return (NULL);
}

/* It may be a good one. */
static void
test_a_reply_that_cannot_be_read_or_sent(void)
{
	struct session *s;

	s = challenged();
	json_set_alloc_funcs(no_malloc, free);
	reply(s, WS_TEXT, REPLY);
	json_set_alloc_funcs(malloc, free);
	CHECK(later == 1 && closed == 0);
	goes(0);
	s = challenged();
	w.auth.open = 0;
	reply(s, WS_TEXT, REPLY);
	w.auth.open = 1;
	CHECK(later == 1 && closed == 0);
	goes(0);
}

/* Session 0, of node 7, whose reply auth has. */
static struct session *
verifying(void)
{
	struct session *s;

	s = challenged();
	reply(s, WS_TEXT, REPLY);
	(void)counted_all();
	return (s);
}

static void
test_the_parent_opens_it(void)
{
	struct msg_open msg = { 0, 0, 7, 55 };
	struct histogram took;
	struct session *s;

	s = verifying();
	msg.serial = s->serial;
	parts_know(7)->generation = 55;
	took = counters->histogram[HISTOGRAM_LOGIN];
	still_pass(0.5);
	login_open(&w, &msg);
	CHECK(counters->histogram[HISTOGRAM_LOGIN].sum ==
	      took.sum + CLOCK_SECOND / 2);
	counters->histogram[HISTOGRAM_LOGIN] = took;
	CHECK(counted(COUNTER_AUTH_OK) && parts_came == 1);
	CHECK(s->state == SESSION_OPEN && s->peer.generation == 55);
	CHECK(s->map_number == 7 && s->peer.hint == PEERMAP_NONE);
	CHECK(freed == 1 && s->stranger == NULL);
	CHECK(s->since == w.tick && s->ping_due == w.tick + 1);
	CHECK(strcmp(ok_frame, "\x81\x12{\"type\":\"auth_ok\"}") == 0);
	CHECK(told.node == 0);
	goes(0);
}

/* In the same second, of which its last session has used up something. */
static void
test_who_is_back_has_used_what_it_had(void)
{
	struct msg_open msg = { 0, 0, 7, 55 };
	struct session last, *s;

	w.now = 50;
	memset(&last, 0, sizeof(last));
	last.peer.node = 7;
	last.packets.second = last.bytes.second = w.now;
	last.packets.used = 3;
	last.bytes.used = 500;
	spent_keep(spent_set(&w, 7), &last, w.now);
	s = verifying();
	msg.serial = s->serial;
	login_open(&w, &msg);
	CHECK(s->packets.second == w.now && s->packets.used == 3);
	CHECK(s->bytes.second == w.now && s->bytes.used == 500);
	goes(0);
}

/* It went away while auth and the parent were at it: the map must know. */
static void
test_what_cannot_be_opened_is_told(void)
{
	struct msg_open msg = { 0, 0, 7, 55 };
	struct session *s;

	s = verifying();
	msg.serial = s->serial + 1;
	login_open(&w, &msg);
	CHECK(told.node == 7 && told.generation == 55);
	begin();
	msg.serial = s->serial;
	msg.node = 8;
	s->state = SESSION_VERIFY;
	login_open(&w, &msg);
	CHECK(told.node == 8 && s->state == SESSION_VERIFY);
	msg.node = 7;
	msg.slot = PARTS_SESSIONS;
	begin();
	login_open(&w, &msg);
	CHECK(told.node == 7 && ok_frame[0] == '\0');
	goes(0);
}

/* Auth does not believe session 0, for that reason: the close, or 0. */
static int
refused(struct session *s, uint32_t reason)
{
	struct msg_refused msg = { 0, s->serial, reason };

	closed = 0;
	return (login_refused(&w, &msg) == NULL ? closed : -1);
}

static void
test_what_auth_refuses(void)
{
	static const struct {
		uint32_t reason;
		enum session_why why;
	} rows[] = { { REFUSED_NONCE, WHY_NONCE }, { REFUSED_AGE, WHY_AGE },
		{ REFUSED_UNKNOWN, WHY_UNKNOWN },
		{ REFUSED_SIGNATURE, WHY_SIGNATURE } };
	struct session *s;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = verifying();
		CHECK(refused(s, rows[i].reason) == WS_STATUS_POLICY);
		CHECK(s->why == rows[i].why && counted_all());
		/* It is not there any more. */
		CHECK(refused(s, REFUSED_UNANSWERED) == 0 && counted_all());
		goes(0);
	}
	s = verifying();
	CHECK(refused(s, 0) == -1 && refused(s, REFUSED_MAX) == -1);
	CHECK(closed == 0);
	CHECK(refused(s, REFUSED_UNANSWERED) == WS_STATUS_TRY_LATER);
	CHECK(s->why == WHY_UNANSWERED);
	CHECK(counted(COUNTER_REFUSED_UNANSWERED));
	goes(0);
}

static void
test_what_the_parent_refuses(void)
{
	static const struct {
		enum refuse_reason reason;
		int code;
		enum session_why why;
		enum counter counter;
	} rows[] = { { REFUSE_CAPACITY, WS_STATUS_TRY_LATER, WHY_CAPACITY,
			 COUNTER_REFUSED_CAPACITY },
		{ REFUSE_FLAPPING, WS_STATUS_TRY_LATER, WHY_FLAPPING,
		    COUNTER_REFUSED_FLAPPING },
		{ REFUSE_BLOCKED, WS_STATUS_POLICY, WHY_BLOCKED,
		    COUNTER_REFUSED_BLOCKED } };
	struct msg_refuse msg;
	struct session *s;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = verifying();
		msg.slot = 0;
		msg.serial = s->serial + 1;
		msg.reason = rows[i].reason;
		login_refuse(&w, &msg);
		CHECK(closed == 0 && counted_all());
		msg.serial = s->serial;
		login_refuse(&w, &msg);
		CHECK(closed == rows[i].code && s->why == rows[i].why);
		CHECK(counted(rows[i].counter));
		goes(0);
	}
}

/* What depends on its nonces is to come again; who waits for one waits. */
static void
test_auth_is_gone(void)
{
	struct session *s;

	s = verifying();
	CHECK(comes(1)->state == SESSION_NONCE);
	w.sessions[2].state = w.sessions[3].state = SESSION_REPLY;
	w.nslots = 3;
	login_auth_lost(&w);
	w.nslots = PARTS_SESSIONS;
	CHECK(later == 2 && s->state == SESSION_CLOSING);
	CHECK(w.sessions[1].state == SESSION_NONCE);
	CHECK(w.sessions[3].state == SESSION_REPLY);
	CHECK(w.login.nnonces == 0 && w.login.nonces_asked == 0);
	w.sessions[2].state = w.sessions[3].state = SESSION_FREE;
	goes(0);
	goes(1);
}

int
main(void)
{
	login_parts_init();
	RUN(test_a_reply_goes_to_auth);
	RUN(test_what_is_no_reply);
	RUN(test_a_reply_that_cannot_be_read_or_sent);
	RUN(test_the_parent_opens_it);
	RUN(test_who_is_back_has_used_what_it_had);
	RUN(test_what_cannot_be_opened_is_told);
	RUN(test_what_auth_refuses);
	RUN(test_what_the_parent_refuses);
	RUN(test_auth_is_gone);
	return (test_failed());
}
