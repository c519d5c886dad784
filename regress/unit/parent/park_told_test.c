/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <signal.h>

#include "common/clock.h"
#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/* What a worker tells of its sessions: one that is honest, and others. */

#define WORKER 1 /* as parts_told() numbers it */
#define NODES  3 /* of that worker; one more of the other */

static struct imsgbuf told; /* the worker's end */
static int told_fd = -1;
static struct msg_park asked; /* for what it is asked */
static int turned;
/* Those that were told of ahead. */
static uint32_t numbers; /* that were given; 0 from now on: no memory */
static int no_numbers;
static uint32_t changed; /* slot, of the last */
static int change;       /* what comes of that */

/* In the place of park.c. */
static void
turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	turned++;
}

/* In the place of park_ahead.c. */
uint32_t
park_ahead_add(
    struct parent *of, uint32_t place, const struct msg_move_session *row)
{
	return (no_numbers ? 0 : ++numbers);
}

int
park_ahead_changed(struct parent *of, uint32_t place, uint32_t slot)
{
	changed = slot;
	return (change);
}

/* ---- a worker ---- */

static void
run(void)
{
	int i;

	for (i = 0; i < 5; i++)
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
}

/* Its end of the channel that it is to tell at, or -1. */
static int
is_asked(void)
{
	struct imsg imsg;
	int fd;

	(void)channel_flush(&parent.workers[0].child->channel);
	if (imsgbuf_get(&parts_ends[WORKER], &imsg) != 1 &&
	    (imsgbuf_read(&parts_ends[WORKER]) != 1 ||
		imsgbuf_get(&parts_ends[WORKER], &imsg) != 1))
		return (-1);
	fd = imsg_get_type(&imsg) == PW_PARK &&
		     imsg_get_data(&imsg, &asked, sizeof(asked)) == 0
		 ? imsg_get_fd(&imsg)
		 : -1;
	imsg_free(&imsg);
	return (fd);
}

static void
lost(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
}

/* A new one, with a process of its own, which the next takes with it. */
static void
new_worker(void)
{
	struct process *p;

	p = parent.workers[0].child;
	channel_close(&p->channel);
	if (p->pid != 0) {
		(void)kill(p->pid, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
	}
	process_free(p);
	p = parts_child(WORKER);
	ev_init(&p->lost, lost);
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		(void)pause();
		_exit(0);
	}
}

static void
clear(void)
{
	park_told_end(&parent);
	imsgbuf_clear(&told);
	if (told_fd != -1)
		(void)close(told_fd);
	told_fd = -1;
	if (parent.park.file != NULL)
		park_file_free(parent.park.file);
	parent.park.file = NULL;
	parent.park.wrong = NULL;
	parent.park.stage = PARK_TOLD;
	turned = change = no_numbers = 0;
	numbers = changed = 0;
	new_worker();
}

/*
 * A worker with NODES sessions, nodes 10 on, in slots 50 on, is asked for all,
 * or (most > 0) for so many at rest.
 */
static int
begin_with(uint32_t most)
{
	struct peermap_entry entry;
	uint32_t i, number;

	clear();
	for (i = 0; i < NODES + 1; i++) {
		number = pmap_add(&parent.map, 10 + i, 0);
		entry = *pmap_entry(&parent.map, number);
		entry.generation = 20 + i;
		entry.worker = i == NODES;
		entry.slot = 50 + i;
		entry.keyid = 70 + i;
		entry.replaced = 4;
		entry.since = clock_seconds() - 100;
		pmap_store(&parent.map, number, &entry);
	}
	parent.workers[0].child->sessions = NODES;
	parent.park.file = park_file_new();
	if (most > 0)
		parent.park.stage = PARK_AHEAD;
	if (parent.park.file == NULL ||
	    park_told_begin(parent.workers[0].child, most) == -1)
		return (-1);
	told_fd = is_asked();
	if (told_fd == -1 || asked.most != most ||
	    imsgbuf_init(&told, told_fd) == -1)
		return (-1);
	imsgbuf_allow_fdsend(&told);
	return (0);
}

static int
begin(void)
{
	return (begin_with(0));
}

static int
say(uint32_t type, int fd, const void *data, size_t len)
{
	return (imsg_compose(&told, type, 0, 0, fd, data, len) == 1 &&
			imsgbuf_write(&told) == 0
		    ? 0
		    : -1);
}

static int
say_session(uint32_t i, uint32_t generation, uint32_t slot)
{
	struct msg_move_session row = { 10 + i, generation, slot };

	return (say(WM_PARK, -1, &row, sizeof(row)));
}

static int
say_state(void)
{
	struct msg_move_state state;

	memset(&state, 0, sizeof(state));
	return (say(WM_STATE, dup(STDOUT_FILENO), &state, sizeof(state)));
}

