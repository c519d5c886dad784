/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "common/clock.h"
#include "regress/unit/parent/parts.h"

/* A batch from worker 0 to worker 1, and what may come between. */

#define FROM 1 /* as parts_told() numbers them */
#define TO   2

struct batch {
	struct msg_move head;
	struct msg_move_session rows[3];
};

static struct batch in, out;
static uint32_t next; /* the entry to look at next */

/* Three sessions of worker 0, in slots 50 on, and one of worker 1's. */
static void
sessions(void)
{
	struct peermap_entry entry;
	uint32_t i, number;

	if (pmap_create(&parent.map) == -1)
		abort();
	parent.max_sockets = 100;
	for (i = 0; i < 4; i++) {
		number = pmap_add(&parent.map, 10 + i, 0);
		entry = *pmap_entry(&parent.map, number);
		entry.generation = 20 + i;
		entry.worker = i == 3;
		entry.slot = 50 + i;
		pmap_store(&parent.map, number, &entry);
	}
}

static int
is_moving(void)
{
	return (parent.workers[0].child->move != NULL);
}

static struct peermap_entry
entry(uint32_t i)
{
	return (*pmap_entry(&parent.map, pmap_find(&parent.map, 10 + i)));
}

/* A new batch of them, wherever they were; returns 0, or -1. */
static int
begin(void)
{
	struct peermap_entry e;
	struct msg_moved msg;
	uint32_t i;

	move_cancel_all(&parent);
	if (is_moving())
		move_lost(parent.workers[0].child);
	for (i = 0; i < 3; i++) {
		e = entry(i);
		e.generation = 20 + i;
		e.worker = 0;
		e.slot = 50 + i;
		pmap_store(&parent.map, pmap_find(&parent.map, 10 + i), &e);
	}
	parent.workers[0].child->sessions = 3;
	parent.workers[1].child->sessions = 1;
	while (parts_told(FROM, PW_MOVED, &msg, sizeof(msg)) != -1)
		;
	while (parts_told(TO, PW_MOVED, &msg, sizeof(msg)) != -1)
		;
	next = 0;
	if (move_begin(parent.workers[0].child, parent.workers[1].child, &next,
		100) != 3)
		return (-1);
	return (parts_told(TO, PW_MOVE_IN, &in, sizeof(in)) == 1 &&
			parts_told(FROM, PW_MOVE_OUT, &out, sizeof(out)) == 1
		    ? 0
		    : -1);
}

static const char *
ready(uint32_t from, uint32_t ticket, uint64_t mask, uint32_t slot)
{
	struct msg_move_ready msg;
	uint32_t i;

	memset(&msg, 0, sizeof(msg));
	msg.ticket = ticket;
	msg.mask = mask;
	for (i = 0; i < MOVE_SESSIONS_MAX; i++)
		msg.slot[i] = slot;
	return (move_ready(parent.workers[from].child, &msg));
}

static const char *
is_done(uint32_t from, uint32_t ticket)
{
	struct msg_move_done msg = { ticket };

	return (move_done(parent.workers[from].child, &msg));
}

/* Both ends were told that those of mask have moved. */
static int
both_told(uint64_t mask)
{
	struct msg_moved a, b;

	return (parts_told(FROM, PW_MOVED, &a, sizeof(a)) == 1 &&
		parts_told(TO, PW_MOVED, &b, sizeof(b)) == 1 &&
		a.mask == mask && b.mask == mask &&
		a.ticket == out.head.ticket && b.ticket == a.ticket);
}

static void
test_both_ends_are_introduced(void)
{
	CHECK(begin() == 0 && is_moving() && next == 4);
	CHECK(in.head.ticket == out.head.ticket && in.head.count == 3);
	CHECK(in.head.worker == 0 && out.head.worker == 1);
	CHECK(in.rows[2].node == 12 && in.rows[2].generation == 22);
	CHECK(in.rows[2].slot == 0 && out.rows[2].slot == 52);
	CHECK(entry(0).worker == 0);
}

static void
test_some_are_chosen_from_where_it_was(void)
{
	struct msg_move_session row;
	struct batch one;

	CHECK(begin() == 0);
	move_cancel_all(&parent);
	next = 1;
	CHECK(move_begin(parent.workers[0].child, parent.workers[1].child,
		  &next, 1) == 1);
	CHECK(next == 2);
	CHECK(both_told(0));
	CHECK(parts_told(
		  TO, PW_MOVE_IN, &one, sizeof(one.head) + sizeof(row)) == 1);
	CHECK(one.rows[0].node == 11);
	CHECK(parts_told(FROM, PW_MOVE_OUT, &one,
		  sizeof(one.head) + sizeof(row)) == 1);
	move_cancel_all(&parent);
	next = 3;
	CHECK(move_begin(parent.workers[0].child, parent.workers[1].child,
		  &next, 1) == 0);
	CHECK(!is_moving());
}

