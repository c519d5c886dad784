/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/accept_parts.h"

/* Listeners that come, stand still, and go. */

/* The session that another worker would have is not ours to take. */
static void
test_while_listeners_are_held(void)
{
	begin();
	accept_stop(&w);
	w.still.stage = STILL_LISTENERS;
	accept_start(&w);
	connect_and_turn(1);
	CHECK(made == 0 && !paused());
	w.still.stage = 0;
	accept_start(&w);
	connect_and_turn(0);
	CHECK(made == 1);
	/* And who is to stop does, at once or while it pauses. */
	accept_stop(&w);
	connect_and_turn(1);
	CHECK(made == 0);
	begin();
	refusal = EMFILE;
	connect_and_turn(1);
	accept_stop(&w);
	CHECK(!ev_is_active(&w.accept.timer));
	CHECK(!ev_is_active(&w.accept.listeners[0]->io));
}

static void
test_no_more_listeners_than_there_is_room_for(void)
{
	struct msg_listener msg = plain;

	msg.number = 1;
	while (w.accept.nlisteners < LISTENERS_MAX)
		CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(accept_listen(&w, &msg, listener) != NULL);
	CHECK(w.accept.nlisteners == LISTENERS_MAX);
	while (w.accept.nlisteners > 1)
		CHECK(accept_unlisten(&w, 1) == NULL);
	CHECK(accept_unlisten(&w, 1) != NULL);
}

/* Served at once, unless all pause; and so is who has come before it goes. */
static void
test_one_that_comes_and_goes_by_a_reload(void)
{
	struct msg_listener msg = plain;

	begin();
	msg.number = 7;
	w.parent.state = WORKER_RUNNING;
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(ev_is_active(&w.accept.listeners[1]->io));
	CHECK(accept_unlisten(&w, 7) == NULL && w.accept.nlisteners == 1);
	refusal = EMFILE;
	connect_and_turn(1);
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(paused() && !ev_is_active(&w.accept.listeners[1]->io));
	refusal = 0;
	CHECK(accept_unlisten(&w, 7) == NULL && made == 1);
}

/* The last of one that goes cannot be accepted: the pause begins anew. */
static void
test_one_that_goes_while_all_pause(void)
{
	struct msg_listener msg = plain;

	begin();
	msg.number = 7;
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	refusal = EMFILE;
	connect_and_turn(1);
	CHECK(paused());
	CHECK(accept_unlisten(&w, 7) == NULL && paused());
	/* The loop has the timer once, and where it says. */
	ev_verify(w.loop);
	begin();
	ev_verify(w.loop);
}

/* While all stand still for a move, a new one does, too. */
static void
test_one_that_comes_while_they_are_held(void)
{
	struct msg_listener msg = plain;

	begin();
	msg.number = 8;
	w.still.stage = STILL_LISTENERS;
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	w.still.stage = 0;
	CHECK(!ev_is_active(&w.accept.listeners[1]->io));
	CHECK(accept_unlisten(&w, 8) == NULL);
}

/* Who has come to one that goes: so many as there are, and places for. */
static void
test_the_last_of_a_listener(void)
{
	struct msg_listener msg = plain;

	begin();
	msg.number = 9;
	connect_and_turn(0);
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	endless = 1;
	w.slots_max = 3;
	CHECK(accept_unlisten(&w, 9) == NULL && made == 3);
	counted_page.value[COUNTER_ACCEPTED] += 3;
	CHECK(counted(COUNTER_REFUSED_BUSY));
	begin();
	w.slots_max = 10000;
	connect_and_turn(0);
	made = 0;
	(void)counted_all();
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(accept_unlisten(&w, 9) == NULL && made == 4096);
	endless = 0;
	counted_page.value[COUNTER_ACCEPTED] += 4096;
	CHECK(counted(COUNTER_REFUSED_BUSY));
	/* All of them, and nobody is turned away. */
	begin();
	accept_stop(&w);
	connect_and_turn(2);
	CHECK(accept_listen(&w, &msg, dup(listener)) == NULL);
	CHECK(accept_unlisten(&w, 9) == NULL && made == 2);
	counted_page.value[COUNTER_ACCEPTED] += 2;
	CHECK(counted_all());
}

static void
test_listeners_by_their_numbers(void)
{
	CHECK(accept_descriptors(&w) == 1);
	CHECK(accept_unlisten(&w, 99) != NULL);
	CHECK(accept_descriptors(&w) == 1);
}

static void
test_the_first_listener_goes(void)
{
	CHECK(accept_unlisten(&w, 0) == NULL && accept_descriptors(&w) == 0);
}

int
main(void)
{
	accept_parts_init();
	RUN(test_listeners_by_their_numbers);
	RUN(test_while_listeners_are_held);
	RUN(test_no_more_listeners_than_there_is_room_for);
	RUN(test_one_that_comes_and_goes_by_a_reload);
	RUN(test_one_that_goes_while_all_pause);
	RUN(test_one_that_comes_while_they_are_held);
	RUN(test_the_last_of_a_listener);
	RUN(test_the_first_listener_goes);
	return (test_failed());
}
