/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>

#include "parent/inherit.h"
#include "parent/notify.h"
#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/* What was kept is found, comes to the workers, and is let go then. */

#define WORKERS 2

static struct park_file *kept; /* in the manager's keeping */
static int has_file;
static int taken_queues;
static void (*unparked)(struct parent *); /* what is to be called then */
static struct listener listener;
static int settled, opened;
static int let_go, steered, serves, asked_sockets, opened_channel, confirmed;
static int asked, asked_last; /* for some more; for all else */
static uint32_t comes;        /* sessions in the next file */
static int forgotten, keys_sent;
static int adopts, adopted;
static const char *not_adopted;
static int nurse = STDOUT_FILENO; /* -1: it cannot be kept */

/* ---- in the place of what it calls ---- */

int
inherit_take_named(const char *name)
{
	char next[32];

	if (has_file && strcmp(name, "beacond-file") == 0)
		return (dup(kept->fd));
	(void)snprintf(next, sizeof(next), "beacond-queue-%04d", taken_queues);
	if (strcmp(name, next) != 0 || taken_queues == (int)kept->nqueues)
		return (-1);
	return (dup(kept->queues[taken_queues++]));
}

void
inherit_each_name(void (*fn)(const char *))
{
	if (fn == notify_let_go)
		fn("beacond-file");
}

void
notify_let_go(const char *name)
{
	let_go++;
}

void
steer_on(struct parent *of)
{
	steered++;
}

/* Who is told of that by its settings. */
void
wiring_settings(struct process *p)
{
	CHECK(steered == 1);
	settled++;
}

/* What comes is the other one's until that has ended. */
void
control_resume(struct parent *of)
{
	opened++;
}

void
router_resume(struct parent *of)
{
	opened++;
}

void
wiring_listener(struct process *p, const struct listener *of)
{
	opened++;
}

void
supervise_serve(struct parent *of)
{
	serves++;
}

void
unpark_begin(struct parent *of, int fd, void (*done)(struct parent *))
{
	unparked = done;
	of->successor.unpark.sessions = comes;
	unpark_file_close(&of->successor.unpark.file);
}

int
keys_send(struct parent *of)
{
	keys_sent++;
	return (0);
}

void
unpark_ahead_free(struct parent *of)
{
	forgotten++;
}

const char *
adopt_read(struct parent *of, int fd)
{
	adopts++;
	return (not_adopted);
}

void
adopt_over(struct parent *of)
{
	adopted += adopts == 1 && serves == 0 && confirmed == 1;
}

void
successor_give_up(struct parent *of, const char *why)
{
	_exit(77);
}

void
successor_ask_sockets(struct parent *of)
{
	asked_sockets++;
	of->successor.pending = 1;
}

void
successor_open_channel(struct parent *of, void (*kept_by)(struct parent *),
    void (*over)(struct parent *))
{
	of->successor.kept = kept_by;
	of->successor.over = over;
	opened_channel++;
}

void
successor_ask(struct parent *of)
{
	asked += !of->successor.last;
	asked_last += of->successor.last;
	unparked = NULL;
}

void
successor_taken(struct parent *of)
{
	confirmed++;
}

/* ---- */

static void
begin(int sealed)
{
	struct park_header header;
	uint32_t i;

	memset(&parent.successor, 0, sizeof(parent.successor));
	if (kept != NULL)
		park_file_free(kept);
	kept = park_file_new();
	if (kept == NULL)
		abort();
	for (i = 0; i < PARK_BATCH; i++)
		if (park_file_add_fd(kept, dup(STDOUT_FILENO)) == -1)
			abort();
	memset(&header, 0, sizeof(header));
	header.steered = 1;
	header.steer_key = 1234;
	header.nworkers = 7;
	header.keys = 32;
	if (sealed && park_file_seal(kept, &header) == -1)
		abort();
	taken_queues = 0;
	has_file = 1;
	unparked = NULL;
	settled = opened = 0;
	let_go = steered = serves = asked_sockets = opened_channel = confirmed =
	    0;
	asked = asked_last = forgotten = keys_sent = 0;
	comes = 0;
}

/* Do both workers hear that? */
static int
both_hear(enum still_stage stage)
{
	struct msg_still msg;
	uint32_t i;

	for (i = 1; i <= WORKERS; i++)
		if (parts_told(i, PW_STILL, &msg, sizeof(msg)) != 1 ||
		    msg.stage != stage || msg.ticket != 0)
			return (0);
	return (1);
}

static void
test_without_anything_kept(void)
{
	begin(1);
	has_file = 0;
	kept->nqueues = 0;
	successor_init(&parent, 0);
	CHECK(!parent.successor.pending && parent.successor.file == -1);
	CHECK(asked_sockets == 0 && let_go == 1);
	kept->nqueues = 1;
}

static void
test_what_was_kept_comes_to_the_workers(void)
{
	begin(1);
	successor_init(&parent, 0);
	CHECK(parent.successor.pending && taken_queues == 1);
	CHECK(parent.successor.unpark.file.nqueues == 1);
	CHECK(parent.successor.steered && parent.successor.steer_key == 1234);
	CHECK(parent.successor.nworkers == 7 && let_go == 0);
	CHECK(parent.keys == 32);
	parent.successor.go(&parent);
	CHECK(unparked != NULL && opened_channel == 0 && serves == 0);
	unparked(&parent);
	CHECK(!parent.successor.pending && steered == 1 && serves == 1);
	CHECK(both_hear(STILL_NOT) && let_go == 1 && confirmed == 0);
	CHECK(settled == WORKERS && opened == 0);
	CHECK(fcntl(parent.successor.file, F_GETFD) == -1);
}

