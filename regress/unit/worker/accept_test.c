/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/accept_parts.h"

/* Who takes a connection, and what gives way for it. */

#define MORE_FILES "raise LimitNOFILE=, ulimit -Hn"

static void
test_so_many_at_once_and_each_is_read(void)
{
	begin();
	connect_and_turn(20);
	CHECK(made == 16 && read_from == 16 && known == 16);
	counted_page.value[COUNTER_ACCEPTED] += 16;
	CHECK(counted_all());
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(made == 20 && read_from == 20 && proxied == 0);
	CHECK(memcmp(last_addr + 10, "\xff\xff\xc0\0\2\1", 6) == 0);
}

/* Another one has clearly less: it may have them; if not, we take them. */
static void
test_who_holds_more_steps_back_once(void)
{
	begin();
	w.load = 9;
	header->load[1] = 0;
	connect_and_turn(1);
	CHECK(made == 0 && paused() && w.accept.waited == 1);
	CHECK(ev_timer_remaining(w.loop, &w.accept.timer) > 0);
	CHECK(ev_timer_remaining(w.loop, &w.accept.timer) < 0.5);
	while (paused())
		ev_run(w.loop, EVRUN_ONCE);
	ev_run(w.loop, EVRUN_ONCE);
	CHECK(made == 1 && w.accept.waited == 0);
	/* Not clearly more. */
	begin();
	header->load[1] = 0;
	w.load = 8;
	connect_and_turn(1);
	CHECK(made == 1);
	begin();
	w.load = 9;
	header->load[1] = 1;
	connect_and_turn(1);
	CHECK(made == 1);
}

/* Whichever place it has, and the other. */
static void
test_of_all_others_the_least_loaded_counts(void)
{
	begin();
	w.load = 9;
	header->load[PROTO_PLACES_MAX - 1] = 0;
	connect_and_turn(1);
	CHECK(made == 0 && paused());
	begin();
	w.load = 9;
	w.hello.worker = 1;
	header->load[0] = 0;
	connect_and_turn(1);
	w.hello.worker = 0;
	CHECK(made == 0 && paused());
}

/* A place, but no memory or address for it. */
static void
test_no_session_for_a_connection(void)
{
	begin();
	no_session = 1;
	connect_and_turn(1);
	no_session = 0;
	CHECK(made == 1 && known == 0 && read_from == 0);
	CHECK(event == EVENT_REQUEST_BUSY);
	counted_page.value[COUNTER_ACCEPTED]++;
	CHECK(counted(COUNTER_REFUSED_BUSY));
}

static void
test_a_full_table_makes_room_or_waits(void)
{
	begin();
	w.slots_max = w.load = 5;
	makes_room = 1;
	connect_and_turn(2);
	CHECK(asked_for_room == 2 && made == 1 && read_from == 1);
	counted_page.value[COUNTER_ACCEPTED]++;
	CHECK(paused() && noted(EVENT_ACCEPT_PLACES, MORE_FILES));
	/* One that is broken has left its place already. */
	begin();
	w.slots_max = w.load = 5;
	w.nbroken = 1;
	connect_and_turn(1);
	CHECK(asked_for_room == 1 && made == 1);
}

static void
test_without_descriptors(void)
{
	static const struct {
		int error;
		enum event_kind kind;
		const char *remedy;
	} wants[] = { { EMFILE, EVENT_ACCEPT_DESCRIPTORS, MORE_FILES },
		{ ENFILE, EVENT_ACCEPT_MACHINE, "raise sysctl fs.file-max" },
		{ ENOMEM, EVENT_ACCEPT_MEMORY, "the kernel's memory" },
		{ ENOBUFS, EVENT_ACCEPT_MEMORY, "memory for sockets" } };
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		begin();
		refusal = wants[i].error;
		w.load = 5;
		makes_room = 2;
		connect_and_turn(1);
		CHECK(accepts == 3 && asked_for_room == 3 && made == 0);
		CHECK(paused() && noted(wants[i].kind, wants[i].remedy));
	}
	/* Of memory for the watcher libev says so, and has stopped it. */
	begin();
	connect_and_turn(0);
	ev_io_stop(w.loop, &w.accept.listeners[0]->io);
	ev_feed_event(w.loop, &w.accept.listeners[0]->io, EV_READ | EV_ERROR);
	ev_invoke_pending(w.loop);
	CHECK(accepts == 0 && paused());
	CHECK(noted(EVENT_ACCEPT_MEMORY, "the kernel's memory"));
}

