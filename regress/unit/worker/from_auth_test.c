/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "regress/unit/worker/parts.h"

/* What auth may say, and what is done when it breaks the rules or is gone. */

static struct imsgbuf auth;
static int refused, granted, lost, topped_up;
static uint32_t nonces; /* handed on */

const char *
login_nonces(
    struct worker *of, const struct msg_nonces *msg, const uint8_t *values)
{
	if (values[0] != 'x')
		return ("not what was sent");
	nonces += msg->count;
	return (NULL);
}

const char *
login_refused(struct worker *of, const struct msg_refused *msg)
{
	refused++;
	return (NULL);
}

void
punch_granted(struct worker *of, const struct msg_granted *msg)
{
	granted++;
}

void
login_auth_lost(struct worker *of)
{
	lost++;
}

void
login_top_up(struct worker *of)
{
	topped_up++;
}

/* A new channel to auth. */
static void
connect_auth(void)
{
	int pair[2];

	imsgbuf_clear(&auth);
	if (channel_pair(pair) == -1 || imsgbuf_init(&auth, pair[1]) == -1)
		abort();
	from_auth_open(&w, pair[0]);
}

/* Auth says that; returns whether it is still listened to. */
static int
says(uint32_t type, const void *data, size_t len)
{
	if (imsg_compose(&auth, type, 0, 0, -1, data, len) == -1 ||
	    imsgbuf_write(&auth) == -1)
		abort();
	ev_run(w.loop, EVRUN_NOWAIT);
	return (w.auth.open);
}

/* count nonces are announced, `sent` follow. */
static int
says_nonces(uint32_t count, uint32_t sent)
{
	uint8_t bytes[sizeof(struct msg_nonces) +
		      (PROTO_NONCES_MAX + 1) * PROTO_NONCE_LEN];
	struct msg_nonces msg;

	memset(&msg, 0, sizeof(msg));
	msg.count = count;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, &msg, sizeof(msg));
	return (says(
	    AW_NONCES, bytes, sizeof(msg) + (size_t)sent * PROTO_NONCE_LEN));
}

static void
test_each_message_goes_to_its_own(void)
{
	static const struct msg_refused who;
	static const struct msg_granted grant;

	connect_auth();
	CHECK(topped_up == 1 && lost == 0);
	CHECK(says(AW_REFUSED, &who, sizeof(who)) && refused == 1);
	CHECK(says(AW_GRANTED, &grant, sizeof(grant)) && granted == 1);
	CHECK(says_nonces(1, 1) && nonces == 1);
	CHECK(says_nonces(PROTO_NONCES_MAX, PROTO_NONCES_MAX));
	CHECK(nonces == 1 + PROTO_NONCES_MAX && lost == 0);
}

/* What depends on a channel is told when it is replaced. */
static void
test_a_second_auth_takes_the_place_of_the_first(void)
{
	topped_up = lost = 0;
	connect_auth();
	CHECK(lost == 1 && topped_up == 1);
	CHECK(says_nonces(1, 1));
}

static void
test_a_count_that_does_not_fit_ends_it(void)
{
	static const uint32_t wrong[][2] = { { 0, 1 }, { 2, 1 }, { 1, 2 },
		{ PROTO_NONCES_MAX + 1, PROTO_NONCES_MAX }, { UINT32_MAX, 1 } };
	uint32_t before;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (!w.auth.open)
			connect_auth();
		before = nonces;
		lost = 0;
		CHECK(!says_nonces(wrong[i][0], wrong[i][1]));
		CHECK(lost == 1 && nonces == before);
	}
}

static void
test_what_is_not_its_to_say_ends_it(void)
{
	static const struct msg_refused who;
	static const uint32_t types[] = { PW_OPEN, WA_VERIFY, AW_GRANTED + 1 };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		connect_auth();
		lost = 0;
		CHECK(!says(types[i], &who, sizeof(who)) && lost == 1);
	}
	connect_auth();
	CHECK(!says(AW_REFUSED, &who, sizeof(who) - 1));
}

static void
test_the_end_of_auth_is_told(void)
{
	connect_auth();
	lost = 0;
	(void)close(auth.fd);
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(!w.auth.open && lost == 1);
}

int
main(void)
{
	parts_loop();
	RUN(test_each_message_goes_to_its_own);
	RUN(test_a_second_auth_takes_the_place_of_the_first);
	RUN(test_a_count_that_does_not_fit_ends_it);
	RUN(test_what_is_not_its_to_say_ends_it);
	RUN(test_the_end_of_auth_is_told);
	return (test_failed());
}