static void
test_the_map_has_those_that_are_ready(void)
{
	struct msg_moved msg;

	CHECK(begin() == 0);
	CHECK(ready(1, out.head.ticket, 5, 77) == NULL);
	CHECK(entry(0).worker == 1 && entry(0).slot == 77);
	CHECK(entry(0).generation == 20);
	CHECK(entry(1).worker == 0 && entry(1).slot == 51);
	CHECK(entry(2).worker == 1 && both_told(5));
	CHECK(parent.workers[0].child->sessions == 1);
	CHECK(parent.workers[1].child->sessions == 3);
	CHECK(parts_told(FROM, PW_FENCE, &msg, sizeof(msg)) == 1);
	CHECK(msg.worker == 0 && msg.ticket == out.head.ticket);
	CHECK(parts_told(TO, PW_FENCE, &msg, sizeof(msg)) == 1);
	/* What has moved is called off no more. */
	move_cancel_all(&parent);
	CHECK(is_moving());
	CHECK(is_done(0, out.head.ticket) == NULL && is_moving());
	CHECK(is_done(1, out.head.ticket + 1) == NULL && is_moving());
	CHECK(is_done(1, out.head.ticket) == NULL && !is_moving());
	CHECK(is_done(1, out.head.ticket) == NULL);
}

/* How often it was told for how long they stood still, and that in all. */
static uint64_t
pauses(uint64_t *ns)
{
	const struct histogram *h;
	uint64_t n;
	size_t i;

	h = &counters->histogram[HISTOGRAM_MOVE];
	n = 0;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		n += h->bucket[i];
	*ns = h->sum;
	return (n);
}

static void
test_how_long_they_stand_still_is_told(void)
{
	uint64_t after, before, most, n;

	n = pauses(&before);
	most = clock_ns();
	CHECK(begin() == 0);
	CHECK(ready(1, out.head.ticket, 5, 77) == NULL);
	most = clock_ns() - most;
	CHECK(pauses(&after) == n + 1);
	CHECK(after > before && after - before < most);
	/* What is waited for behind that is not of it; nor who has stayed. */
	CHECK(is_done(1, out.head.ticket) == NULL);
	CHECK(begin() == 0);
	move_cancel_all(&parent);
	CHECK(pauses(&before) == n + 1 && before == after);
}

static void
test_what_is_no_true_word(void)
{
	CHECK(begin() == 0);
	CHECK(ready(1, out.head.ticket, 1, 100) != NULL);
	CHECK(ready(1, out.head.ticket, 8, 0) != NULL);
	CHECK(is_done(1, out.head.ticket) != NULL);
	/* Another's batch, or one that is over: too late, nothing else. */
	CHECK(ready(0, out.head.ticket, 1, 0) == NULL);
	CHECK(ready(1, out.head.ticket - 1, 1, 0) == NULL);
	CHECK(entry(0).worker == 0 && is_moving());
	CHECK(ready(1, out.head.ticket, 1, 0) == NULL);
	CHECK(ready(1, out.head.ticket, 1, 0) != NULL);
}

/* It logged in anew, or is to end: it does not move. */
static void
test_who_is_another_meanwhile_stays(void)
{
	struct peermap_entry e;

	CHECK(begin() == 0);
	e = entry(0);
	e.generation = 99;
	pmap_store(&parent.map, pmap_find(&parent.map, 10), &e);
	e = entry(1);
	move_keep(&parent, &e);
	CHECK(ready(1, out.head.ticket, 7, 3) == NULL && both_told(4));
	CHECK(entry(0).worker == 0 && entry(1).worker == 0);
	/* Of none of them is anything left. */
	CHECK(begin() == 0);
	CHECK(ready(1, out.head.ticket, 0, 0) == NULL && both_told(0));
	CHECK(!is_moving());
}

static void
test_called_off(void)
{
	struct msg_moved msg;

	CHECK(begin() == 0);
	move_cancel_all(&parent);
	CHECK(!is_moving() && both_told(0));
	CHECK(ready(1, out.head.ticket, 7, 0) == NULL);
	CHECK(entry(0).worker == 0);
	/* In time, if nobody says anything ... */
	CHECK(begin() == 0);
	ev_feed_event(
	    parent.loop, &parent.workers[0].child->move->timer, EV_TIMER);
	ev_invoke_pending(parent.loop);
	CHECK(!is_moving() && both_told(0));
	/* ... or the new owner is never done with what it has ... */
	CHECK(begin() == 0);
	CHECK(ready(1, out.head.ticket, 7, 0) == NULL && both_told(7));
	CHECK(ev_is_active(&parent.workers[0].child->move->timer));
	ev_feed_event(
	    parent.loop, &parent.workers[0].child->move->timer, EV_TIMER);
	ev_invoke_pending(parent.loop);
	CHECK(!is_moving() && entry(0).worker == 1);
	/* ... or one of them is lost. */
	CHECK(begin() == 0);
	move_lost(parent.workers[1].child);
	CHECK(
	    !is_moving() && parts_told(FROM, PW_MOVED, &msg, sizeof(msg)) == 1);
	CHECK(msg.mask == 0);
	CHECK(begin() == 0);
	move_lost(parent.workers[0].child);
	CHECK(!is_moving());
}

int
main(void)
{
	parts_init();
	sessions();
	RUN(test_both_ends_are_introduced);
	RUN(test_some_are_chosen_from_where_it_was);
	RUN(test_the_map_has_those_that_are_ready);
	RUN(test_what_is_no_true_word);
	RUN(test_how_long_they_stand_still_is_told);
	RUN(test_who_is_another_meanwhile_stays);
	RUN(test_called_off);
	return (test_failed());
}
