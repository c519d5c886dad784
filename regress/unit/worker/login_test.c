/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <unistd.h>

#include "regress/unit/still_clock.h"
#include "regress/unit/worker/parts.h"

/* The worker's part of a login, with auth and a client that the test plays. */

#define SIG                                                                \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAA=="
#define REPLY "{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":\"" SIG "\"}"

static struct imsgbuf auth;
static struct stranger strangers[PARTS_SESSIONS];
static int clients[PARTS_SESSIONS];
static int later, broken, freed;
static int closed; /* code */
static struct msg_closed told;
static char ok_frame[64]; /* what a session was told when it was open */

void
session_send_pongs(struct worker *of, struct session *s)
{
}

void
session_close(struct worker *of, struct session *s, int code, const char *why)
{
	closed = code;
	s->state = SESSION_CLOSING;
}

void
session_try_later(struct worker *of, struct session *s)
{
	later++;
	s->state = SESSION_CLOSING;
}

struct session *
session_find(struct worker *of, uint32_t slot, uint32_t serial, uint32_t states)
{
	struct session *s;

	if (slot >= w.nslots)
		return (NULL);
	s = &w.sessions[slot];
	if (s->serial != serial || (SESSION_STATE_BIT(s->state) & states) == 0)
		return (NULL);
	return (s);
}

void
broken_mark(struct worker *of, struct session *s)
{
	broken++;
	s->state = SESSION_BROKEN;
}

uint32_t
outq_frames(struct worker *of, struct session *s, struct iovec *iov, int n,
    size_t len, uint32_t frames)
{
	memcpy(ok_frame, iov->iov_base, len);
	ok_frame[len] = '\0';
	return (frames);
}

void
stranger_free(struct strangers *all, struct stranger *x)
{
	freed++;
}

void
tell_closed(struct worker *of, uint32_t node, uint32_t generation)
{
	told.node = node;
	told.generation = generation;
}

void
wheel_set(struct worker *of, struct session *s)
{
}

/* Session i was just upgraded, and its login begins. */
static struct session *
comes(uint32_t i)
{
	struct session *s;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	clients[i] = pair[1];
	s = parts_session(i, SESSION_NONCE);
	s->io.fd = pair[0];
	s->stranger = &strangers[i];
	login_begin(&w, s, "101\n", 4);
	return (s);
}

static void
goes(uint32_t i)
{
	(void)close(w.sessions[i].io.fd);
	(void)close(clients[i]);
	w.sessions[i].state = SESSION_FREE;
}

/* What client i has got; "" for nothing. */
static const char *
got(uint32_t i)
{
	static char bytes[1000];
	ssize_t n;

	n = recv(clients[i], bytes, sizeof(bytes) - 1, 0);
	bytes[n < 0 ? 0 : n] = '\0';
	return (bytes);
}

/* How many nonces auth was asked for, since the last time. */
static uint32_t
asked(void)
{
	struct msg_nonces_wanted msg;
	uint32_t n;

	for (n = 0;
	     parts_told(&w.auth, &auth, WA_NONCES, &msg, sizeof(msg)) == 1;)
		n += msg.count;
	return (n);
}

/* Auth sends count nonces; the first byte of each is its number. */
static const char *
nonces(uint32_t first, uint32_t count)
{
	static uint8_t values[NONCES_MAX * PROTO_NONCE_LEN];
	struct msg_nonces msg;
	uint32_t i;

	msg.first = first;
	msg.count = count;
	msg.wall = clock_wall_offset();
	for (i = 0; i < count; i++)
		memset(values + (size_t)i * PROTO_NONCE_LEN, (int)(first + i),
		    PROTO_NONCE_LEN);
	return (login_nonces(&w, &msg, values));
}

static void
begin(void)
{
	memset(&w.login.nnonces, 0, sizeof(w.login.nnonces));
	login_auth_lost(&w);
	w.login.nwaiters = 0;
	(void)asked();
	later = broken = closed = freed = 0;
	memset(&told, 0, sizeof(told));
	memset(ok_frame, 0, sizeof(ok_frame));
}