static int
say_bytes(void)
{
	static struct {
		struct msg_move_bytes head;
		uint8_t bytes[MOVE_CHUNK];
	} msg;

	return (say(WM_BYTES, -1, &msg, sizeof(msg)));
}

/* Session i as the map has it. */
static int
say_all(uint32_t i)
{
	return (
	    say_session(i, 20 + i, 50 + i) == 0 && say_state() == 0 ? 0 : -1);
}

/* The worker is killed, and the others keep theirs. */
static int
is_found_out(void)
{
	run();
	return (parent.park.wrong != NULL && turned == 1 &&
		parent.park.from == NULL && parent.workers[0].child->killed);
}

/* ---- */

static void
test_what_is_told_is_written(void)
{
	const struct park_file *file;
	const struct park_record *record;
	const struct park_session *session;

	CHECK(begin() == 0);
	CHECK(say_all(1) == 0 && say_bytes() == 0 && say_bytes() == 0);
	CHECK(say_all(0) == 0 && say(WM_END, -1, NULL, 0) == 0);
	CHECK(!park_told_is_over(&parent));
	run();
	CHECK(park_told_is_over(&parent) && turned == 1 &&
	      parent.park.wrong == NULL);
	file = parent.park.file;
	CHECK(file->sessions == 2 && file->nfds == 2);
	record = (const void *)file->buffer;
	session = (const void *)(record + 1);
	CHECK(record->type == PARK_SESSION && record->len == sizeof(*session));
	CHECK(session->node == 11 && session->keyid == 71);
	CHECK(session->replaced == 4);
	CHECK(session->since >= 100 && session->since < 200);
	record = (const void *)(session + 1);
	CHECK(record->type == PARK_STATE);
	CHECK(record->len == sizeof(struct msg_move_state));
	park_told_end(&parent);
	CHECK(parent.park.from == NULL && !park_told_is_over(&parent));
	park_told_end(&parent);
}

static void
test_session_that_it_does_not_have(void)
{
	/* Of nobody, of the other worker, and of times and places gone by. */
	CHECK(begin() == 0 && say_session(90, 20, 50) == 0 && is_found_out());
	CHECK(begin() == 0 && say_session(NODES, 20 + NODES, 50 + NODES) == 0);
	CHECK(is_found_out());
	CHECK(begin() == 0 && say_session(1, 20, 51) == 0 && is_found_out());
	CHECK(begin() == 0 && say_session(1, 21, 50) == 0 && is_found_out());
	CHECK(parent.park.file->sessions == 0);
}

static void
test_session_that_is_none_any_more(void)
{
	struct peermap_entry entry;
	uint32_t number;

	CHECK(begin() == 0);
	number = pmap_find(&parent.map, 11);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = 0;
	pmap_store(&parent.map, number, &entry);
	CHECK(say_session(1, 0, 51) == 0 && is_found_out());
}

/* As many as it has: each twice would be more. */
static void
test_more_sessions_than_it_has(void)
{
	CHECK(begin() == 0);
	CHECK(say_all(0) == 0 && say_all(1) == 0 && say_all(0) == 0);
	run();
	CHECK(parent.park.wrong == NULL && parent.park.from != NULL);
	CHECK(say_session(1, 21, 51) == 0 && is_found_out());
	CHECK(parent.park.file->sessions == NODES);
}

static const struct park_session *
first_session(void)
{
	return ((const void *)(parent.park.file->buffer +
			       sizeof(struct park_record)));
}

static void
test_those_told_of_ahead_have_numbers(void)
{
	CHECK(begin_with(2) == 0 && say_all(2) == 0 && say_all(0) == 0);
	run();
	CHECK(parent.park.wrong == NULL && parent.park.file->sessions == 2);
	CHECK(first_session()->node == 12 && first_session()->ahead == 1);
	CHECK(numbers == 2);
	/* Not more than it was asked for. */
	CHECK(say_all(1) == 0 && is_found_out());
	CHECK(begin() == 0 && say_all(2) == 0);
	run();
	CHECK(first_session()->ahead == 0 && numbers == 0);
	/* That there is no memory for a number is not the worker's fault. */
	CHECK(begin_with(2) == 0);
	no_numbers = 1;
	CHECK(say_all(2) == 0);
	run();
	CHECK(parent.park.wrong != NULL && parent.park.from != NULL);
}

/* All goes on: the map may have lost it before the worker hears of it. */
static void
test_one_that_ends_while_it_is_told_of(void)
{
	struct peermap_entry entry;
	uint32_t number;

	CHECK(begin_with(5) == 0);
	number = pmap_find(&parent.map, 11);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = 99;
	pmap_store(&parent.map, number, &entry);
	CHECK(say_all(1) == 0 && say_all(0) == 0);
	run();
	CHECK(parent.park.wrong == NULL && numbers == 1);
	CHECK(parent.park.file->sessions == 1 && first_session()->node == 10);
	/* Of one at rest there are no bytes. */
	CHECK(say_all(2) == 0 && say_bytes() == 0 && is_found_out());
}

