/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "common/imsg.h"
#include "regress/unit/worker/parts.h"
#include "worker/move_say.h"

/* All sessions are told to the parent, as fast as it reads. */

#define SESSIONS 60
#define BYTES    15000 /* of each, here */
#define AHEAD    45    /* in the kernel, and in the queue */

static struct session sessions[SESSIONS];
static struct outq outq;
static struct imsgbuf parent;
static int parent_fd = -1;
static uint64_t waiting;
static int said;      /* sessions */
static uint32_t gone; /* slot, of the last that has changed */
static int refused;   /* boolean: the channel takes no more */
static const struct msg_park all = { 0 };

/* ---- in the place of what it calls ---- */

uint64_t
udp_waiting(const struct worker *of)
{
	return (waiting);
}

/* As move_say.c: a descriptor and bytes. */
int
move_say_all(struct departure *d, uint32_t session)
{
	static uint8_t bytes[BYTES];

	if (refused || session != 0)
		return (-1);
	said++;
	return (channel_send(&d->channel, WM_STATE, 0, dup(STDOUT_FILENO),
	    bytes, sizeof(bytes)));
}

/* ---- */

/* As the parent asks for sessions: so many at rest; 0: all, which are still. */
static const char *
ask(uint32_t most)
{
	struct msg_park msg = { most };
	int pair[2];

	if (parent_fd != -1) {
		imsgbuf_clear(&parent);
		(void)close(parent_fd);
	}
	if (channel_pair(pair) == -1 || imsgbuf_init(&parent, pair[1]) == -1)
		abort();
	parent_fd = pair[1];
	imsgbuf_allow_fdrecv(&parent);
	return (park_begin(&w, &msg, pair[0]));
}

static void
begin(void)
{
	uint32_t i;

	park_end(&w);
	park_forget(&w);
	w.still.stage = STILL_ALL;
	for (i = 0; i < SESSIONS; i++) {
		sessions[i].state = SESSION_OPEN;
		ev_init(&sessions[i].io, NULL);
		sessions[i].pending = NULL;
		sessions[i].message = NULL;
		sessions[i].outq = i % 2 == 0 ? &outq : NULL;
		sessions[i].peer.node = 100 + i;
		sessions[i].peer.generation = 200 + i;
	}
	waiting = 0;
	said = refused = 0;
	if (ask(0) != NULL)
		abort();
}

/* The next message; returns its type, or 0. */
static uint32_t
next(struct msg_move_session *row)
{
	struct imsg imsg;
	uint32_t type;
	int fd;

	if (imsgbuf_get(&parent, &imsg) != 1 &&
	    (imsgbuf_read(&parent) != 1 || imsgbuf_get(&parent, &imsg) != 1))
		return (0);
	type = imsg_get_type(&imsg);
	if (type == WM_PARK)
		(void)imsg_get_data(&imsg, row, sizeof(*row));
	if (type == WM_GONE)
		(void)imsg_get_data(&imsg, &gone, sizeof(gone));
	fd = imsg_get_fd(&imsg);
	if (fd != -1)
		(void)close(fd);
	imsg_free(&imsg);
	return (type);
}

static void
flush(void)
{
	(void)ev_run(w.loop, EVRUN_NOWAIT);
}

/* It does not stand still. */
static void
moves(struct session *s)
{
	ev_io_init(&s->io, NULL, STDOUT_FILENO, 0);
	ev_io_start(w.loop, &s->io);
}

static void
test_each_session_is_told_of_and_then_the_end(void)
{
	struct msg_move_session row;
	uint32_t i;

	begin();
	/* A login, a free place, and one that has come since. */
	sessions[3].state = SESSION_VERIFY;
	sessions[4].state = SESSION_FREE;
	moves(&sessions[5]);
	for (i = 0; i < SESSIONS; i++) {
		if (i >= 3 && i <= 5)
			continue;
		park_turn(&w);
		flush();
		CHECK(next(&row) == WM_PARK && row.slot == i);
		CHECK(row.node == 100 + i && row.generation == 200 + i);
		CHECK(next(&row) == WM_STATE);
	}
	park_turn(&w);
	flush();
	CHECK(next(&row) == WM_END && next(&row) == 0);
	/* Once. */
	park_turn(&w);
	flush();
	CHECK(next(&row) == 0 && said == SESSIONS - 3);
	ev_io_stop(w.loop, &sessions[5].io);
}

