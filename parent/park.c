/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "parent/control.h"
#include "parent/park.h"
#include "parent/park_file.h"
#include "parent/parent.h"

/*
 * All sessions are to go to another parent (doc/moving.md).  They stand still,
 * what is on its way arrives, and they are written down with all else that the
 * other one cannot learn by itself.  Until it says that it has them, all can go
 * on here at any time.
 */

#define PARK_EVERY 0.01 /* seconds: turns of the timer */

/* So many turns a stage may last. */
static const uint32_t park_patience[] = {
	[PARK_AHEAD] = 400,
	[PARK_AWAY] = 1000,
	[PARK_ENTRUST] = 400,
	[PARK_LISTENERS] = 400, /* for moves; logins are waited for less */
	[PARK_STILL] = 200,
	[PARK_TOLD] = 400,
	[PARK_WHOLE] = 1000,
	[PARK_ENTRUSTED] = 1000,
};
#define PARK_LOGINS 100  /* turns */
#define PARK_BEFORE 6000 /* in all, before anything stands still */

static void
park_say(struct parent *parent, enum still_stage stage)
{
	struct msg_still msg;

	msg.stage = stage;
	msg.ticket = parent->park.ticket;
	process_send_workers(parent, PW_STILL, &msg, sizeof(msg));
}

static void
park_enter(struct parent *parent, enum park_stage stage)
{
	parent->park.stage = stage;
	parent->park.turns = 0;
}

static void
park_close_file(struct park *park)
{
	if (park->file != NULL)
		park_file_free(park->file);
	park->file = NULL;
}

/* All goes on here, as if nothing had been. */
void
park_undo(struct parent *parent)
{
	struct park *park;

	park = &parent->park;
	if (park->stage == PARK_NOT)
		return;
	ev_timer_stop(parent->loop, &park->timer);
	park_told_end(parent);
	park_ahead_free(parent);
	park_close_file(park);
	park->rounds = park->before = 0;
	if (park->stage == PARK_ENTRUSTED)
		entrust_undo(parent);
	park_say(parent, STILL_NOT);
	if (park->stage >= PARK_STILL) {
		if (parent->auth.child != NULL)
			channel_resume(&parent->auth.child->channel);
		control_resume(parent);
	}
	park->wrong = NULL;
	park_enter(parent, PARK_NOT);
}

/* It cannot be. */
void
park_fail(struct parent *parent, const char *reason)
{
	park_fn done;

	if (parent->park.stage == PARK_NOT)
		return;
	log_warnx("sessions stay with this parent: %s", reason);
	done = parent->park.done;
	park_undo(parent);
	done(parent, 0);
}

/* A worker is lost, and its sessions with it: the others go on. */
void
park_lost(struct process *p)
{
	park_fail(p->parent, "a worker has died");
}

/* Workers whose sessions are to go: all that there are. */
static uint32_t
park_workers(const struct parent *parent)
{
	uint32_t i, n;

	n = 0;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		n += parent->workers[i].child != NULL;
	return (n);
}

/*
 * Nothing moves from here on.  Auth is not listened to either: nobody is let in
 * and nobody thrown out, so the map stays as it is.
 */
static void
park_still(struct parent *parent)
{
	park_enter(parent, PARK_STILL);
	if (parent->auth.child != NULL)
		channel_pause(&parent->auth.child->channel);
	control_pause(parent);
	parent->park.awaited = park_workers(parent);
	park_say(parent, STILL_ALL);
}

/* Boolean: some worker has connections that are no sessions yet, or moves. */
static int
park_is_busy(const struct parent *parent)
{
	const struct process *p;
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		p = parent->workers[i].child;
		if (p == NULL)
			continue;
		if (p->move != NULL || (parent->park.turns < PARK_LOGINS &&
					   metrics_load(p) > p->sessions))
			return (1);
	}
	return (0);
}

