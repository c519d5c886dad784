/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"
#include "worker/move_say.h"
#include "worker/move_told.h"

/* A router wants a session to end that goes, or comes. */

static struct departure leaving;
static struct arrival coming;

/* Of nodes 10 and 11 here, of 12 and 13 there. */
static void
begin(void)
{
	uint32_t i;

	memset(&leaving, 0, sizeof(leaving));
	memset(&coming, 0, sizeof(coming));
	leaving.count = coming.count = 2;
	for (i = 0; i < 2; i++) {
		leaving.sessions[i].node = 10 + i;
		leaving.sessions[i].generation = 20 + i;
		leaving.sessions[i].state = LEAVING_FROZEN;
		coming.sessions[i].row.node = 12 + i;
		coming.sessions[i].row.generation = 22 + i;
		coming.sessions[i].state = COMING_WHOLE;
	}
	w.moves.out = &leaving;
	w.moves.in[5] = &coming;
	w.moves.nin = 1;
}

static int
ends(uint32_t node, uint32_t generation)
{
	return (move_end(&w, node, generation, 4000, "enough"));
}

static int
is_noted(const struct msg_move_close *close)
{
	return (close->code == 4000 && strcmp(close->text, "enough") == 0);
}

static void
test_one_that_goes(void)
{
	begin();
	CHECK(ends(11, 21) && is_noted(&leaving.sessions[1].close));
	/* The new owner is told which it is. */
	CHECK(leaving.sessions[1].close.session == 1);
	CHECK(leaving.sessions[0].close.code == 0);
	/* Or has gone. */
	leaving.sessions[0].state = LEAVING_GONE;
	CHECK(ends(10, 20) && is_noted(&leaving.sessions[0].close));
}

static void
test_one_that_comes(void)
{
	begin();
	CHECK(ends(13, 23) && is_noted(&coming.sessions[1].close));
	CHECK(coming.sessions[0].close.code == 0);
}

/* It is here, or elsewhere, and nowhere in between. */
static void
test_one_that_does_neither(void)
{
	begin();
	CHECK(!ends(10, 21) && !ends(12, 23) && !ends(14, 24));
	leaving.sessions[0].state = LEAVING_NOT;
	coming.sessions[0].state = COMING_NOT;
	CHECK(!ends(10, 20) && !ends(12, 22));
	/* Its new owner has had the last word; it is ours by now. */
	leaving.last = 1;
	coming.settled = 1;
	CHECK(!ends(11, 21) && !ends(13, 23));
	w.moves.out = NULL;
	w.moves.in[5] = NULL;
	w.moves.nin = 0;
	CHECK(!ends(11, 21) && !ends(13, 23));
}

int
main(void)
{
	RUN(test_one_that_goes);
	RUN(test_one_that_comes);
	RUN(test_one_that_does_neither);
	return (test_failed());
}
