/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/notify.h"
#include "parent/parent.h"

/* The child's sessions are over, whether or not it is dead already. */
static void
supervise_lost(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct process *p;

	p = w->data;
	if (p->place->role->lost != NULL)
		p->place->role->lost(p);
}

/* The channel has ended: the child is dead, dying, or hostile. */
void
supervise_channel_end(void *owner, const char *reason)
{
	struct process *p;

	p = owner;
	if (reason != NULL && p->place->candidate)
		process_end(p, reason);
	else if (reason != NULL)
		process_kill(p, reason);
	else if (!p->parent->stopping)
		process_kill_at_once(p);
	process_lost(p);
}

static void
supervise_later(struct place *place)
{
	ev_timer_set(&place->restart, place->backoff, 0.);
	ev_timer_start(place->parent->loop, &place->restart);
	if (place->backoff == 0.)
		place->backoff = BACKOFF_FIRST;
	else if (place->backoff < BACKOFF_MAX / 2)
		place->backoff *= 2;
	else
		place->backoff = BACKOFF_MAX;
}

/* A role that keeps dying may end the daemon. */
static void
supervise_deaths(struct place *place)
{
	uint32_t now;

	if (place->role->deaths == 0)
		return;
	now = clock_seconds();
	if (now - place->deaths_since >= DEATHS_WINDOW) {
		place->deaths_since = now;
		place->deaths = 0;
	}
	if (++place->deaths > place->role->deaths)
		shutdown_fatal(place->parent, "%s died %u times within %d s",
		    place->name, place->deaths, DEATHS_WINDOW);
}

/* Nobody holds it any more, and process_place() does not know it. */
void
supervise_retire(struct place *place)
{
	ev_timer_stop(place->parent->loop, &place->restart);
	if (place->role->left != NULL)
		place->role->left(place);
	place->retired = 0;
	place->role = NULL;
}

/* All that a dead child leaves behind. */
static void
supervise_bury(struct process *p)
{
	logfd_close(p);
	channel_close(&p->channel);
	process_lost(p);
	if (ev_clear_pending(p->parent->loop, &p->lost) != 0)
		supervise_lost(p->parent->loop, &p->lost, 0);
	metrics_fold(p);
	death_log(p, p->reaper.rstatus);
	if (p->place->role->dead != NULL)
		p->place->role->dead(p);
	if (clock_seconds() - p->started >= BACKOFF_RESET)
		p->place->backoff = 0.;
	process_free(p);
}

/* The child is dead. */
void
supervise_gone(struct process *p)
{
	struct parent *parent;
	struct place *place;

	place = p->place;
	parent = place->parent;
	supervise_bury(p);
	if (parent->stopping) {
		shutdown_reaped(parent);
		return;
	}
	if (place->retired || place->candidate) {
		supervise_retire(place);
		return;
	}
	if (successor_can_go_back(&parent->successor))
		shutdown_fatal(parent,
		    "%s has died: the beacond that runs "
		    "goes on",
		    place->name);
	if (!place->was_ready && !parent->ready)
		shutdown_fatal(
		    parent, "%s could not start; see above", place->name);
	supervise_deaths(place);
	supervise_later(place);
}

static void
supervise_reaped(struct ev_loop *loop, ev_child *w, int revents)
{
	ev_child_stop(loop, w);
	supervise_gone(w->data);
}

/* Nobody yet, for a place; NULL, logged. */
static struct process *
supervise_new(struct place *place)
{
	struct process *p;

	p = process_new(place);
	if (p == NULL) {
		log_warn("%s cannot be started", place->name);
		return (NULL);
	}
	ev_prepare_init(&p->lost, supervise_lost);
	p->lost.data = p;
	return (p);
}

/* Starts a child; its part in the mesh comes later. */
static struct process *
supervise_spawn(struct place *place)
{
	struct process *p;

	p = supervise_new(place);
	if (p == NULL)
		return (NULL);
	if (spawn(p, supervise_channel_end) == -1) {
		metrics_fold(p);
		process_free(p);
		return (NULL);
	}
	p->channel.state = PROCESS_STARTING;
	p->channel.budget = &p->budget;
	p->state = CHILD_STARTING;
	ev_child_init(&p->reaper, supervise_reaped, p->pid, 0);
	p->reaper.data = p;
	ev_child_start(p->parent->loop, &p->reaper);
	return (p);
}

/* The auth that a worker asks: new ones the new, see beside.c. */
static struct process *
supervise_auth(const struct place *worker)
{
	const struct place *beside;

	beside = &worker->parent->auth_beside;
	if (beside->role != NULL && (worker->candidate || worker->leaving) &&
	    beside->candidate == worker->candidate)
		return (beside->child);
	return (worker->parent->auth.child);
}

static void
supervise_connect(struct process *p)
{
	struct place *worker;
	uint32_t i;
	int is_auth;

	if (p->place->role->alone)
		return;
	is_auth = p->place->role->id == ROLE_AUTH;
	if (!is_auth)
		wiring_connect(p, supervise_auth(p->place));
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		worker = &p->parent->workers[i];
		if (worker->child != NULL &&
		    (!is_auth || supervise_auth(worker) == p))
			wiring_connect(p, worker->child);
	}
}

static void
supervise_restart(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct process *p;
	struct place *place;

	place = w->data;
	if (place->parent->stopping)
		return;
	if (place->epoch > place->first)
		place->restarts++;
	p = supervise_spawn(place);
	if (p == NULL) {
		supervise_later(place);
		return;
	}
	wiring_introduce(p);
	supervise_connect(p);
	process_send(p, place->role->start, -1, NULL, 0);
}

