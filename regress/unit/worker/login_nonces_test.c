/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/login_parts.h"

/* Nonces from auth, and the challenges that they become. */

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

/* However many wait; and none is counted as asked for that is not. */
static void
test_no_more_than_there_is_room_for(void)
{
	uint32_t i;

	begin();
	w.login.nwaiters = NONCES_MAX;
	login_top_up(&w);
	CHECK(asked() == NONCES_MAX);
	w.login.nwaiters = 0;
	/* The last of them touches nothing behind it. */
	for (i = 0; i < NONCES_MAX; i += PROTO_NONCES_MAX)
		CHECK(nonces(i, PROTO_NONCES_MAX) == NULL);
	CHECK(w.login.nnonces == NONCES_MAX && asked() == 0);
	begin();
	w.login.nnonces = 1;
	w.login.nwaiters = NONCES_MAX;
	login_top_up(&w);
	CHECK(asked() == NONCES_MAX - PROTO_NONCES_MAX);
	begin();
	w.auth.open = 0;
	login_top_up(&w);
	w.auth.open = 1;
	CHECK(w.login.nonces_asked == 0 && asked() == 0);
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

/* Is text that, and the frame of a challenge by a nonce of that byte in hex? */
static int
is_challenge(const char *first, const char *text, const char *byte)
{
	char want[200];
	int i, n;

	n = snprintf(want, sizeof(want),
	    "%s\x81?{\"type\":\"auth_challenge\",\"nonce\":\"", first);
	for (i = 0; i < PROTO_NONCE_LEN; i++)
		n += snprintf(want + n, sizeof(want) - (size_t)n, "%s", byte);
	(void)snprintf(want + n, sizeof(want) - (size_t)n, "\",\"ts\":%u}",
	    (uint32_t)clock_wall());
	want[strlen(first) + 1] = (char)(strlen(want) - strlen(first) - 2);
	return (strcmp(text, want) == 0);
}

static void
test_the_challenge_comes_with_the_101(void)
{
	struct session *s;

	begin();
	login_top_up(&w);
	CHECK(nonces(0x11, 1) == NULL);
	s = comes(0);
	CHECK(is_challenge("101\n", got(0), "11"));
	CHECK(s->state == SESSION_REPLY && s->stranger->nonce == 0x11);
	CHECK(s->stranger->ts == clock_wall() && counted(COUNTER_CHALLENGES));
	goes(0);
}

/* Each of a batch is whole, and what is behind it as before. */
static void
test_nonces_are_what_auth_says(void)
{
	uint8_t want[PROTO_NONCE_LEN];
	uint32_t i;

	begin();
	login_top_up(&w);
	w.login.nonces[3].number = 77;
	CHECK(nonces(4, 3) == NULL && w.login.nnonces == 3);
	CHECK(w.login.nonces[3].number == 77);
	for (i = 0; i < 3; i++) {
		memset(want, (int)(4 + i), sizeof(want));
		CHECK(w.login.nonces[i].number == 4 + i);
		CHECK(memcmp(w.login.nonces[i].value, want, 32) == 0);
	}
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
	CHECK(w.sessions[2].state == SESSION_REPLY);
	CHECK(is_challenge("", got(2), "07"));
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

int
main(void)
{
	login_parts_init();
	RUN(test_nonces_are_had_ahead_of_need);
	RUN(test_no_more_than_there_is_room_for);
	RUN(test_none_that_was_not_asked_for);
	RUN(test_the_challenge_comes_with_the_101);
	RUN(test_nonces_are_what_auth_says);
	RUN(test_an_old_nonce_is_given_to_nobody);
	RUN(test_without_a_nonce_they_stand_in_line);
	RUN(test_who_takes_no_challenge_is_broken);
	return (test_failed());
}
