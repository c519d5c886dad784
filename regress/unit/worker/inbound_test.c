/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/worker.h"

static struct worker w;
static struct session s;

static const uint8_t bytes[100];

static void
test_pendings_are_bounded_in_all(void)
{
	s.state = SESSION_OPEN;
	w.inbound = INBOUND_MAX - 1000;
	CHECK(inbound_keep(&w, &s, bytes, sizeof(bytes), 2000) == -1);
	CHECK(s.pending == NULL);
	CHECK(w.inbound == INBOUND_MAX - 1000);
	CHECK(inbound_keep(&w, &s, bytes, sizeof(bytes), 900) == 0);
	inbound_free_pending(&w, s.pending);
	s.pending = NULL;
	CHECK(w.inbound == INBOUND_MAX - 1000);
}

static void
test_messages_are_bounded_in_all(void)
{
	w.inbound = INBOUND_MAX - 1000;
	CHECK(inbound_room(&w, &s, 2000) == -1);
	CHECK(s.message == NULL);
	CHECK(inbound_room(&w, &s, 100) == 0);
	/* What it has already does not count twice. */
	CHECK(inbound_room(&w, &s, 400) == 0);
	CHECK(inbound_room(&w, &s, 2000) == -1);
	inbound_free_message(&w, s.message);
	s.message = NULL;
	CHECK(w.inbound == INBOUND_MAX - 1000);
}

static void
test_strangers_have_a_part(void)
{
	s.state = SESSION_REPLY;
	w.inbound = INBOUND_STRANGERS - 100;
	CHECK(inbound_keep(&w, &s, bytes, sizeof(bytes), 900) == -1);
	s.state = SESSION_OPEN;
	CHECK(inbound_keep(&w, &s, bytes, sizeof(bytes), 900) == 0);
	inbound_free_pending(&w, s.pending);
	s.pending = NULL;
}

int
main(void)
{
	RUN(test_strangers_have_a_part);
	RUN(test_pendings_are_bounded_in_all);
	RUN(test_messages_are_bounded_in_all);
	return (test_failed());
}
