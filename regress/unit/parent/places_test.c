/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/still_clock.h"

#include "regress/unit/parent/parts.h"

/* Whose sessions go where. */

static const struct process *from, *to; /* of the last batch; NULL: none */
static uint32_t most;
static int answers, retired, unlistened, logins;

int
move_begin(
    struct process *of, struct process *heir, uint32_t *entry, uint32_t n)
{
	from = of;
	to = heir;
	most = n;
	*entry += 1;
	return (1);
}

uint32_t
pmap_used(const struct pmap *map)
{
	return (5);
}

void
supervise_retire(struct place *place)
{
	retired++;
}

void
wiring_unlisten(struct process *p, const struct listener *listener)
{
	unlistened++;
}

uint32_t
metrics_load(const struct process *p)
{
	return ((uint32_t)logins);
}

void
control_renewed(struct parent *of, int error)
{
	answers++;
}

void
spawn_settle(struct parent *of, int keep)
{
}

static int over; /* how often those beside auth and metrics were to end */

void
beside_end(struct parent *of)
{
	over++;
}

static void
begin(uint32_t first, uint32_t second)
{
	uint32_t i;

	for (i = 0; i < 2; i++) {
		if (parent.workers[i].leaving)
			places_left(&parent.workers[i]);
		parent.workers[i].retired = 0;
		parent.workers[i].walk = 0;
		parent.workers[i].child->state = CHILD_RUNNING;
	}
	parent.workers[0].child->sessions = first;
	parent.workers[1].child->sessions = second;
	answers = retired = unlistened = logins = over = 0;
}

static void
runs(void)
{
	from = to = NULL;
	ev_feed_event(parent.loop, &parent.places.timer, EV_TIMER);
	ev_invoke_pending(parent.loop);
}

static int
is_told_to_end(uint32_t i)
{
	return (parts_told(i + 1, PARTS_SHUTDOWN, NULL, 0) == 1);
}

static void
test_few_more_are_left_alone(void)
{
	begin(64, 0);
	runs();
	CHECK(from == NULL);
	begin(1000, 900);
	runs();
	CHECK(from == NULL);
	begin(1000, 800);
	runs();
	CHECK(from == parent.workers[0].child && to == parent.workers[1].child);
	CHECK(most == 100 && parent.workers[0].walk == 1);
	/* Not while one has only begun, or does not answer. */
	parent.workers[1].child->state = CHILD_STARTING;
	runs();
	CHECK(from == NULL);
	parent.workers[1].child->state = CHILD_RUNNING;
	parent.workers[1].child->unanswered = 2;
	runs();
	CHECK(from == NULL);
	parent.workers[1].child->unanswered = 0;
	parent.stopping = 1;
	runs();
	CHECK(from == NULL);
	parent.stopping = 0;
}

static void
test_one_leaves(void)
{
	static struct listener web = { .kind = LISTENER_WEBSOCKET };
	static struct listener udp = { .kind = LISTENER_UDP };

	begin(3, 9);
	TAILQ_INSERT_TAIL(&parent.listeners, &web, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &udp, entry);
	places_leave(&parent.workers[1]);
	places_leave(&parent.workers[1]);
	TAILQ_INIT(&parent.listeners);
	CHECK(unlistened == 1 && parent.places.leaving == 1);
	CHECK(parent.workers[1].retired);
	runs();
	CHECK(from == parent.workers[1].child && to == parent.workers[0].child);
	CHECK(most == MOVE_SESSIONS_MAX && answers == 0);
	/* The walk begins anew until none is left. */
	parent.workers[1].walk = 4;
	runs();
	CHECK(from != NULL && parent.workers[1].walk == 0);
	/* Whoever logs in there just now has a while for it. */
	parent.workers[1].child->sessions = 0;
	logins = 1;
	runs();
	CHECK(from == NULL && answers == 1);
	/* It has not read yet that it takes nobody any more. */
	CHECK(parts_told(2, 0, NULL, 0) == 1);
	runs();
	CHECK(!is_told_to_end(1));
	parent.workers[1].child->unanswered = 0;
	runs();
	CHECK(!is_told_to_end(1));
	still_pass(11.);
	runs();
	CHECK(answers == 1 && is_told_to_end(1));
	runs();
	CHECK(!is_told_to_end(1));
	places_left(&parent.workers[1]);
	CHECK(parent.places.leaving == 0 && answers == 1 && over == 1);
}

/* One that dies with its sessions keeps nobody waiting. */
static void
test_who_leaves_and_dies(void)
{
	begin(3, 9);
	places_leave(&parent.workers[1]);
	places_left(&parent.workers[1]);
	CHECK(answers == 1 && parent.places.leaving == 0);
}

static void
test_nobody_is_there_to_leave(void)
{
	struct process *child;

	begin(3, 9);
	child = parent.workers[1].child;
	parent.workers[1].child = NULL;
	places_leave(&parent.workers[1]);
	parent.workers[1].child = child;
	CHECK(retired == 1);
}

int
main(void)
{
	parts_init();
	places_init(&parent);
	parent.ready = 1;
	RUN(test_few_more_are_left_alone);
	RUN(test_one_leaves);
	RUN(test_who_leaves_and_dies);
	RUN(test_nobody_is_there_to_leave);
	return (test_failed());
}