static void
test_those_that_have_changed(void)
{
	struct msg_park_gone gone = { 51 };

	CHECK(begin() == 0);
	CHECK(say(WM_GONE, -1, &gone, sizeof(gone)) == 0 && say_all(1) == 0);
	CHECK(say(WM_GONE, -1, &gone, sizeof(gone)) == 0);
	run();
	CHECK(parent.park.wrong == NULL && changed == 51);
	change = -1;
	CHECK(say(WM_GONE, -1, &gone, sizeof(gone)) == 0);
	run();
	CHECK(parent.park.wrong != NULL && parent.park.from != NULL);
	/* Not while all goes on, nor in the midst of one. */
	CHECK(begin_with(5) == 0);
	CHECK(say(WM_GONE, -1, &gone, sizeof(gone)) == 0 && is_found_out());
	CHECK(begin() == 0 && say_session(1, 21, 51) == 0);
	CHECK(say(WM_GONE, -1, &gone, sizeof(gone)) == 0 && is_found_out());
}

static void
test_out_of_turn(void)
{
	/* Before any session; twice; bytes first; none; after the end. */
	CHECK(begin() == 0 && say_state() == 0 && is_found_out());
	CHECK(begin() == 0 && say_bytes() == 0 && is_found_out());
	CHECK(begin() == 0 && say_all(0) == 0 && say_state() == 0);
	CHECK(is_found_out());
	CHECK(begin() == 0 && say_session(0, 20, 50) == 0);
	CHECK(say_bytes() == 0 && is_found_out());
	CHECK(begin() == 0 && say_session(0, 20, 50) == 0);
	CHECK(say_session(1, 21, 51) == 0 && is_found_out());
	CHECK(begin() == 0 && say_session(0, 20, 50) == 0);
	CHECK(say(WM_END, -1, NULL, 0) == 0 && is_found_out());
	CHECK(begin() == 0 && say(WM_END, -1, NULL, 0) == 0);
	CHECK(say_all(0) == 0 && is_found_out());
	CHECK(begin() == 0 && say(WM_LAST, -1, NULL, 0) == 0);
	CHECK(is_found_out());
}

static void
test_state_without_a_descriptor(void)
{
	struct msg_move_state state;

	memset(&state, 0, sizeof(state));
	CHECK(begin() == 0 && say_session(0, 20, 50) == 0);
	CHECK(say(WM_STATE, -1, &state, sizeof(state)) == 0 && is_found_out());
}

static void
test_bytes_without_an_end(void)
{
	static const uint32_t message =
	    sizeof(struct msg_move_bytes) + MOVE_CHUNK;
	uint32_t i;

	CHECK(begin() == 0);
	/* Nothing of it is kept here, which would take a while. */
	parent.park.wrong = "as it is";
	CHECK(say_all(0) == 0);
	for (i = 0; i < (512U << 20) / message; i++) {
		CHECK(say_bytes() == 0);
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
	}
	run();
	CHECK(turned == 0 && !parent.workers[0].child->killed);
	CHECK(say_bytes() == 0 && is_found_out());
	CHECK(parent.park.file->sessions == 0);
}

/* That it cannot be written is not the worker's fault, nor the end of it. */
static void
test_what_cannot_be_written_is_noticed(void)
{
	CHECK(begin() == 0);
	parent.park.file->bytes = PARK_BYTES_MAX;
	CHECK(say_all(0) == 0);
	run();
	CHECK(parent.park.wrong != NULL);
	CHECK(!parent.workers[0].child->killed && parent.park.from != NULL);
}

static void
test_one_that_ends_is_not_killed(void)
{
	CHECK(begin() == 0 && say_all(0) == 0);
	imsgbuf_clear(&told);
	(void)close(told_fd);
	told_fd = -1;
	run();
	CHECK(parent.park.wrong != NULL && turned == 1 &&
	      parent.park.from == NULL);
	CHECK(!parent.workers[0].child->killed);
}

int
main(void)
{
	parts_init();
	if (pmap_create(&parent.map) == -1)
		abort();
	parent.max_sockets = 100;
	ev_init(&parent.park.timer, turn);
	RUN(test_what_is_told_is_written);
	RUN(test_session_that_it_does_not_have);
	RUN(test_session_that_is_none_any_more);
	RUN(test_more_sessions_than_it_has);
	RUN(test_those_told_of_ahead_have_numbers);
	RUN(test_one_that_ends_while_it_is_told_of);
	RUN(test_those_that_have_changed);
	RUN(test_out_of_turn);
	RUN(test_state_without_a_descriptor);
	RUN(test_bytes_without_an_end);
	RUN(test_what_cannot_be_written_is_noticed);
	RUN(test_one_that_ends_is_not_killed);
	clear();
	(void)kill(parent.workers[0].child->pid, SIGKILL);
	return (test_failed());
}
