/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "parent/parent.h"

/*
 * An upgrade replaces auth and metrics, too.  New ones come up beside the old
 * ones.  New workers ask the new auth from their first login on, old ones the
 * old auth to their last: so nobody who logs in is told to try again.
 */

static void
beside_start(struct parent *parent, struct place *place, struct place *beside)
{
	if (place->role == NULL || place->retired)
		return;
	beside->restarts = place->restarts;
	supervise_beside(parent, beside, place->role->id);
	parent->places.renewal.awaited++;
}

void
beside_begin(struct parent *parent)
{
	beside_start(parent, &parent->auth, &parent->auth_beside);
	beside_start(parent, &parent->metrics, &parent->metrics_beside);
}

/* Boolean: those of an upgrade before are still there. */
int
beside_is_busy(const struct parent *parent)
{
	return (parent->auth_beside.role != NULL ||
		parent->metrics_beside.role != NULL);
}

/* The new child has the old one's place, and that one is beside it. */
static void
beside_change(struct place *place, struct place *beside)
{
	struct process *old;

	old = place->child;
	ev_timer_stop(place->parent->loop, &place->restart);
	place->child = beside->child;
	place->child->place = place;
	beside->child = old;
	beside->candidate = 0;
	beside->leaving = 1;
	beside->retired = 1;
	if (old != NULL)
		old->place = beside;
	else
		supervise_retire(beside);
}

/* Scrapes that have begun are answered, no other is. */
static void
beside_unlisten(struct process *p)
{
	const struct listener *listener;

	if (p == NULL)
		return;
	TAILQ_FOREACH(listener, &p->parent->listeners, entry)
		if (listener->kind == LISTENER_METRICS)
			wiring_unlisten(p, listener);
}

static void
beside_end_one(struct place *beside)
{
	if (beside->leaving && beside->child != NULL)
		process_send(
		    beside->child, beside->role->shutdown, -1, NULL, 0);
}

/* All that are new are ready. */
void
beside_take_over(struct parent *parent)
{
	if (parent->auth_beside.candidate) {
		if (parent->auth.child != NULL)
			parent->auth.role->lost(parent->auth.child);
		beside_change(&parent->auth, &parent->auth_beside);
		wiring_auth_takes_over(parent->auth.child);
	}
	if (!parent->metrics_beside.candidate)
		return;
	if (parent->metrics.role == NULL || parent->metrics.retired) {
		/* A reload since wants none. */
		parent->metrics_beside.candidate = 0;
		parent->metrics_beside.leaving = 1;
		parent->metrics_beside.retired = 1;
		beside_end_one(&parent->metrics_beside);
		return;
	}
	beside_change(&parent->metrics, &parent->metrics_beside);
	beside_unlisten(parent->metrics_beside.child);
}

/* Nobody leaves any more: the old ones are not asked again. */
void
beside_end(struct parent *parent)
{
	beside_end_one(&parent->auth_beside);
	beside_end_one(&parent->metrics_beside);
}
