/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"

/* All stand still, say so when nothing is on its way, and go on. */

#define SIBLINGS 3 /* places 1, 5 and 70 */

static const uint32_t places[SIBLINGS] = { 1, 5, 70 };
static struct sibling siblings[SIBLINGS];
static struct imsgbuf parent;
static uint64_t waiting; /* datagrams on their way out */
static int reads;        /* boolean: sockets of UDP are read */
static int bursts, marks, parked, unparked, forgotten;
static struct session *returned; /* that another parent has again */
static uint32_t marked;          /* the ticket of the last mark */
static int frozen[PARTS_SESSIONS];

/* ---- in the place of what it calls ---- */

void
udp_start(struct worker *of)
{
	reads = !still_holds(of, STILL_ALL);
}

void
udp_stop(struct worker *of)
{
	reads = 0;
}

uint64_t
udp_waiting(const struct worker *of)
{
	return (waiting);
}

void
burst_end(struct worker *of)
{
	bursts++;
}

void
session_stop(struct worker *of, struct session *s)
{
	frozen[s - of->sessions]++;
}

void
session_return(struct worker *of, struct session *s)
{
	returned = s;
}

void
session_thaw(struct worker *of, struct session *s)
{
	frozen[s - of->sessions]--;
}

void
route_message(struct worker *of, struct sibling *to, uint32_t type,
    uint32_t peerid, uint32_t pid, const uint8_t *data, size_t len)
{
	marks += type == WW_MARK;
	marked = peerid;
}

void
park_turn(struct worker *of)
{
	parked++;
}

void
park_end(struct worker *of)
{
	unparked++;
	of->still.parking = NULL;
}

void
park_forget(struct worker *of)
{
	forgotten++;
}

void
tell_parent(
    struct worker *of, enum worker_to_parent type, const void *data, size_t len)
{
	(void)channel_send(&of->parent, type, 0, -1, data, len);
}

/* ---- */

static const char *
set(enum still_stage stage, uint32_t ticket)
{
	struct msg_still msg = { stage, ticket };

	return (still_set(&w, &msg));
}

/* At the end of a turn: does the worker say that, for that ticket? */
static int
says(enum still_stage stage, uint32_t ticket)
{
	struct msg_still msg;

	if (still_is_busy(&w))
		still_turn(&w);
	return (
	    parts_told(&w.parent, &parent, WP_STILL, &msg, sizeof(msg)) == 1 &&
	    msg.stage == stage && msg.ticket == ticket);
}

static int
are_frozen(int n)
{
	uint32_t i;

	for (i = 0; i < PARTS_SESSIONS; i++)
		if (frozen[i] != (i < 2 ? n : 0))
			return (0);
	return (1);
}

/* It serves: two sessions, a login and a free place. */
static void
begin(void)
{
	uint32_t i;

	for (i = 0; i < SIBLINGS; i++) {
		siblings[i].open = 1;
		w.routes.siblings[places[i]] = &siblings[i];
	}
	memset(&w.still, 0, sizeof(w.still));
	memset(frozen, 0, sizeof(frozen));
	w.parent.state = WORKER_RUNNING;
	(void)parts_session(0, SESSION_OPEN);
	(void)parts_session(1, SESSION_OPEN);
	(void)parts_session(2, SESSION_VERIFY);
	(void)parts_session(3, SESSION_FREE);
	reads = 1;
	bursts = marks = parked = unparked = forgotten = 0;
	waiting = 0;
	returned = NULL;
}

static void
all_have_marked(uint32_t ticket)
{
	uint32_t i;

	for (i = 0; i < SIBLINGS; i++)
		still_marked(&w, places[i], ticket);
}

static void
test_nobody_new_first(void)
{
	begin();
	CHECK(set(STILL_LISTENERS, 7) == NULL);
	CHECK(reads && are_frozen(0) && marks == 0);
	CHECK(!still_is_busy(&w) && !says(STILL_LISTENERS, 7));
	CHECK(set(STILL_NOT, 7) == NULL && reads);
	CHECK(are_frozen(0));
}

static void
test_all_stand_still_and_go_on(void)
{
	begin();
	CHECK(set(STILL_LISTENERS, 7) == NULL && set(STILL_ALL, 7) == NULL);
	CHECK(!reads && are_frozen(1));
	/* What they have said in this turn is passed on before the marks. */
	CHECK(bursts == 1 && marks == SIBLINGS && marked == 7);
	CHECK(still_is_busy(&w) && !says(STILL_ALL, 7));
	all_have_marked(7);
	CHECK(says(STILL_ALL, 7));
	CHECK(!still_is_busy(&w) && !says(STILL_ALL, 7));
	CHECK(set(STILL_NOT, 7) == NULL);
	CHECK(reads && are_frozen(0) && unparked == 1 && forgotten == 1);
}

/* One that is told to end meanwhile is written to again, or nobody hears it. */
static void
test_one_that_closes_meanwhile_goes_on(void)
{
	begin();
	CHECK(set(STILL_ALL, 7) == NULL && are_frozen(1));
	w.sessions[1].state = SESSION_CLOSING;
	CHECK(set(STILL_NOT, 7) == NULL && are_frozen(0));
}