/* So many descriptors wait in the kernel and no more, whoever is slow. */
static void
test_no_faster_than_the_parent_reads(void)
{
	struct msg_move_session row;
	int got, i;

	begin();
	for (i = 0; i < 20; i++) {
		park_turn(&w);
		flush();
	}
	CHECK(said > 0 && said <= AHEAD);
	for (got = 0; said < SESSIONS; got++) {
		CHECK(next(&row) == WM_PARK && next(&row) == WM_STATE);
		park_turn(&w);
		flush();
		CHECK(said - got <= AHEAD);
	}
}

static void
test_bytes_wait_as_well(void)
{
	static uint8_t much[MAX_IMSGSIZE / 2];
	struct msg_move_session row;
	struct departure *d;
	int i;

	begin();
	/* As a session with a long queue does; it comes first in there. */
	d = (void *)w.still.parking;
	for (i = 0; i < 300; i++)
		CHECK(channel_send(&d->channel, WM_BYTES, 0, -1, much,
			  sizeof(much)) == 0);
	park_turn(&w);
	CHECK(said == 0);
	for (i = 0; i < 300 && said == 0; i++) {
		CHECK(next(&row) == WM_BYTES);
		flush();
		park_turn(&w);
	}
	/* When most of it has left. */
	CHECK(said > 0 && i > 100);
}

/* What others pass on may make some wait after all stand still. */
static void
test_datagrams_are_waited_for_before_the_end(void)
{
	struct msg_move_session row;
	uint32_t i;

	begin();
	for (i = 0; i < SESSIONS; i++)
		sessions[i].state = SESSION_FREE;
	waiting = 1;
	park_turn(&w);
	flush();
	CHECK(next(&row) == 0);
	waiting = 0;
	park_turn(&w);
	flush();
	CHECK(next(&row) == WM_END);
}

static void
test_one_that_cannot_be_told_ends_it(void)
{
	begin();
	refused = 1;
	park_turn(&w);
	CHECK(w.still.parking == NULL && imsgbuf_read(&parent) == 0);
}

static void
test_the_parent_wants_no_more(void)
{
	begin();
	imsgbuf_clear(&parent);
	(void)close(parent_fd);
	parent_fd = -1;
	flush();
	CHECK(w.still.parking == NULL);
	park_end(&w);
}

/* ---- ahead ---- */

/* All goes on, and all are at rest. */
static void
begin_ahead(void)
{
	uint32_t i;

	begin();
	park_end(&w);
	w.still.stage = STILL_NOT;
	for (i = 0; i < SESSIONS; i++) {
		sessions[i].outq = NULL;
		sessions[i].bytes_in = 10 * i;
		sessions[i].bytes_out = 7;
	}
}

/* What comes until the end; returns how many sessions, or -1. */
static int
tells(uint8_t slots[SESSIONS])
{
	struct msg_move_session row;
	uint32_t type;
	int n, turn;

	memset(slots, 0, SESSIONS);
	n = 0;
	for (turn = 0; turn < 1000; turn++) {
		park_turn(&w);
		flush();
		while ((type = next(&row)) != 0) {
			if (type == WM_END)
				return (n);
			if (type == WM_PARK) {
				slots[row.slot]++;
				n++;
			} else if (type != WM_STATE)
				return (-1);
		}
	}
	return (-1);
}

static void
test_those_at_rest_are_told_of_ahead(void)
{
	static struct pending pending;
	static struct message message;
	uint8_t slots[SESSIONS];
	uint32_t i;

	begin_ahead();
	sessions[1].pending = &pending;
	sessions[2].message = &message;
	sessions[3].outq = &outq;
	sessions[4].state = SESSION_CLOSING;
	sessions[5].state = SESSION_VERIFY;
	CHECK(ask(40) == NULL && tells(slots) == 40);
	for (i = 1; i <= 5; i++)
		CHECK(slots[i] == 0);
	CHECK(slots[0] == 1 && slots[44] == 1 && slots[46] == 0);
	/* Each once, but who is another by now; datagrams are none of this. */
	waiting = 1;
	sessions[6].peer.generation++;
	sessions[1].pending = NULL;
	sessions[2].message = NULL;
	CHECK(ask(4096) == NULL && tells(slots) == SESSIONS - 40 - 3 + 1);
	CHECK(slots[1] == 1 && slots[2] == 1 && slots[6] == 1);
	CHECK(slots[0] == 0 && slots[SESSIONS - 1] == 1);
	CHECK(ask(4096) == NULL && tells(slots) == 0);
}