/* Nothing more is written to the file.  Returns 0, or -1, logged. */
static int
park_seal(struct parent *parent)
{
	struct park_header header;

	memset(&header, 0, sizeof(header));
	header.steered = parent->steered != 0;
	header.steer_key = parent->steer_key;
	header.nworkers = parent->nworkers;
	header.keys = parent->keys;
	header.generation = parent->map.generation;
	header.tickets = parent->tickets;
	return (park_file_seal(parent->park.file, &header));
}

/* Some are told of: they are the other parent's to have, and all goes on. */
static void
park_away(struct parent *parent)
{
	if (park_seal(parent) == -1) {
		park_fail(parent, "see above");
		return;
	}
	park_enter(parent, PARK_AWAY);
	log_info("%u sessions at rest were told of ahead",
	    parent->park.file->sessions);
	parent->park.done(parent, 1);
	park_close_file(&parent->park);
}

/* All have told of their sessions: the rest is ours to write. */
static void
park_whole(struct parent *parent)
{
	if (park_map(parent) == -1 || park_seal(parent) == -1) {
		park_fail(parent, "see above");
		return;
	}
	park_enter(parent, PARK_WHOLE);
	log_info("all stand still, and %u sessions were told of last",
	    parent->park.file->sessions);
	parent->park.done(parent, 1);
}

/*
 * How many sessions the next worker may tell of while all goes on: the kernel
 * has no more descriptors on their way than one may have open.
 */
static uint32_t
park_left(const struct parent *parent)
{
	uint32_t most, sessions;

	if (parent->park.rounds > PARK_ROUNDS_MAX)
		return (0);
	most = (uint32_t)MIN(PARK_ROUND, parent->max_files / 2);
	sessions = parent->park.file->sessions;
	return (sessions < most ? most - sessions : 0);
}

/*
 * One worker after the other: what is written of a session stands together, and
 * there is one of us to write it.
 */
static void
park_tell_next(struct parent *parent)
{
	struct park *park;
	struct process *p;
	int ahead;

	park = &parent->park;
	ahead = park->stage == PARK_AHEAD;
	park_told_end(parent);
	while (park->next < PROTO_PLACES_MAX &&
	       (!ahead || park_left(parent) > 0)) {
		p = parent->workers[park->next++].child;
		if (p == NULL)
			continue;
		if (park_told_begin(p, ahead ? park_left(parent) : 0) == -1)
			park_fail(parent, "see above");
		return;
	}
	if (ahead)
		park_away(parent);
	else
		park_whole(parent);
}

static void
park_tell(struct parent *parent, enum park_stage stage)
{
	park_enter(parent, stage);
	parent->park.next = 0;
	parent->park.file = park_file_new();
	if (parent->park.file == NULL ||
	    (stage == PARK_TOLD && park_ahead_check(parent) == -1))
		park_fail(parent, "see above");
	else
		park_tell_next(parent);
}

/* Boolean: our children are at rest: as they are, they can go. */
static int
park_entrust(struct parent *parent)
{
	struct park *park;

	park = &parent->park;
	if (!entrust_rests(parent))
		return (0);
	park_enter(parent, PARK_ENTRUSTED);
	control_pause(parent);
	park->file = park_file_new();
	if (park->file == NULL || entrust_write(parent) == -1 ||
	    park_map(parent) == -1 || park_seal(parent) == -1)
		park_fail(parent, "see above");
	else {
		log_info("our children are at rest, to be another parent's");
		park->done(parent, 1);
	}
	return (1);
}

