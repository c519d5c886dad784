/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "parent/control.h"
#include "regress/unit/still_clock.h"

#include "regress/unit/parent/parts.h"

/* Two workers, of which the one may leave and the other take its sessions. */
static struct msg_ctl_worker rows[4];
static uint32_t nrows;
static int slow;

int
control_row(struct control_client *client, enum ctl_reply type,
    const void *data, size_t len)
{
	if (slow || type != CTL_WORKER || len != sizeof(rows[0]) || nrows == 4)
		return (-1);
	memcpy(&rows[nrows++], data, len);
	return (0);
}

const char *
control_done(struct control_client *client, int error)
{
	return (error == 0 ? NULL : "an error");
}

static uint32_t
state(void)
{
	static struct control control;
	static struct control_client client;

	control.parent = &parent;
	client.control = &control;
	nrows = 0;
	if (from_ctl_show_workers(&client, NULL, 0, -1) != NULL)
		return (CTL_WORKER_STATES);
	return (rows[0].state);
}

static void
test_numbers(void)
{
	static struct listener udp = { .kind = LISTENER_UDP, .nfds = 3 };
	static struct listener web = { .kind = LISTENER_WEBSOCKET, .nfds = 1 };
	struct process *p;

	TAILQ_INSERT_TAIL(&parent.listeners, &udp, entry);
	TAILQ_INSERT_TAIL(&parent.listeners, &web, entry);
	p = parent.workers[0].child;
	p->pid = 123;
	p->sessions = 7;
	parent.workers[1].child->sessions = 5;
	parent.workers[1].restarts = 2;
	atomic_store(&parent.map.header->sessions, 12);
	CHECK(state() == CTL_WORKER_RUNNING && nrows == 2);
	CHECK(rows[0].worker == 0 && rows[0].place == 0 && rows[0].pid == 123);
	CHECK(rows[0].sessions == 7 && rows[1].sessions == 5);
	CHECK(rows[0].all == 12 && rows[1].all == 12);
	CHECK(rows[0].sockets == 2 && rows[1].sockets == 1);
	CHECK(rows[1].restarts == 2 && rows[0].restarts == 0);
	CHECK(rows[0].out == 0 && rows[0].in == 0);
	parent.nworkers = 1;
	(void)state();
	CHECK(rows[0].sockets == 3 && rows[1].sockets == 0);
	parent.nworkers = 2;
}

static void
test_what_is_on_its_way(void)
{
	struct move m;

	memset(&m, 0, sizeof(m));
	m.from = parent.workers[0].child;
	m.to = parent.workers[1].child;
	m.count = 64;
	m.from->move = &m;
	(void)state();
	CHECK(rows[0].out == 64 && rows[0].to == 1 && rows[0].in == 0);
	CHECK(rows[1].out == 0 && rows[1].in == 64);
	m.from->move = NULL;
}

static void
test_states(void)
{
	struct process *p;
	struct place *place;

	place = &parent.workers[0];
	p = place->child;
	parent.drain.phase = DRAIN_CLOSING;
	CHECK(state() == CTL_WORKER_DRAINING);
	parent.drain.phase = DRAIN_NOT;
	place->candidate = 1;
	CHECK(state() == CTL_WORKER_WAITING);
	place->candidate = 0;
	place->leaving = 1;
	CHECK(state() == CTL_WORKER_LEAVING);
	place->moved = 1;
	CHECK(state() == CTL_WORKER_LEFT);
	p->unanswered = 2;
	CHECK(state() == CTL_WORKER_SILENT);
	p->state = CHILD_STARTING;
	CHECK(state() == CTL_WORKER_STARTING);
	place->ended = 1;
	CHECK(state() == CTL_WORKER_ENDING);
	place->child = NULL;
	CHECK(state() == CTL_WORKER_DOWN && rows[0].pid == 0);
	place->child = p;
	p->state = CHILD_RUNNING;
	p->unanswered = 0;
	place->ended = place->moved = place->leaving = 0;
}

/* Whoever leaves stands beside the one that has its part. */
static void
test_the_other_place_of_a_part(void)
{
	struct place *other;

	other = &parent.workers[PROTO_WORKERS_MAX];
	other->parent = &parent;
	other->role = parent.workers[0].role;
	other->number = PROTO_WORKERS_MAX;
	CHECK(state() == CTL_WORKER_RUNNING && nrows == 3);
	CHECK(rows[1].worker == 0 && rows[1].place == PROTO_WORKERS_MAX);
	CHECK(rows[1].state == CTL_WORKER_DOWN && rows[2].worker == 1);
	other->role = NULL;
}

static void
test_who_does_not_read(void)
{
	slow = 1;
	CHECK(state() == CTL_WORKER_STATES);
	slow = 0;
}

int
main(void)
{
	parts_init();
	if (pmap_create(&parent.map) == -1)
		return (1);
	RUN(test_numbers);
	RUN(test_what_is_on_its_way);
	RUN(test_states);
	RUN(test_the_other_place_of_a_part);
	RUN(test_who_does_not_read);
	return (test_failed());
}
