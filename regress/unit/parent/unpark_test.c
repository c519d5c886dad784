/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "regress/unit/parent/unpark.h"

static void
test_without_any_it_is_over_at_once(void)
{
	clear();
	begin();
	CHECK(over == 1 && !asked(0) && !asked(1));
}

static void
test_a_file_of_no_use_is_over_at_once(void)
{
	clear();
	park_file_free(f);
	f = NULL;
	unpark_begin(&parent, STDIN_FILENO, done);
	CHECK(over == 1 && !asked(0));
}

static void
begin_with_no_file(void)
{
	unpark_begin(&parent, STDIN_FILENO, done);
}

/* Nor is it then said to be taken, by one that is asked for it. */
static void
test_a_file_of_no_use_stays_with_who_has_the_sessions(void)
{
	clear();
	parent.successor.pending = parent.successor.asks = 1;
	CHECK(parts_apart(begin_with_no_file) == 1);
	parent.successor.pending = parent.successor.asks = 0;
	CHECK(parts_apart(begin_with_no_file) == 0);
	park_file_free(f);
	f = NULL;
}

static void
test_workers_are_told_and_the_map_has_them(void)
{
	uint32_t node;

	clear();
	add_session(11);
	add_session(12);
	add_session(13);
	add(PARK_NODE, "x", 1);
	begin();
	CHECK(asked(0) && asked(1) && over == 0);
	CHECK(batches[0].head.count == 2 && batches[1].head.count == 1);
	CHECK(batches[0].head.worker == 0 && batches[1].head.worker == 1);
	CHECK(batches[0].rows[1].node == 12 && batches[1].rows[0].node == 13);
	CHECK(!is_known(11) && others == 1);
	hear(0);
	CHECK(batches[0].states == 2 && batches[0].last == 12);
	CHECK(batches[0].bytes == 2 * (sizeof(struct msg_move_bytes) + 5));
	CHECK(batches[0].ended && !batches[0].is_last);
	CHECK(ready(0, 3, 40) == NULL && is_told(0, 3));
	CHECK(entry(12)->slot == 41 && entry(12)->worker == 0);
	CHECK(entry(12)->generation == batches[0].rows[1].generation);
	CHECK(entry(12)->keyid == 512 && entry(12)->replaced == 3);
	CHECK(clock_seconds() - entry(12)->since >= 60);
	CHECK(parent.workers[0].child->sessions == 2);
	hear(0);
	CHECK(
	    batches[0].is_last && unpark_done(parent.workers[0].child) == NULL);
	CHECK(!asked(0) && over == 0);
	CHECK(ready(1, 1, 40) == NULL && is_told(1, 1));
	CHECK(unpark_done(parent.workers[1].child) == NULL && over == 1);
	CHECK(parent.successor.unpark.taken == 3);
	for (node = 11; node < 14; node++)
		CHECK(is_known(node) &&
		      (entry(node)->worker == 1) == (node > 12));
}

/* As many as go together, one batch after the other. */
static void
test_many_go_in_several_batches(void)
{
	uint32_t i, node;

	clear();
	for (node = 1000; node < 1200; node++)
		add_session(node);
	begin();
	for (i = 0; over == 0; i = !i) {
		CHECK(asked(i));
		hear(i);
		CHECK(batches[i].states == batches[i].head.count);
		CHECK(ready(i, all_of(i), 0) == NULL);
		CHECK(is_told(i, all_of(i)));
		CHECK(unpark_done(parent.workers[i].child) == NULL);
	}
	CHECK(over == 1 && parent.successor.unpark.taken == 200);
	for (node = 1000; node < 1200; node++)
		CHECK(is_known(node));
}

/* A session with much goes by itself. */
static void
test_batches_have_a_bound_in_bytes(void)
{
	uint32_t i;

	clear();
	add_session(21);
	for (i = 0; i < MOVE_BATCH_BYTES / MOVE_CHUNK + 1; i++)
		add_bytes(1, MOVE_CHUNK);
	add_session(22);
	add_session(23);
	begin();
	CHECK(asked(0) && batches[0].head.count == 1);
	CHECK(asked(1) && batches[1].head.count == 2);
	hear(0);
	CHECK(batches[0].ended && batches[0].bytes > MOVE_BATCH_BYTES);
}

