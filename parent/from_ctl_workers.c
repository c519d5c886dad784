/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/clock.h"
#include "parent/control.h"
#include "parent/parent.h"

/* What an operator is told of the workers, and of what moves between them. */

static enum ctl_worker_state
workers_state(const struct place *place)
{
	const struct process *p;

	p = place->child;
	if (p == NULL)
		return (CTL_WORKER_DOWN);
	if (place->ended || place->parent->stopping)
		return (CTL_WORKER_ENDING);
	if (p->state == CHILD_STARTING)
		return (CTL_WORKER_STARTING);
	if (p->unanswered > 1)
		return (CTL_WORKER_SILENT);
	if (place->leaving)
		return (place->moved ? CTL_WORKER_LEFT : CTL_WORKER_LEAVING);
	if (place->candidate)
		return (CTL_WORKER_WAITING);
	return (place->parent->drain.phase != DRAIN_NOT ? CTL_WORKER_DRAINING
							: CTL_WORKER_RUNNING);
}

/* Of the UDP sockets, as many as are this part's. */
static uint32_t
workers_sockets(const struct parent *parent, uint32_t share)
{
	const struct listener *listener;
	uint32_t n, nfds;

	n = 0;
	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		nfds = (uint32_t)listener->nfds;
		if (listener->kind == LISTENER_UDP && share < parent->nworkers)
			n += (nfds + parent->nworkers - 1 - share) /
			     parent->nworkers;
	}
	return (n);
}

/* As many sessions as are on their way to that child. */
static uint32_t
workers_in(const struct process *p)
{
	const struct process *from;
	uint32_t i, n;

	n = 0;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		from = p->parent->workers[i].child;
		if (from != NULL && from->move != NULL && from->move->to == p)
			n += from->move->count;
	}
	return (n);
}

static int
workers_row(struct control_client *client, const struct place *place)
{
	struct msg_ctl_worker row;
	const struct process *p;

	p = place->child;
	memset(&row, 0, sizeof(row));
	row.worker = place_share(place);
	row.place = place->number;
	row.state = workers_state(place);
	row.all = atomic_load_explicit(
	    &place->parent->map.header->sessions, memory_order_relaxed);
	row.restarts = place->restarts;
	row.sockets = workers_sockets(place->parent, row.worker);
	if (p != NULL) {
		row.pid = (uint32_t)p->pid;
		row.sessions = p->sessions;
		row.load = metrics_load(p);
		row.since = clock_wall_at(p->started);
		row.in = workers_in(p);
	}
	if (p != NULL && p->move != NULL) {
		row.out = p->move->count;
		row.to = p->move->to->place->number;
	}
	return (control_row(client, CTL_WORKER, &row, sizeof(row)));
}

/* By their parts; who leaves stands beside whoever has its part then. */
const char *
from_ctl_show_workers(void *owner, const void *data, size_t len, int fd)
{
	struct control_client *client;
	struct place *place;
	uint32_t i;

	client = owner;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		place = &client->control->parent
			     ->workers[i / 2 + i % 2 * PROTO_WORKERS_MAX];
		if (place->role != NULL && workers_row(client, place) == -1)
			return (CONTROL_SLOW);
	}
	return (control_done(client, 0));
}