static void
park_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *parent;
	struct park *park;

	parent = w->data;
	park = &parent->park;
	if (parent_is_ending(parent)) {
		park_fail(parent, "they are to end");
		return;
	}
	if (park->stage == PARK_LISTENERS && !park_is_busy(parent)) {
		park_still(parent);
		return;
	}
	if (park->stage == PARK_AHEAD && park->file == NULL) {
		park_tell(parent, PARK_AHEAD);
		return;
	}
	if (park->stage == PARK_ENTRUST && park_entrust(parent))
		return;
	if (park->stage <= PARK_AWAY && ++park->before > PARK_BEFORE)
		park->wrong = "the other one takes too long";
	if (park->wrong != NULL) {
		park_fail(parent, park->wrong);
		return;
	}
	if ((park->stage == PARK_AHEAD || park->stage == PARK_TOLD) &&
	    park_told_is_over(parent)) {
		park_tell_next(parent);
		return;
	}
	if (++park->turns <= park_patience[park->stage])
		return;
	park_fail(parent, park->stage == PARK_WHOLE ||
				  park->stage == PARK_AWAY ||
				  park->stage == PARK_ENTRUSTED
			      ? "the other one does not take them"
			      : "they do not come to rest");
}

/*
 * WP_STILL.  Returns NULL, or in what way the worker broke the rules.
 */
const char *
park_is_still(struct process *p, const struct msg_still *msg)
{
	struct parent *parent;

	parent = p->parent;
	if (msg->stage != STILL_ALL)
		return ("no such stillness");
	/* Of one that was called off. */
	if (msg->ticket != parent->park.ticket ||
	    parent->park.stage != PARK_STILL)
		return (NULL);
	if (p->still == msg->ticket)
		return ("still twice");
	p->still = msg->ticket;
	if (--parent->park.awaited == 0)
		park_tell(parent, PARK_TOLD);
	return (NULL);
}

/* Boolean: each worker does its work, and nothing else is under way. */
static int
park_can_be(const struct parent *parent)
{
	const struct place *place;
	uint32_t i;

	if (parent_is_ending(parent) || renew_is_busy(parent) ||
	    parent->reloading || parent->park.stage != PARK_NOT ||
	    !parent->ready)
		return (0);
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		place = &parent->workers[i];
		if (place->role != NULL &&
		    (place->child == NULL ||
			place->child->state != CHILD_RUNNING))
			return (0);
	}
	return (1);
}

/* Returns 0, or EBUSY: not just now. */
static int
park_start(struct parent *parent, park_fn done)
{
	struct park *park;

	park = &parent->park;
	if (park->stage != PARK_AWAY && !park_can_be(parent))
		return (EBUSY);
	park->done = done;
	if (park->stage == PARK_AWAY)
		return (0);
	ev_timer_init(&park->timer, park_turn, PARK_EVERY, PARK_EVERY);
	park->timer.data = parent;
	ev_timer_start(parent->loop, &park->timer);
	return (0);
}

/*
 * Begins, or begins again, to tell another parent of those at rest, while all
 * goes on; done is called when some more are in parent->park.file (none, if it
 * was too often), or with the reason logged.  Returns 0, or EBUSY.
 */
int
park_some(struct parent *parent, park_fn done)
{
	if (park_start(parent, done) != 0)
		return (EBUSY);
	parent->park.rounds++;
	park_enter(parent, PARK_AHEAD);
	ev_feed_event(parent->loop, &parent->park.timer, EV_TIMER);
	return (0);
}

/*
 * Begins with all, or what is left of them; done is called when they are kept
 * in parent->park.file, likewise.  Returns 0, or EBUSY.
 */
int
park_begin(struct parent *parent, park_fn done)
{
	if (park_start(parent, done) != 0)
		return (EBUSY);
	parent->park.ticket = ++parent->tickets;
	park_enter(parent, PARK_LISTENERS);
	park_say(parent, STILL_LISTENERS);
	return (0);
}

/*
 * Begins with our children, who go with all that they have, likewise.  Returns
 * 0, or EBUSY.
 */
int
park_children(struct parent *parent, park_fn done)
{
	if (parent->auth.child == NULL || park_start(parent, done) != 0)
		return (EBUSY);
	park_enter(parent, PARK_ENTRUST);
	park_say(parent, STILL_LISTENERS);
	return (0);
}