/* Asked again, it does nothing twice. */
static void
test_still_once(void)
{
	begin();
	CHECK(set(STILL_ALL, 8) == NULL && set(STILL_ALL, 8) == NULL);
	CHECK(are_frozen(1) && marks == SIBLINGS);
	all_have_marked(8);
	CHECK(says(STILL_ALL, 8) && !says(STILL_ALL, 8));
}

static void
test_each_sibling_is_waited_for(void)
{
	begin();
	CHECK(set(STILL_ALL, 9) == NULL);
	still_marked(&w, 1, 9);
	still_marked(&w, 1, 9);
	still_marked(&w, 70, 9);
	CHECK(!says(STILL_ALL, 9));
	/* Of a time before, or of a move. */
	still_marked(&w, 5, 8);
	CHECK(!says(STILL_ALL, 9));
	still_marked(&w, 5, 9);
	CHECK(says(STILL_ALL, 9));
}

/* One that is lost has nothing of ours. */
static void
test_a_lost_sibling_is_not_waited_for(void)
{
	begin();
	CHECK(set(STILL_ALL, 10) == NULL);
	still_marked(&w, 1, 10);
	still_lost(&w, 70);
	CHECK(!says(STILL_ALL, 10));
	still_lost(&w, 5);
	still_lost(&w, 6);
	CHECK(says(STILL_ALL, 10));
}

static void
test_datagrams_leave_first(void)
{
	begin();
	waiting = 3;
	CHECK(set(STILL_ALL, 11) == NULL);
	all_have_marked(11);
	CHECK(!says(STILL_ALL, 11) && still_is_busy(&w));
	waiting = 0;
	CHECK(says(STILL_ALL, 11));
}

/* One that never went on here; what does is nobody else's. */
static void
test_one_that_another_parent_has_again(void)
{
	struct msg_forget msg = { 1, 0 };

	begin();
	msg.generation = w.sessions[1].peer.generation;
	CHECK(still_forget(&w, &msg) != NULL && returned == NULL);
	CHECK(set(STILL_LISTENERS, 7) == NULL);
	CHECK(still_forget(&w, &msg) != NULL && returned == NULL);
	CHECK(set(STILL_ALL, 7) == NULL);
	CHECK(still_forget(&w, &msg) == NULL && returned == &w.sessions[1]);
	returned = NULL;
	/* It has ended meanwhile, or is another by now. */
	msg.generation++;
	CHECK(still_forget(&w, &msg) == NULL && returned == NULL);
	msg.slot = PARTS_SESSIONS + 1000;
	CHECK(still_forget(&w, &msg) == NULL && returned == NULL);
}

/* Called off before it could be said. */
static void
test_called_off(void)
{
	begin();
	CHECK(set(STILL_ALL, 14) == NULL && set(STILL_NOT, 14) == NULL);
	CHECK(are_frozen(0) && !still_is_busy(&w) && !says(STILL_ALL, 14));
	/* Marks of that time are none of the next. */
	CHECK(set(STILL_ALL, 15) == NULL);
	all_have_marked(14);
	CHECK(!says(STILL_ALL, 15));
	all_have_marked(15);
	CHECK(says(STILL_ALL, 15));
}

/* Before it serves: nothing begins at all, until it may. */
static void
test_before_it_serves(void)
{
	begin();
	w.parent.state = WORKER_SETUP;
	reads = 0;
	CHECK(set(STILL_ALL, 0) == NULL);
	CHECK(are_frozen(0) && marks == 0 && !still_is_busy(&w));
	w.parent.state = WORKER_RUNNING;
	udp_start(&w);
	CHECK(!reads);
	/* Those that have come meanwhile wait, and begin. */
	frozen[0] = frozen[1] = 1;
	CHECK(set(STILL_NOT, 0) == NULL);
	CHECK(reads && are_frozen(0));
}

static void
test_called_off_before_it_serves(void)
{
	begin();
	w.parent.state = WORKER_SETUP;
	reads = 0;
	CHECK(set(STILL_ALL, 0) == NULL && set(STILL_NOT, 0) == NULL);
	CHECK(!reads && are_frozen(0));
}

static void
test_telling_goes_on_at_the_end_of_each_turn(void)
{
	begin();
	CHECK(!still_is_busy(&w));
	w.still.parking = (struct parking *)&w;
	CHECK(still_is_busy(&w));
	still_turn(&w);
	still_turn(&w);
	CHECK(parked == 2);
	CHECK(set(STILL_NOT, 1) == NULL && unparked == 1);
	CHECK(!still_is_busy(&w));
}

static void
test_no_such_stage(void)
{
	begin();
	CHECK(set((enum still_stage)(STILL_ALL + 1), 1) != NULL);
	CHECK(reads && w.still.stage == STILL_NOT);
}

int
main(void)
{
	parts_loop();
	(void)parts_sessions();
	parts_channel(&w.parent, &parent);
	RUN(test_nobody_new_first);
	RUN(test_all_stand_still_and_go_on);
	RUN(test_one_that_closes_meanwhile_goes_on);
	RUN(test_still_once);
	RUN(test_each_sibling_is_waited_for);
	RUN(test_a_lost_sibling_is_not_waited_for);
	RUN(test_datagrams_leave_first);
	RUN(test_one_that_another_parent_has_again);
	RUN(test_called_off);
	RUN(test_before_it_serves);
	RUN(test_called_off_before_it_serves);
	RUN(test_telling_goes_on_at_the_end_of_each_turn);
	RUN(test_no_such_stage);
	return (test_failed());
}