/* No room there: those are lost, and their peers come again. */
static void
test_a_worker_that_takes_none(void)
{
	clear();
	add_session(31);
	add_session(32);
	begin();
	CHECK(asked(0) && batches[0].head.count == 2 && !asked(1));
	CHECK(ready(0, 0, 0) == NULL && is_told(0, 0));
	CHECK(over == 1 && !is_known(31) && !is_known(32));
	CHECK(parent.successor.unpark.taken == 0);
	CHECK(parent.workers[0].child->sessions == 0);
}

static void
test_a_worker_that_takes_some(void)
{
	clear();
	add_session(33);
	add_session(34);
	begin();
	CHECK(asked(0) && ready(0, 2, 0) == NULL && is_told(0, 2));
	CHECK(over == 0 && !is_known(33) && is_known(34));
	CHECK(unpark_done(parent.workers[0].child) == NULL && over == 1);
}

static void
test_a_worker_that_is_late(void)
{
	int i;

	clear();
	add_session(35);
	begin();
	CHECK(asked(0) &&
	      unpark_is(parent.workers[0].child, batches[0].head.ticket));
	turns(150);
	CHECK(over == 0 &&
	      unpark_is(parent.workers[0].child, batches[0].head.ticket));
	for (i = 0; i < 100 && over == 0; i++)
		turns(1);
	CHECK(over == 1 && is_told(0, 0) && !is_known(35));
	/* What it says now is of no batch any more. */
	CHECK(!unpark_is(parent.workers[0].child, batches[0].head.ticket));
}

static void
wait_for_nothing(void)
{
	turns(250);
}

/* As long as the other parent has them all, that goes on. */
static void
test_a_worker_that_is_late_and_somebody_who_goes_on(void)
{
	clear();
	add_session(38);
	begin();
	CHECK(asked(0));
	parent.successor.pending = parent.successor.asks = 1;
	CHECK(parts_apart(wait_for_nothing) == 1);
	parent.successor.channel.state = SUCCESSOR_TAKEN;
	CHECK(parts_apart(wait_for_nothing) == 0);
	memset(&parent.successor.channel, 0, sizeof(parent.successor.channel));
	parent.successor.pending = parent.successor.asks = 0;
	unpark_lost(parent.workers[0].child);
	turns(1);
	CHECK(over == 1);
}

static void
test_a_worker_that_dies(void)
{
	clear();
	add_session(36);
	add_session(37);
	begin();
	CHECK(asked(0));
	unpark_lost(parent.workers[0].child);
	CHECK(over == 0 && parent.successor.unpark.to[0] == NULL);
	unpark_lost(parent.workers[0].child);
	turns(1);
	CHECK(over == 1 && !is_known(36));
}

/* One that starts yet gets none; the other has them all. */
static void
test_a_worker_that_does_not_run_yet(void)
{
	clear();
	add_session(38);
	add_session(39);
	add_session(40);
	parent.workers[0].child->state = CHILD_STARTING;
	begin();
	CHECK(!asked(0) && asked(1) && batches[1].head.count == 2);
	CHECK(ready(1, 3, 1) == NULL && is_told(1, 3));
	CHECK(unpark_done(parent.workers[1].child) == NULL && over == 0);
	CHECK(asked(1) && batches[1].head.count == 1);
}

/* The map has none of those; what it has said before is its own. */
static void
test_a_worker_that_lies(void)
{
	clear();
	add_session(41);
	add_session(42);
	begin();
	CHECK(asked(0));
	CHECK(unpark_done(parent.workers[0].child) != NULL);
	CHECK(ready(0, 4, 0) != NULL);
	CHECK(ready(0, UINT64_C(1) << 63, 0) != NULL);
	CHECK(ready(0, 3, SLOTS) != NULL && ready(0, 1, UINT32_MAX) != NULL);
	CHECK(!is_known(41) && !is_known(42));
	CHECK(parent.workers[0].child->sessions == 0);
	CHECK(ready(0, 3, SLOTS - 2) == NULL && ready(0, 3, 0) != NULL);
	CHECK(parent.workers[0].child->sessions == 2);
	CHECK(entry(42)->slot == SLOTS - 1);
}