static void
test_nonces_are_had_ahead_of_need(void)
{
	uint32_t i;

	begin();
	login_top_up(&w);
	CHECK(asked() == NONCES_LOW);
	login_top_up(&w);
	CHECK(asked() == 0);
	for (i = 0; i < NONCES_LOW; i += PROTO_NONCES_MAX)
		CHECK(nonces(i, PROTO_NONCES_MAX) == NULL);
	CHECK(w.login.nnonces == NONCES_LOW && asked() == 0);
	/* One is used: below the mark. */
	(void)comes(0);
	CHECK(asked() == PROTO_NONCES_MAX);
	goes(0);
}

static void
test_none_that_was_not_asked_for(void)
{
	begin();
	CHECK(nonces(0, 1) != NULL && w.login.nnonces == 0);
	login_top_up(&w);
	CHECK(nonces(0, asked() + 1) != NULL);
	CHECK(nonces(0, NONCES_LOW) == NULL);
	CHECK(nonces(0, 1) != NULL);
}

static void
test_the_challenge_comes_with_the_101(void)
{
	struct session *s;
	char want[200];

	begin();
	login_top_up(&w);
	CHECK(nonces(0x11, 1) == NULL);
	s = comes(0);
	(void)snprintf(want, sizeof(want),
	    "101\n\x81\x75{\"type\":\"auth_challenge\",\"nonce\":\""
	    "11111111111111111111111111111111"
	    "11111111111111111111111111111111\",\"ts\":%u}",
	    (uint32_t)(clock_wall()));
	want[5] = (char)(strlen(want) - 6);
	CHECK(strcmp(got(0), want) == 0);
	CHECK(s->state == SESSION_REPLY && s->stranger->nonce == 0x11);
	CHECK(s->stranger->ts == clock_wall());
	goes(0);
}

static void
test_an_old_nonce_is_given_to_nobody(void)
{
	begin();
	login_top_up(&w);
	CHECK(nonces(0, 2) == NULL);
	w.tick += NONCE_TICKS_MAX - 1;
	CHECK(comes(0)->state == SESSION_REPLY);
	goes(0);
	w.tick++;
	CHECK(comes(0)->state == SESSION_NONCE);
	CHECK(strcmp(got(0), "101\n") == 0 && w.login.nnonces == 0);
	goes(0);
}

/* In the order in which they came; who is gone by then is passed over. */
static void
test_without_a_nonce_they_stand_in_line(void)
{
	uint32_t i;

	begin();
	login_top_up(&w);
	for (i = 0; i < PARTS_SESSIONS; i++) {
		CHECK(login_has_room(&w));
		CHECK(comes(i)->state == SESSION_NONCE);
		CHECK(strcmp(got(i), "101\n") == 0);
	}
	CHECK(!login_has_room(&w));
	w.sessions[0].serial++;
	CHECK(nonces(7, 2) == NULL);
	CHECK(w.sessions[0].state == SESSION_NONCE);
	CHECK(w.sessions[1].state == SESSION_REPLY);
	CHECK(w.sessions[2].state == SESSION_REPLY && strlen(got(2)) > 50);
	CHECK(w.sessions[3].state == SESSION_NONCE && login_has_room(&w));
	/* The last of a batch first: it is the freshest. */
	CHECK(strangers[1].nonce == 8 && strangers[2].nonce == 7);
	for (i = 0; i < PARTS_SESSIONS; i++)
		goes(i);
}

static void
test_who_takes_no_challenge_is_broken(void)
{
	struct session *s;

	begin();
	s = comes(0);
	(void)close(clients[0]);
	clients[0] = -1;
	login_top_up(&w);
	CHECK(nonces(0, 1) == NULL && broken == 1);
	CHECK(s->state == SESSION_BROKEN);
	goes(0);
}

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
	CHECK(closed == WS_STATUS_POLICY);
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

/* Session 0, of node 7, whose reply auth has. */
static struct session *
verifying(void)
{
	struct session *s;

	s = challenged();
	reply(s, WS_TEXT, REPLY);
	return (s);
}