/* Others are served meanwhile: a turn takes so many, and there is a next. */
static void
test_few_at_a_time_are_told_of_ahead(void)
{
	begin_ahead();
	CHECK(ask(4096) == NULL);
	while (said < 32) {
		park_turn(&w);
		flush();
		while (next(&(struct msg_move_session){ 0 }) != 0)
			;
		CHECK(said <= 32);
	}
	park_turn(&w);
	CHECK(said > 32 && said <= 64);
	CHECK(ev_run(w.loop, EVRUN_ONCE) != 0);
}

/* When all stand still, whoever is as it was is not told of again. */
static void
test_what_has_changed_is_told_of_last(void)
{
	static struct outq full = { .control_len = 2 };
	struct msg_move_session row;
	uint8_t slots[SESSIONS];
	uint32_t slot;

	begin_ahead();
	sessions[9].state = SESSION_FREE;
	CHECK(ask(4096) == NULL && tells(slots) == SESSIONS - 1);
	park_end(&w);
	w.still.stage = STILL_ALL;
	sessions[9].state = SESSION_OPEN; /* new */
	sessions[10].bytes_in++;
	sessions[20].bytes_out++;
	sessions[30].outq = &full;
	sessions[40].state = SESSION_CLOSING;
	sessions[50].peer.generation++;
	sessions[55].outq = &outq; /* empty */
	CHECK(ask(0) == NULL);
	park_turn(&w);
	flush();
	CHECK(next(&row) == WM_PARK && row.slot == 9);
	CHECK(next(&row) == WM_STATE);
	for (slot = 10; slot <= 50; slot += 10) {
		CHECK(next(&row) == WM_GONE && gone == slot);
		if (slot == 40)
			continue;
		CHECK(next(&row) == WM_PARK && row.slot == slot);
		CHECK(next(&row) == WM_STATE);
	}
	CHECK(next(&row) == WM_END);
	/* All go on after all: nothing was told of. */
	park_end(&w);
	park_forget(&w);
	CHECK(ask(0) == NULL);
	park_turn(&w);
	flush();
	CHECK(next(&row) == WM_PARK && row.slot == 0);
}

/* It is the parent that says so: out of turn is a fault. */
static void
test_asked_out_of_turn(void)
{
	int pair[2];

	begin();
	CHECK(channel_pair(pair) == 0 && park_begin(&w, &all, pair[0]) != NULL);
	CHECK(write(pair[1], "x", 1) == -1 && close(pair[1]) == 0);
	CHECK(w.still.parking != NULL);
	park_end(&w);
	w.still.stage = STILL_LISTENERS;
	CHECK(channel_pair(pair) == 0 && park_begin(&w, &all, pair[0]) != NULL);
	CHECK(w.still.parking == NULL && close(pair[1]) == 0);
	/* Ahead only while all goes on. */
	CHECK(ask(9) != NULL && w.still.parking == NULL);
	w.still.stage = STILL_ALL;
	CHECK(ask(9) != NULL && w.still.parking == NULL);
	w.still.stage = STILL_NOT;
	CHECK(ask(0) != NULL && w.still.parking == NULL);
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	parts_loop();
	channel_loop_init(w.loop);
	w.sessions = sessions;
	w.nslots = w.slots_max = SESSIONS;
	RUN(test_each_session_is_told_of_and_then_the_end);
	RUN(test_no_faster_than_the_parent_reads);
	RUN(test_bytes_wait_as_well);
	RUN(test_datagrams_are_waited_for_before_the_end);
	RUN(test_one_that_cannot_be_told_ends_it);
	RUN(test_the_parent_wants_no_more);
	RUN(test_those_at_rest_are_told_of_ahead);
	RUN(test_few_at_a_time_are_told_of_ahead);
	RUN(test_what_has_changed_is_told_of_last);
	RUN(test_asked_out_of_turn);
	return (test_failed());
}
