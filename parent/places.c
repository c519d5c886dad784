/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/clock.h"
#include "common/log.h"
#include "parent/move.h"
#include "parent/parent.h"

/*
 * Which workers there are, and whose sessions go to whom: those of a worker
 * that leaves to the one that has its part of the work from now on, or else to
 * whoever has the fewest; and a few now and then from who has many more than
 * another.
 */

#define PLACES_EVERY  0.1
#define PLACES_SOON   0.001
#define PLACES_LOGINS 10 /* seconds; who logs in then, does so again */

/* So many sessions more than another are left alone, and a part of them. */
#define PLACES_UNEVEN      64
#define PLACES_UNEVEN_PART 8

/* Boolean: it does its work, and answers. */
static int
places_is_well(const struct place *place)
{
	return (place->child != NULL && place->child->state == CHILD_RUNNING &&
		place->child->unanswered <= 1);
}

/* And is going to do it. */
static int
places_stays(const struct place *place)
{
	return (places_is_well(place) && !place->leaving && !place->candidate);
}

/* Of those that stay, the one with the fewest sessions, or with the most. */
static struct place *
places_extreme(struct parent *parent, int most)
{
	struct place *best, *place;
	uint32_t i;

	best = NULL;
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		place = &parent->workers[i];
		if (!places_stays(place))
			continue;
		if (best == NULL ||
		    (most ? place->child->sessions > best->child->sessions
			  : place->child->sessions < best->child->sessions))
			best = place;
	}
	return (best);
}

/* Where the next sessions of a place that leaves are to go. */
static struct place *
places_heir(struct place *leaving)
{
	struct process *p;

	p = process_worker(leaving->parent, place_share(leaving));
	if (p != NULL && places_stays(p->place))
		return (p->place);
	return (places_extreme(leaving->parent, 0));
}

/* All sessions have moved; but logins may be under way where they were. */
static void
places_all_moved(struct parent *parent)
{
	log_info("all sessions have moved");
	if (parent->places.renewal.upgrade) {
		spawn_settle(parent, 1);
		parent->places.renewal.upgrade = 0;
	}
	control_renewed(parent, 0);
}

/*
 * Have all sessions gone that are to?  Then whoever waits for it is told; but
 * not as long as it is still being said who is to leave.
 */
void
places_moved(struct parent *parent)
{
	uint32_t i;

	if (parent->places.renewal.taking_over)
		return;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].leaving && !parent->workers[i].moved)
			return;
	places_all_moved(parent);
}

/*
 * Boolean: it has read that it takes nobody any more, so that its load has all
 * whom it took before.  It answers a ping behind that.
 */
static int
places_has_heard(struct place *place)
{
	struct process *p;

	p = place->child;
	if (!place->asked && p->unanswered == 0) {
		place->asked = 1;
		p->unanswered++;
		process_send(p, place->role->ping, -1, NULL, 0);
	}
	return (place->asked && p->unanswered == 0);
}

/* Its sessions have gone; who logs in there just now has a while for it. */
static void
places_end(struct place *place)
{
	if (!place->moved) {
		place->moved = 1;
		places_moved(place->parent);
	}
	if (place->ended || !places_has_heard(place))
		return;
	if (metrics_load(place->child) > 0 &&
	    clock_seconds() - place->left < PLACES_LOGINS)
		return;
	place->ended = 1;
	process_send(place->child, place->role->shutdown, -1, NULL, 0);
}

/* The next batch of a place that leaves. */
static void
places_next(struct place *place)
{
	struct place *heir;

	if (!places_is_well(place) || place->child->move != NULL ||
	    clock_seconds() - place->child->move_late < MOVE_REST)
		return;
	if (place->child->sessions == 0) {
		places_end(place);
		return;
	}
	heir = places_heir(place);
	if (heir == NULL)
		return;
	/* Nothing was found in a stretch of the map: on with the next. */
	if (move_begin(place->child, heir->child, &place->walk,
		MOVE_SESSIONS_MAX) == 0)
		place->parent->places.timer.repeat = PLACES_SOON;
	if (place->walk >= pmap_used(&place->parent->map))
		place->walk = 0;
}

/* A worker that was started anew gets its share little by little. */
static void
places_even_out(struct parent *parent)
{
	struct place *least, *most;
	uint32_t more;

	least = places_extreme(parent, 0);
	most = places_extreme(parent, 1);
	if (least == NULL || most == NULL || most->child->move != NULL ||
	    clock_seconds() - most->child->move_late < MOVE_REST)
		return;
	more = most->child->sessions - least->child->sessions;
	if (more <= PLACES_UNEVEN + most->child->sessions / PLACES_UNEVEN_PART)
		return;
	(void)move_begin(most->child, least->child, &most->walk, more / 2);
	if (most->walk >= pmap_used(&parent->map))
		most->walk = 0;
}

/*
 * Boolean: some worker has only begun, or does not answer: sessions would wait
 * for it, standing still.  One of another parent has to have seen our map.
 */
static int
places_hindered(const struct parent *parent)
{
	const struct process *p;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		p = parent->workers[i].child;
		if (p != NULL && (p->state == CHILD_STARTING ||
				     p->unanswered > !process_is_adopted(p)))
			return (1);
	}
	return (0);
}

static void
places_run(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *parent;
	uint32_t i;

	parent = w->data;
	w->repeat = PLACES_EVERY;
	if (!parent->stopping && parent->drain.phase != DRAIN_CLOSING &&
	    parent->park.stage == PARK_NOT && parent->ready &&
	    !places_hindered(parent)) {
		for (i = 0; i < PROTO_PLACES_MAX; i++)
			if (parent->workers[i].leaving)
				places_next(&parent->workers[i]);
		if (parent->places.leaving == 0)
			places_even_out(parent);
	}
	ev_timer_again(loop, w);
}

/* Once, with the loop at hand. */
void
places_init(struct parent *parent)
{
	ev_timer_init(
	    &parent->places.timer, places_run, PLACES_EVERY, PLACES_EVERY);
	parent->places.timer.data = parent;
	ev_timer_start(parent->loop, &parent->places.timer);
}

/*
 * The child of a place takes nobody any more; its sessions go to others, and
 * then it ends.  Until then they send datagrams as before, and the sockets for
 * that bring some.
 */
void
places_leave(struct place *place)
{
	const struct listener *listener;

	if (place->leaving)
		return;
	if (place->child != NULL)
		TAILQ_FOREACH(listener, &place->parent->listeners, entry)
			if (listener->kind == LISTENER_WEBSOCKET)
				wiring_unlisten(place->child, listener);
	place->leaving = 1;
	place->retired = 1;
	place->left = clock_seconds();
	place->walk = 0;
	place->parent->places.leaving++;
	if (place->child == NULL) {
		supervise_retire(place);
		return;
	}
	log_info("%s (pid %d) leaves: its %u sessions move", place->name,
	    place->child->pid, place->child->sessions);
	places_wake(place->parent);
}

/* Its child is gone. */
void
places_left(struct place *place)
{
	int unmoved;

	unmoved = place->leaving && !place->moved;
	if (place->leaving)
		place->parent->places.leaving--;
	place->leaving = 0;
	place->moved = 0;
	place->asked = 0;
	place->ended = 0;
	place->candidate = 0;
	if (unmoved)
		places_moved(place->parent);
	if (place->parent->places.leaving == 0)
		beside_end(place->parent);
}