static void
test_the_parent_opens_it(void)
{
	struct msg_open msg = { 0, 0, 7, 55 };
	struct session *s;

	s = verifying();
	msg.serial = s->serial;
	parts_know(7)->generation = 55;
	login_open(&w, &msg);
	CHECK(s->state == SESSION_OPEN && s->peer.generation == 55);
	CHECK(s->map_number == 7 && freed == 1 && s->stranger == NULL);
	CHECK(strcmp(ok_frame, "\x81\x12{\"type\":\"auth_ok\"}") == 0);
	CHECK(told.node == 0);
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

static void
test_refusals_in_their_words(void)
{
	struct msg_refused refused;
	struct msg_refuse refuse;
	uint64_t unanswered, capacity, flapping;
	struct session *s;

	unanswered = COUNTED(REFUSED_UNANSWERED);
	capacity = COUNTED(REFUSED_CAPACITY);
	flapping = COUNTED(REFUSED_FLAPPING);
	s = verifying();
	refused.slot = 0;
	refused.serial = s->serial;
	refused.reason = REFUSED_SIGNATURE;
	CHECK(login_refused(&w, &refused) == NULL);
	CHECK(closed == WS_STATUS_POLICY && s->why == WHY_SIGNATURE);
	/* It is not there any more. */
	closed = 0;
	refused.reason = REFUSED_UNANSWERED;
	CHECK(login_refused(&w, &refused) == NULL);
	CHECK(closed == 0 && COUNTED(REFUSED_UNANSWERED) == unanswered);
	goes(0);
	s = verifying();
	refused.reason = 0;
	CHECK(login_refused(&w, &refused) != NULL);
	refused.reason = REFUSED_MAX;
	CHECK(login_refused(&w, &refused) != NULL && closed == 0);
	refused.reason = REFUSED_UNANSWERED;
	CHECK(login_refused(&w, &refused) == NULL);
	CHECK(closed == WS_STATUS_TRY_LATER && s->why == WHY_UNANSWERED);
	CHECK(COUNTED(REFUSED_UNANSWERED) == unanswered + 1);
	goes(0);
	memset(&refuse, 0, sizeof(refuse));
	refuse.serial = s->serial;
	refuse.reason = REFUSE_CAPACITY;
	s = verifying();
	login_refuse(&w, &refuse);
	CHECK(closed == WS_STATUS_TRY_LATER);
	CHECK(COUNTED(REFUSED_CAPACITY) == capacity + 1);
	goes(0);
	refuse.reason = REFUSE_FLAPPING;
	s = verifying();
	login_refuse(&w, &refuse);
	CHECK(COUNTED(REFUSED_FLAPPING) == flapping + 1);
	goes(0);
}

/* What depends on its nonces is to come again; who waits for one waits. */
static void
test_auth_is_gone(void)
{
	struct session *s;

	s = verifying();
	CHECK(comes(1)->state == SESSION_NONCE);
	login_auth_lost(&w);
	CHECK(later == 1 && s->state == SESSION_CLOSING);
	CHECK(w.sessions[1].state == SESSION_NONCE);
	CHECK(w.login.nnonces == 0 && w.login.nonces_asked == 0);
	goes(0);
	goes(1);
}

int
main(void)
{
	parts_loop();
	parts_channel(&w.auth, &auth);
	(void)parts_sessions();
	(void)parts_map();
	w.tick = 1000;
	w.settings.ping_interval = 30;
	login_init(&w);
	RUN(test_nonces_are_had_ahead_of_need);
	RUN(test_none_that_was_not_asked_for);
	RUN(test_the_challenge_comes_with_the_101);
	RUN(test_an_old_nonce_is_given_to_nobody);
	RUN(test_without_a_nonce_they_stand_in_line);
	RUN(test_who_takes_no_challenge_is_broken);
	RUN(test_a_reply_goes_to_auth);
	RUN(test_what_is_no_reply);
	RUN(test_the_parent_opens_it);
	RUN(test_what_cannot_be_opened_is_told);
	RUN(test_refusals_in_their_words);
	RUN(test_auth_is_gone);
	return (test_failed());
}