/* It is not half there: none of what it has named is in the map. */
static void
test_one_slot_that_is_none_takes_none(void)
{
	clear();
	add_session(43);
	add_session(44);
	begin();
	CHECK(asked(0) && ready(0, 3, SLOTS - 1) != NULL);
	CHECK(!is_known(43) && !is_known(44));
	CHECK(parent.workers[0].child->sessions == 0);
}

static void
test_whoever_is_blocked_is_not_taken(void)
{
	uint8_t addr[16];

	clear();
	blocks_node(addr, 52);
	CHECK(blocks_add(parent.blocks, addr, BLOCKS_NODE) != NULL);
	add_session(51);
	add_session(52);
	add_session(53);
	begin();
	CHECK(asked(0) && batches[0].head.count == 2);
	CHECK(batches[0].rows[1].node == 53 && !asked(1));
	hear(0);
	/* And its bytes are not the one's before it. */
	CHECK(batches[0].states == 2 && batches[0].last == 53);
	CHECK(batches[0].bytes == 2 * (sizeof(struct msg_move_bytes) + 5));
}

/* Is worker i told to let go of that? */
static int
forgets(uint32_t i, uint32_t slot, uint32_t generation)
{
	struct msg_forget msg;

	return (parts_told(i + 1, PW_FORGET, &msg, sizeof(msg)) == 1 &&
		msg.slot == slot && msg.generation == generation);
}

static void
test_the_last_of_a_node_is_the_one_that_is_kept(void)
{
	clear();
	add_session(55);
	add_session(55);
	add_session(0);
	begin();
	/* Nor is there a node 0. */
	CHECK(asked(0) && batches[0].head.count == 2 && !asked(1));
	CHECK(ready(0, 3, 8) == NULL);
	CHECK(forgets(0, 8, batches[0].rows[0].generation) && is_told(0, 3));
	CHECK(entry(55)->slot == 9 && parent.successor.unpark.taken == 1);
	CHECK(entry(55)->generation == batches[0].rows[1].generation);
	CHECK(parent.workers[0].child->sessions == 1);
}

/* Whichever worker is ready first. */
static void
test_the_last_of_a_node_may_come_first(void)
{
	clear();
	add_session(56);
	add_bytes(1, MOVE_CHUNK);
	add_session(54);
	add_session(58);
	add_session(56);
	begin();
	CHECK(asked(0) && batches[0].head.count == 3 && asked(1));
	CHECK(batches[1].head.count == 1 && batches[1].rows[0].node == 56);
	CHECK(ready(1, 1, 5) == NULL && is_told(1, 1));
	CHECK(ready(0, 7, 5) == NULL && is_told(0, 6));
	CHECK(entry(56)->worker == 1 && parent.successor.unpark.taken == 3);
	CHECK(entry(56)->generation == batches[1].rows[0].generation);
}

/* It is known by then, as others have heard of it. */
static void
test_a_node_that_has_logged_in_meanwhile(void)
{
	struct peermap_entry e;
	uint32_t number;

	clear();
	add_session(57);
	begin();
	CHECK(asked(0));
	number = pmap_add(&parent.map, 57, 0);
	e = *pmap_entry(&parent.map, number);
	e.generation = pmap_next_generation(&parent.map);
	e.worker = 1;
	pmap_store(&parent.map, number, &e);
	CHECK(ready(0, 1, 0) == NULL && is_told(0, 0));
	CHECK(entry(57)->worker == 1 && entry(57)->generation == e.generation);
}

