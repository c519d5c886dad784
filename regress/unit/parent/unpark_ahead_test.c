/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/parent/unpark.h"

/* Sessions come ahead; some are not any more what they were. */

static void
add_gone(uint32_t ahead)
{
	struct park_gone gone = { ahead, 0 };

	add(PARK_GONE, &gone, sizeof(gone));
}

/* All that was added is with worker 0, in slots from that on. */
static int
taken(uint32_t slot)
{
	over = 0;
	begin();
	if (over == 1)
		return (0);
	return (asked(0) && ready(0, all_of(0), slot) == NULL &&
			is_told(0, all_of(0)) &&
			unpark_done(parent.workers[0].child) == NULL &&
			over == 1
		    ? 0
		    : -1);
}

/* The next file. */
static void
again(void)
{
	unpark_file_close(&parent.successor.unpark.file);
	f = park_file_new();
	if (f == NULL)
		abort();
}

/* One worker, and one after the other. */
static int
begin_ahead(void)
{
	if (parent.map.view.header != NULL)
		admit_worker_lost(parent.workers[0].child);
	clear();
	parent.nworkers = 1;
	parent.workers[1].child->state = CHILD_STARTING;
	add_session_by(71, 1);
	add_session_by(72, 2);
	add_session_by(73, 5);
	return (taken(10));
}

static int
forgets(uint32_t slot)
{
	struct msg_forget msg;

	return (parts_told(1, PW_FORGET, &msg, sizeof(msg)) == 1 &&
		msg.slot == slot);
}

static void
test_one_that_is_gone_is_forgotten(void)
{
	uint32_t generation;

	CHECK(begin_ahead() == 0 && parent.successor.unpark.taken == 3);
	generation = entry(72)->generation;
	again();
	add_gone(2);
	CHECK(taken(0) == 0 && others == 0);
	CHECK(!is_known(72) && is_known(71) && is_known(73));
	CHECK(forgets(11) && generation != 0);
	CHECK(parent.workers[0].child->sessions == 2);
	CHECK(parent.successor.unpark.taken == 2);
}

/* It is called off, and comes anew. */
static void
test_one_that_has_changed_comes_again(void)
{
	CHECK(begin_ahead() == 0);
	again();
	add_gone(5);
	add_gone(1);
	add_session(73);
	over = 0;
	begin();
	CHECK(forgets(12) && forgets(10) && asked(0));
	CHECK(batches[0].head.count == 1);
	CHECK(ready(0, 1, 30) == NULL && is_told(0, 1));
	CHECK(is_known(73) && entry(73)->slot == 30 && !is_known(71));
	CHECK(parent.successor.unpark.taken == 2);
	CHECK(parent.workers[0].child->sessions == 2);
}

/* Its number is of the session that it had, not of the one that it has. */
static void
test_a_number_is_of_one_session(void)
{
	CHECK(begin_ahead() == 0);
	again();
	add_session_by(72, 6);
	over = 0;
	begin();
	CHECK(asked(0) && ready(0, 1, 40) == NULL);
	CHECK(forgets(11) && is_told(0, 1));
	CHECK(unpark_done(parent.workers[0].child) == NULL && over == 1);
	again();
	add_gone(2);
	CHECK(taken(0) == 0 && is_known(72) && entry(72)->slot == 40);
	CHECK(parent.successor.unpark.taken == 3);
	again();
	add_gone(6);
	CHECK(taken(0) == 0 && !is_known(72) && forgets(40));
}

static void
test_numbers_of_nobody(void)
{
	CHECK(begin_ahead() == 0);
	again();
	add_gone(0);
	add_gone(3);
	add_gone(4095);
	add_gone(4096);
	add_gone(UINT32_MAX);
	add_gone(1);
	add_gone(1);
	CHECK(taken(0) == 0 && forgets(10));
	CHECK(!is_known(71) && is_known(72) && is_known(73));
	unpark_ahead_free(&parent);
	unpark_ahead_gone(&parent, 2);
	CHECK(is_known(72));
}

/* A session that has such a number is not taken. */
static void
test_numbers_have_a_bound(void)
{
	clear();
	parent.nworkers = 1;
	add_session_by(75, PARK_ROUND * PARK_ROUNDS_MAX + 1);
	add_session_by(76, PARK_ROUND * PARK_ROUNDS_MAX);
	begin();
	CHECK(asked(0) && ready(0, 3, 1) == NULL && is_told(0, 2));
	CHECK(!is_known(75) && is_known(76));
	CHECK(parent.successor.unpark.nahead <=
	      PARK_ROUND * (PARK_ROUNDS_MAX + 1));
}

int
main(void)
{
	parts_init();
	RUN(test_one_that_is_gone_is_forgotten);
	RUN(test_one_that_has_changed_comes_again);
	RUN(test_a_number_is_of_one_session);
	RUN(test_numbers_of_nobody);
	RUN(test_numbers_have_a_bound);
	return (test_failed());
}
