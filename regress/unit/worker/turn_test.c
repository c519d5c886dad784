/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/wait.h>

#include <unistd.h>

#include "regress/unit/worker/parts.h"

/* What is left at the end of a turn of the loop. */

static char done[16]; /* in which order */

static void
note(char what)
{
	done[strlen(done)] = what;
}

void
burst_end(struct worker *of)
{
	note('b');
	w.burst.nown = 0;
}

/* What it releases leaves in this turn. */
void
move_in_turn(struct worker *of)
{
	note('m');
	w.burst.nown = 1;
	w.moves.nin = 0;
}

void
route_flush(struct worker *of)
{
	note('r');
	w.routes.stage_len = 0;
}

static int keeps; /* boolean: what is gathered for the router may wait */

int
router_keeps(struct worker *of)
{
	return (keeps);
}

static int stays; /* boolean: it has not said its last word */

int
router_stays(struct worker *of)
{
	return (stays);
}

/* Its channel is closed: by the end of the process. */
void
router_end(struct worker *of, const char *reason)
{
	stays = 0;
}

static uint32_t elapsed; /* ticks since it was told to end */

uint32_t
drain_elapsed(const struct worker *of)
{
	return (elapsed);
}

void
session_reap(struct worker *of)
{
	note('s');
	w.nbroken = 0;
}

int
still_is_busy(const struct worker *of)
{
	return (w.still.asked);
}

void
still_turn(struct worker *of)
{
	note('p');
}

static const char *
turn(uint32_t own, uint32_t staged, uint32_t broken)
{
	memset(done, 0, sizeof(done));
	w.burst.nown = own;
	w.routes.stage_len = staged;
	w.nbroken = broken;
	ev_run(w.loop, EVRUN_NOWAIT);
	return (done);
}

static void
test_nothing_is_left_and_nothing_is_done(void)
{
	CHECK(strcmp(turn(0, 0, 0), "") == 0);
}

static void
test_each_by_itself(void)
{
	CHECK(strcmp(turn(1, 0, 0), "b") == 0);
	CHECK(strcmp(turn(0, 1, 0), "r") == 0);
	CHECK(strcmp(turn(0, 0, 1), "s") == 0);
}

/* Sending may break sessions, so they are reaped last. */
static void
test_what_is_sent_comes_before_what_broke(void)
{
	CHECK(strcmp(turn(1, 1, 1), "brs") == 0);
}

/* Sessions that have come first: what waits for them is to be sent. */
static void
test_who_has_moved_is_looked_at_first(void)
{
	w.moves.nin = 1;
	CHECK(strcmp(turn(0, 1, 1), "mbrs") == 0);
	CHECK(strcmp(turn(0, 0, 0), "") == 0);
}

/* What is told of sessions is told when all the rest is done. */
static void
test_who_stands_still_is_looked_at_last(void)
{
	w.still.asked = 1;
	CHECK(strcmp(turn(1, 1, 1), "brsp") == 0);
	CHECK(strcmp(turn(0, 0, 0), "p") == 0);
	w.still.asked = 0;
	CHECK(strcmp(turn(0, 0, 0), "") == 0);
}

/* It is asked in each turn; all else is done. */
static void
test_what_the_router_is_told_may_wait(void)
{
	keeps = 1;
	CHECK(strcmp(turn(1, 1, 1), "bs") == 0);
	keeps = 0;
	CHECK(strcmp(turn(0, 1, 0), "r") == 0);
}

/* How the process ends within a turn; -1: it does not. */
static int
drains(uint32_t nupgraded, int router)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		w.draining = 1;
		w.nupgraded = nupgraded;
		stays = router;
		_exit(strcmp(turn(0, 0, 0), router ? "r" : "") == 0 ? 7 : 8);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status))
		return (-1);
	return (WEXITSTATUS(status));
}

/*
 * With its last WebSocket, and not before; and not before the router knows,
 * which is told at once.
 */
static void
test_the_process_ends(void)
{
	CHECK(drains(1, 0) == 7);
	CHECK(drains(0, 1) == 7);
	CHECK(drains(0, 0) == 0);
}

/* Peers had their 3 s; a kill comes after 4, and a router is not waited for. */
static void
test_a_stop_is_over_before_its_kill(void)
{
	elapsed = CLOSE_TICKS + 1;
	CHECK(drains(0, 1) == 7);
	elapsed = CLOSE_TICKS + 2;
	CHECK(drains(0, 1) == 0);
	CHECK(drains(1, 1) == 8);
	elapsed = 0;
}

/* It alone does not keep the loop running. */
static void
test_the_loop_ends_without_it(void)
{
	CHECK(ev_run(w.loop, 0) == 0);
}

int
main(void)
{
	parts_loop();
	turn_init(&w);
	RUN(test_nothing_is_left_and_nothing_is_done);
	RUN(test_each_by_itself);
	RUN(test_what_is_sent_comes_before_what_broke);
	RUN(test_who_has_moved_is_looked_at_first);
	RUN(test_who_stands_still_is_looked_at_last);
	RUN(test_what_the_router_is_told_may_wait);
	RUN(test_the_process_ends);
	RUN(test_a_stop_is_over_before_its_kill);
	RUN(test_the_loop_ends_without_it);
	return (test_failed());
}