/* Its descriptor is the next one's otherwise. */
static void
test_a_session_that_is_cut_short_takes_its_descriptor_with_it(void)
{
	struct stat a, b;
	struct imsg imsg;
	int fd;

	clear();
	add_session(61);
	add(PARK_SESSION, "short", 5);
	if (park_file_add_fd(f, memfd_create("its own", MFD_CLOEXEC)) == -1)
		abort();
	add_bytes(99, 5);
	add_session(62);
	begin();
	CHECK(asked(0) && batches[0].head.count == 2);
	hear(0);
	CHECK(batches[0].last == 62);
	CHECK(batches[0].bytes == 2 * (sizeof(struct msg_move_bytes) + 5));
	clear();
	add(PARK_SESSION, "short", 5);
	if (park_file_add_fd(f, memfd_create("its own", MFD_CLOEXEC)) == -1)
		abort();
	add_session(63);
	begin();
	CHECK(asked(0) && batches[0].head.count == 1);
	do
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
	while (imsgbuf_read(&batches[0].from) != 1 ||
	       imsgbuf_get(&batches[0].from, &imsg) != 1);
	fd = imsg_get_fd(&imsg);
	CHECK(fstat(fd, &a) == 0 && fstat(STDOUT_FILENO, &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	(void)close(fd);
	imsg_free(&imsg);
}

/* Whose the others are cannot be told. */
static void
test_without_descriptors_the_rest_is_lost(void)
{
	clear();
	add_session(65);
	add_session(66);
	(void)close(f->fds[--f->nfds]);
	begin();
	CHECK(asked(0) && batches[0].head.count == 1 && !asked(1));
	CHECK(ready(0, 1, 0) == NULL && is_told(0, 1));
	CHECK(unpark_done(parent.workers[0].child) == NULL && over == 1);
}

/* The file may say anything: they come, and it is over. */
static void
test_more_sessions_than_there_can_be(void)
{
	clear();
	add_session(67);
	f->sessions = UINT32_MAX;
	parent.nworkers = 1;
	begin();
	parent.nworkers = WORKERS;
	CHECK(asked(0) && batches[0].head.count == 1);
	CHECK(ready(0, 1, 0) == NULL && is_told(0, 1));
	CHECK(unpark_done(parent.workers[0].child) == NULL && over == 1);
}

/* They wait for descriptors, as long as a worker may take. */
static void
test_no_descriptors_for_a_while(void)
{
	clear();
	add_session(68);
	no_batches = 1;
	begin();
	turns(90);
	CHECK(!asked(0) && !asked(1) && over == 0);
	no_batches = no_descriptors = 0;
	turns(1);
	CHECK(asked(0) && batches[0].head.count == 1);
	CHECK(ready(0, 1, 0) == NULL && is_told(0, 1));
	CHECK(unpark_done(parent.workers[0].child) == NULL && over == 1);
}

static void
test_no_descriptors_ever(void)
{
	int i;

	clear();
	add_session(69);
	no_batches = 1;
	begin();
	for (i = 0; i < 500 && over == 0; i++)
		turns(1);
	no_batches = no_descriptors = 0;
	CHECK(over == 1 && !asked(0) && !is_known(69));
}

static void
wait_in_vain(void)
{
	turns(150);
}

/* The other parent has them: it keeps them then. */
static void
test_no_descriptors_and_somebody_who_goes_on(void)
{
	clear();
	add_session(70);
	no_batches = 1;
	parent.successor.pending = parent.successor.asks = 1;
	begin();
	CHECK(parts_apart(wait_in_vain) == 1);
	parent.successor.channel.state = SUCCESSOR_TAKEN;
	CHECK(parts_apart(wait_in_vain) == 0);
	no_batches = no_descriptors = 0;
	memset(&parent.successor.channel, 0, sizeof(parent.successor.channel));
	parent.successor.pending = parent.successor.asks = 0;
}

static void
all_but_one(void)
{
	(void)ready(0, 1, 0);
}

static void
begin_three(uint32_t node)
{
	clear();
	add_session(node);
	add_session(node + 1);
	add_session(node + 2);
	begin();
	CHECK(asked(0) && batches[0].head.count == 2);
}

/* Likewise without room for one of them; but for one that has ended. */
static void
test_no_room_and_somebody_who_goes_on(void)
{
	struct msg_move_ready msg = { .mask = 1, .ended = 2 };

	begin_three(80);
	parent.successor.pending = parent.successor.asks = 1;
	/* The map is shared with whoever ends so. */
	CHECK(parts_apart(all_but_one) == 1);
	parent.successor.pending = 0;
	begin_three(90);
	parent.successor.pending = 1;
	msg.ticket = batches[0].head.ticket;
	CHECK(unpark_ready(parent.workers[0].child, &msg) == NULL);
	CHECK(parent.successor.unpark.taken == 1);
	parent.successor.pending = parent.successor.asks = 0;
	/* A lie about those that there are. */
	CHECK(asked(1));
	msg.ticket = batches[1].head.ticket;
	msg.ended = 1 << batches[1].head.count;
	CHECK(unpark_ready(parent.workers[1].child, &msg) != NULL);
}

static void
begin_all(void)
{
	begin();
	turns(1);
}

/* And without the descriptors of some. */
static void
test_missing_descriptors_and_somebody_who_goes_on(void)
{
	static const struct park_session session = { .node = 84 };

	clear();
	add_session(83);
	add(PARK_SESSION, &session, sizeof(session));
	parent.successor.pending = parent.successor.asks = 1;
	CHECK(parts_apart(begin_all) == 1);
	parent.successor.pending = parent.successor.asks = 0;
	park_file_free(f);
	f = NULL;
}

/* As many at once as there are descriptors for. */
static void
test_few_descriptors(void)
{
	uint32_t node;

	clear();
	for (node = 100; node < 104; node++)
		add_session(node);
	parent.max_sockets = 100;
	begin();
	CHECK(asked(0) && batches[0].head.count == 3 && !asked(1));
	CHECK(ready(0, 7, 0) == NULL && is_told(0, 7));
	CHECK(unpark_done(parent.workers[0].child) == NULL);
	CHECK(asked(0) && batches[0].head.count == 1 && !asked(1));
}

/* What a worker could not take would be the end of it. */
static void
test_what_is_too_long_is_not_told(void)
{
	static uint8_t
	    more[sizeof(struct msg_move_state) + MOVE_STATE_MORE + 1];

	clear();
	add_session(71);
	add(PARK_STATE, more, sizeof(more));
	add(PARK_STATE, more, sizeof(struct msg_move_state));
	add(PARK_BYTES, more, sizeof(struct msg_move_bytes));
	add_bytes(1, MOVE_CHUNK + 1);
	add_bytes(2, MOVE_CHUNK);
	begin();
	CHECK(asked(0));
	hear(0);
	CHECK(batches[0].states == 1 && batches[0].last == 2);
	CHECK(batches[0].bytes ==
	      2 * sizeof(struct msg_move_bytes) + 5 + MOVE_CHUNK);
}

int
main(void)
{
	parts_init();
	channel_loop_init(parent.loop);
	RUN(test_without_any_it_is_over_at_once);
	RUN(test_a_file_of_no_use_is_over_at_once);
	RUN(test_a_file_of_no_use_stays_with_who_has_the_sessions);
	RUN(test_workers_are_told_and_the_map_has_them);
	RUN(test_many_go_in_several_batches);
	RUN(test_batches_have_a_bound_in_bytes);
	RUN(test_a_worker_that_takes_none);
	RUN(test_a_worker_that_takes_some);
	RUN(test_a_worker_that_is_late);
	RUN(test_a_worker_that_is_late_and_somebody_who_goes_on);
	RUN(test_a_worker_that_dies);
	RUN(test_a_worker_that_does_not_run_yet);
	RUN(test_a_worker_that_lies);
	RUN(test_one_slot_that_is_none_takes_none);
	RUN(test_whoever_is_blocked_is_not_taken);
	RUN(test_the_last_of_a_node_is_the_one_that_is_kept);
	RUN(test_the_last_of_a_node_may_come_first);
	RUN(test_a_node_that_has_logged_in_meanwhile);
	RUN(test_a_session_that_is_cut_short_takes_its_descriptor_with_it);
	RUN(test_without_descriptors_the_rest_is_lost);
	RUN(test_no_descriptors_for_a_while);
	RUN(test_no_descriptors_ever);
	RUN(test_no_descriptors_and_somebody_who_goes_on);
	RUN(test_no_room_and_somebody_who_goes_on);
	RUN(test_missing_descriptors_and_somebody_who_goes_on);
	RUN(test_few_descriptors);
	RUN(test_more_sessions_than_there_can_be);
	RUN(test_what_is_too_long_is_not_told);
	return (test_failed());
}