/* It does not stay with the manager: nobody could ever use it. */
static void
test_what_is_of_no_use_is_let_go(void)
{
	begin(0);
	successor_init(&parent, 0);
	CHECK(!parent.successor.pending && let_go == 1 && taken_queues == 1);
	CHECK(parent.successor.unpark.file.nqueues == 0);
	CHECK(parent.successor.file != -1);
	CHECK(fcntl(parent.successor.file, F_GETFD) == -1);
	/* Queues without a file likewise. */
	begin(1);
	has_file = 0;
	successor_init(&parent, 0);
	CHECK(!parent.successor.pending && let_go == 1 && taken_queues == 1);
	CHECK(parent.successor.unpark.file.nqueues == 0);
}

/* It confirms that it has ended before we begin. */
static void
test_one_that_runs_is_asked(void)
{
	begin(1);
	successor_init(&parent, 1);
	CHECK(asked_sockets == 1 && taken_queues == 0);
	parent.successor.go(&parent);
	CHECK(opened_channel == 1 && asked == 1 && unparked == NULL);
	parent.successor.kept(&parent);
	CHECK(unparked != NULL);
	unparked(&parent);
	CHECK(asked == 1 && asked_last == 1 && confirmed == 0);
	parent.successor.kept(&parent);
	CHECK(unparked != NULL);
	unparked(&parent);
	CHECK(confirmed == 1 && serves == 0 && parent.successor.pending);
	CHECK(opened == 0);
	parent.successor.over(&parent);
	CHECK(serves == 1 && both_hear(STILL_NOT) && forgotten == 1);
	CHECK(keys_sent == 1);
	CHECK(settled == WORKERS && opened == 3);
}

/* One that is like us, for its children, and once. */
static void
go_to_one_that_is_alike(void)
{
	begin(1);
	successor_init(&parent, 1);
	parent.successor.adopt.likely = 1;
	adopts = adopted = 0;
	parent.successor.go(&parent);
	parent.successor.file = dup(STDOUT_FILENO);
	parent.successor.fd = nurse;
	parent.successor.kept(&parent);
}

static void
test_its_children_become_ours(void)
{
	go_to_one_that_is_alike();
	CHECK(opened_channel == 1 && asked == 1 && asked_last == 0);
	CHECK(adopts == 1 && confirmed == 1 && adopted == 0);
	CHECK(parent.successor.file == -1 && unparked == NULL);
	parent.successor.over(&parent);
	CHECK(adopted == 1 && serves == 1 && both_hear(STILL_NOT));
	parent.successor.adopt.likely = 0;
}

static void
test_its_children_cannot_be_ours(void)
{
	not_adopted = "for a reason";
	CHECK(parts_apart(go_to_one_that_is_alike) == 77);
	not_adopted = NULL;
	/* Before it has let go: one of them could not be killed. */
	nurse = -1;
	CHECK(parts_apart(go_to_one_that_is_alike) == 77);
	nurse = STDOUT_FILENO;
}

/* For as long as many more come while all goes on there. */
static void
test_it_is_asked_until_little_comes(void)
{
	int i;

	begin(1);
	successor_init(&parent, 1);
	parent.successor.go(&parent);
	comes = PARK_ROUND;
	for (i = 1; i < 4; i++) {
		CHECK(asked == i && asked_last == 0);
		parent.successor.kept(&parent);
		unparked(&parent);
	}
	comes = 255;
	CHECK(asked == 4);
	parent.successor.kept(&parent);
	unparked(&parent);
	CHECK(asked == 4 && asked_last == 1 && confirmed == 0);
	/* However much comes then, it is all. */
	comes = PARK_ROUND;
	parent.successor.kept(&parent);
	unparked(&parent);
	CHECK(asked == 4 && asked_last == 1 && confirmed == 1);
	/* And not for ever. */
	begin(1);
	successor_init(&parent, 1);
	parent.successor.go(&parent);
	comes = PARK_ROUND;
	for (i = 0; i < PARK_ROUNDS_MAX; i++) {
		CHECK(asked_last == 0);
		parent.successor.kept(&parent);
		unparked(&parent);
	}
	CHECK(asked == PARK_ROUNDS_MAX && asked_last == 1);
}

/* A worker has died meanwhile, and all are ready once more. */
static void
test_it_begins_once(void)
{
	begin(1);
	successor_init(&parent, 0);
	parent.successor.go(&parent);
	CHECK(unparked != NULL);
	unparked = NULL;
	parent.successor.go(&parent);
	CHECK(unparked == NULL);
	begin(1);
	successor_init(&parent, 1);
	parent.successor.go(&parent);
	parent.successor.go(&parent);
	CHECK(asked == 1);
}

int
main(void)
{
	parts_init();
	TAILQ_INIT(&parent.listeners);
	TAILQ_INSERT_TAIL(&parent.listeners, &listener, entry);
	RUN(test_without_anything_kept);
	RUN(test_what_was_kept_comes_to_the_workers);
	RUN(test_what_is_of_no_use_is_let_go);
	RUN(test_one_that_runs_is_asked);
	RUN(test_it_is_asked_until_little_comes);
	RUN(test_it_begins_once);
	RUN(test_its_children_become_ours);
	RUN(test_its_children_cannot_be_ours);
	return (test_failed());
}
