/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/* Which sessions another parent was told of, and what has become of them. */

#define SLOTS 100

static int seen; /* records that were looked at */

static void
put(uint32_t node, uint32_t generation, uint8_t worker, uint32_t slot)
{
	struct peermap_entry entry;
	uint32_t number;

	number = pmap_add(&parent.map, node, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = generation;
	entry.worker = worker;
	entry.slot = slot;
	pmap_store(&parent.map, number, &entry);
}

/* Node n, of worker n % 2, in slot n, is told of. */
static uint32_t
tell(uint32_t node, uint32_t generation)
{
	struct msg_move_session row = { node, generation, node };

	return (park_ahead_add(&parent, node % 2, &row));
}

static void
begin(void)
{
	uint32_t node;

	park_ahead_free(&parent);
	if (parent.park.file != NULL)
		park_file_free(parent.park.file);
	parent.park.file = park_file_new();
	if (parent.park.file == NULL)
		abort();
	for (node = 1; node < 9; node++) {
		put(node, 100 + node, node % 2, node);
		if (tell(node, 100 + node) != node)
			abort();
	}
	seen = 0;
}

/* The next number that is called off; 0: no more. */
static uint32_t
called_off(void)
{
	const struct park_file *file;
	const struct {
		struct park_record record;
		struct park_gone gone;
	} * records;

	file = parent.park.file;
	records = (const void *)file->buffer;
	if (file->len == (size_t)seen * sizeof(*records))
		return (0);
	records += seen++;
	return (records->record.type == PARK_GONE &&
			records->record.len == sizeof(records->gone)
		    ? records->gone.ahead
		    : UINT32_MAX);
}

static void
test_those_that_are_as_they_were_stay(void)
{
	begin();
	CHECK(park_ahead_check(&parent) == 0 && called_off() == 0);
	CHECK(park_ahead_check(&parent) == 0 && called_off() == 0);
}

static void
test_those_that_are_not_are_called_off_once(void)
{
	begin();
	put(1, 0, 0, 0);   /* has ended */
	put(2, 999, 0, 2); /* has come again */
	put(3, 103, 0, 3); /* is with another worker */
	put(4, 104, 0, 5); /* or elsewhere there */
	CHECK(park_ahead_check(&parent) == 0);
	CHECK(called_off() == 2 && called_off() == 4);
	CHECK(called_off() == 1 && called_off() == 3 && called_off() == 0);
	CHECK(park_ahead_check(&parent) == 0 && called_off() == 0);
}

static void
test_who_takes_a_place_calls_off_who_had_it(void)
{
	begin();
	CHECK(called_off() == 0);
	CHECK(tell(6, 777) == 9 && called_off() == 6 && called_off() == 0);
	put(6, 777, 0, 6);
	CHECK(park_ahead_check(&parent) == 0 && called_off() == 0);
}

static void
test_what_a_worker_says(void)
{
	begin();
	CHECK(park_ahead_changed(&parent, 1, 5) == 0 && called_off() == 5);
	CHECK(park_ahead_changed(&parent, 1, 5) == 0);
	/* Of another's, of nobody's, nowhere. */
	CHECK(park_ahead_changed(&parent, 0, 7) == 0);
	CHECK(park_ahead_changed(&parent, 1, 50) == 0);
	CHECK(park_ahead_changed(&parent, 2, 2) == 0);
	CHECK(park_ahead_changed(&parent, 1, SLOTS) == 0);
	CHECK(park_ahead_changed(&parent, 1, UINT32_MAX) == 0);
	CHECK(called_off() == 0);
	park_ahead_free(&parent);
	CHECK(park_ahead_changed(&parent, 1, 7) == 0);
	CHECK(park_ahead_check(&parent) == 0 && called_off() == 0);
}

static void
test_what_cannot_be_written(void)
{
	begin();
	parent.park.file->bytes = PARK_BYTES_MAX;
	CHECK(tell(6, 777) == 0);
	CHECK(park_ahead_changed(&parent, 1, 5) == -1);
	put(1, 0, 0, 0);
	CHECK(park_ahead_check(&parent) == -1);
}

int
main(void)
{
	parts_init();
	if (pmap_create(&parent.map) == -1)
		abort();
	parent.max_sockets = SLOTS;
	RUN(test_those_that_are_as_they_were_stay);
	RUN(test_those_that_are_not_are_called_off_once);
	RUN(test_who_takes_a_place_calls_off_who_had_it);
	RUN(test_what_a_worker_says);
	RUN(test_what_cannot_be_written);
	return (test_failed());
}