static void
supervise_place(
    struct parent *parent, struct place *place, enum role role, uint32_t number)
{
	place->parent = parent;
	place->role = &parent->roles[role];
	place->number = number;
	if (role == ROLE_WORKER)
		(void)snprintf(place->name, sizeof(place->name), "worker[%u]",
		    place_share(place));
	else
		(void)strlcpy(
		    place->name, place->role->name, sizeof(place->name));
	ev_timer_init(&place->restart, supervise_restart, 0., 0.);
	place->restart.data = place;
}

static void
supervise_first(struct place *place)
{
	place->backoff = 0.;
	place->first = place->epoch;
	place->was_ready = 0;
	supervise_later(place);
}

/*
 * Begins to have a worker in a place that is not used; candidate: boolean, see
 * renew.c.
 */
void
supervise_worker(struct parent *parent, struct place *place, int candidate)
{
	supervise_place(parent, place, ROLE_WORKER, place->number);
	place->candidate = candidate;
	supervise_first(place);
}

/* Likewise a child of that role, beside the one that there is. */
void
supervise_beside(struct parent *parent, struct place *place, enum role role)
{
	supervise_place(parent, place, role, 0);
	place->candidate = 1;
	supervise_first(place);
}

/*
 * A process that another parent has started, in a place that nobody has: its
 * pid and channel, and whether it is alive, are the caller's.  It counts as
 * down, so that it is told nothing.  NULL, logged.
 */
struct process *
supervise_adopt(
    struct parent *parent, struct place *place, const struct msg_ctl_ward *ward)
{
	struct process *p;

	supervise_place(parent, place, (enum role)ward->role, ward->number);
	place->epoch = ward->epoch - 1;
	p = supervise_new(place);
	if (p == NULL)
		return (NULL);
	p->started -= ward->age;
	place->was_ready = 1;
	return (p);
}

/* Prepares a place for each child; once, with the loop at hand. */
void
supervise_init(struct parent *parent)
{
	uint32_t i, number;

	budget_init(&parent->revocations, REVOKE_RATE, REVOKE_BURST);
	budget_init(&parent->unlearned, UNLEARN_RATE, UNLEARN_BURST);
	supervise_place(parent, &parent->auth, ROLE_AUTH, 0);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		parent->workers[i].number = i;
	for (i = 0; i < parent->nworkers; i++) {
		number = successor_place(&parent->successor, i);
		supervise_place(
		    parent, &parent->workers[number], ROLE_WORKER, number);
	}
	if (parent->sums != NULL)
		supervise_place(parent, &parent->metrics, ROLE_METRICS, 0);
	ping_init(parent);
}

/* All children at once: none waits for another to be ready. */
void
supervise_start_all(struct parent *parent)
{
	struct place *place, *other;
	uint32_t i, j;

	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (supervise_spawn(place) == NULL)
			shutdown_fatal(
			    parent, "%s could not be started", place->name);
	for (i = 0; (place = process_place(parent, i)) != NULL; i++) {
		wiring_introduce(place->child);
		for (j = 0; j < i && !place->role->alone; j++) {
			other = process_place(parent, j);
			wiring_connect(place->child, other->child);
		}
	}
	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		process_send(place->child, place->role->start, -1, NULL, 0);
}

/*
 * Metrics begin to be wanted or are wanted no more, by a reload.  One that ends
 * and is wanted again meanwhile is started anew when it has ended.
 */
void
supervise_metrics(struct parent *parent, int wanted)
{
	struct place *place;

	place = &parent->metrics;
	if (wanted && place->role == NULL) {
		supervise_place(parent, place, ROLE_METRICS, 0);
		place->backoff = 0.;
		supervise_later(place);
	}
	if (place->role == NULL)
		return;
	place->retired = !wanted;
	if (wanted)
		return;
	if (place->child == NULL)
		supervise_retire(place);
	else
		process_send(place->child, place->role->shutdown, -1, NULL, 0);
}

static int
supervise_runs(const struct place *place)
{
	return (place->child != NULL && place->child->state == CHILD_RUNNING);
}

/* Once all children serve, so does the daemon. */
static void
supervise_all_ready(struct parent *parent)
{
	struct place *place;
	uint32_t i;

	for (i = 0; (place = process_place(parent, i)) != NULL; i++)
		if (!supervise_runs(place))
			return;
	if (parent->successor.pending)
		parent->successor.go(parent);
	else
		supervise_serve(parent);
}

/* From now on the daemon serves. */
void
supervise_serve(struct parent *parent)
{
	parent->ready = 1;
	gossip_send_start(parent);
	log_info("ready");
	notify_ready("serving");
}

/*
 * A child's first word: it is of our build, knows who it is, and does its work
 * from now on.  Returns NULL, or what is wrong with it.
 */
const char *
supervise_ready(struct process *p, const struct msg_hello *hello)
{
	if (!proto_same_build(hello))
		return ("program of another version; install all of them");
	if (hello->worker != p->place->number || hello->epoch != p->epoch)
		return ("confused about who it is");
	p->channel.state = PROCESS_RUNNING;
	p->state = CHILD_RUNNING;
	p->place->was_ready = 1;
	metrics_publish_loads(p->parent);
	if (p->place->role->ready != NULL)
		p->place->role->ready(p);
	if (p->parent->ready)
		log_info("%s (pid %d) is back", p->place->name, p->pid);
	else
		supervise_all_ready(p->parent);
	return (NULL);
}