/* Until the oldest that has not logged in has had its time. */
static void
test_the_pause_is_as_long_as_it_takes(void)
{
	struct stranger *x;
	double left;

	begin();
	w.tick = 1000;
	x = stranger_new(&w.strangers, 0, w.tick - 1);
	refusal = EMFILE;
	connect_and_turn(1);
	left = ev_timer_remaining(w.loop, &w.accept.timer);
	CHECK(left > 0.6 && left < 0.8);
	stranger_free(&w.strangers, x);
	begin();
	refusal = EMFILE;
	connect_and_turn(1);
	left = ev_timer_remaining(w.loop, &w.accept.timer);
	CHECK(left > 0.9 && left <= 1.01);
}

/* For want of memory also while one has had it, and is still there. */
static void
test_a_pause_for_memory_ends(void)
{
	struct stranger *x;

	begin();
	w.tick = 1000;
	x = stranger_new(&w.strangers, 0, w.tick - 2 * STRANGER_TICKS);
	connect_and_turn(0);
	ev_io_stop(w.loop, &w.accept.listeners[0]->io);
	ev_feed_event(w.loop, &w.accept.listeners[0]->io, EV_READ | EV_ERROR);
	ev_invoke_pending(w.loop);
	CHECK(paused());
	CHECK(ev_timer_remaining(w.loop, &w.accept.timer) > 0.2);
	CHECK(ev_timer_remaining(w.loop, &w.accept.timer) <= 0.26);
	stranger_free(&w.strangers, x);
}

static void
test_what_fails_for_the_client_alone(void)
{
	begin();
	refusal = ECONNABORTED;
	connect_and_turn(1);
	CHECK(accepts == 16 && !paused());
	begin();
	refusal = EINTR;
	connect_and_turn(1);
	CHECK(accepts == 16 && !paused());
	begin();
	refusal = EAGAIN;
	connect_and_turn(1);
	CHECK(accepts == 1 && !paused());
}

static void
test_one_that_is_not_welcome_is_not_read(void)
{
	begin();
	welcome = 0;
	connect_and_turn(1);
	CHECK(known == 1 && read_from == 0);
}

/* Whose the connection is, its first bytes say. */
static void
test_where_proxies_begin_with_a_header(void)
{
	begin();
	w.accept.listeners[0]->proxy_protocol = 1;
	connect_and_turn(1);
	CHECK(proxied == 1 && known == 0 && read_from == 1);
	begin();
	welcome = 0;
	connect_and_turn(1);
	CHECK(proxied == 1 && read_from == 0);
	w.accept.listeners[0]->proxy_protocol = 0;
}

int
main(void)
{
	accept_parts_init();
	RUN(test_so_many_at_once_and_each_is_read);
	RUN(test_who_holds_more_steps_back_once);
	RUN(test_of_all_others_the_least_loaded_counts);
	RUN(test_no_session_for_a_connection);
	RUN(test_a_full_table_makes_room_or_waits);
	RUN(test_without_descriptors);
	RUN(test_the_pause_is_as_long_as_it_takes);
	RUN(test_a_pause_for_memory_ends);
	RUN(test_what_fails_for_the_client_alone);
	RUN(test_one_that_is_not_welcome_is_not_read);
	RUN(test_where_proxies_begin_with_a_header);
	return (test_failed());
}
