/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

/*
 * Workers that are to be replaced: new ones are started beside them, and when
 * all of these do their work the sessions move over.  If they are not ready in
 * time, all stays as it was.  Auth and metrics go with them, see beside.c.
 */

#define RENEW_WAIT 5. /* seconds for the new ones to be ready */

/* The other place for that part. */
static struct place *
renew_other(struct place *place)
{
	return (place->number < PROTO_WORKERS_MAX ? place + PROTO_WORKERS_MAX
						  : place - PROTO_WORKERS_MAX);
}

/* Boolean: not before those that were called off are dead, too. */
int
renew_is_busy(const struct parent *parent)
{
	uint32_t i;

	if (parent->places.leaving > 0 || beside_is_busy(parent) ||
	    parent->park.stage != PARK_NOT)
		return (1);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].candidate)
			return (1);
	return (0);
}

static void
renew_drop(struct place *place)
{
	if (!place->candidate)
		return;
	place->retired = 1;
	if (place->child != NULL)
		process_end(place->child, "is not wanted");
	else
		supervise_retire(place);
}

/* The new ones are not to be: they end, nobody has noticed them. */
void
renew_failed(struct parent *parent, const char *reason)
{
	uint32_t i;

	if (parent->places.renewal.awaited == 0)
		return;
	log_warnx("new processes: %s; all stays as it was", reason);
	parent->places.renewal.awaited = 0;
	parent->places.renewal.upgrade = 0;
	spawn_settle(parent, 0);
	ev_timer_stop(parent->loop, &parent->places.renewal.timer);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		renew_drop(&parent->workers[i]);
	renew_drop(&parent->auth_beside);
	renew_drop(&parent->metrics_beside);
	control_renewed(parent, ETIME);
}

static void
renew_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	renew_failed(w->data, "not ready in time");
}

/* All are ready: they take over. */
static void
renew_take_over(struct parent *parent)
{
	struct place *place;
	uint32_t i;

	ev_timer_stop(parent->loop, &parent->places.renewal.timer);
	parent->places.renewal.taking_over = 1;
	beside_take_over(parent);
	for (i = 0; i < PROTO_PLACES_MAX; i++) {
		place = &parent->workers[i];
		if (!place->candidate)
			continue;
		place->candidate = 0;
		router_introduce(place->child);
		if (renew_other(place)->role != NULL)
			places_leave(renew_other(place));
	}
	parent->places.renewal.taking_over = 0;
	places_moved(parent);
	if (parent->places.leaving == 0)
		beside_end(parent);
	metrics_publish_loads(parent);
}

/* A child has begun to do its work: perhaps one of these. */
void
renew_ready(struct process *p)
{
	struct renewal *renewal;

	renewal = &p->parent->places.renewal;
	if (!p->place->candidate || renewal->awaited == 0)
		return;
	if (--renewal->awaited == 0)
		renew_take_over(p->parent);
}

/* A new worker for a part of the work. */
static void
renew_begin(struct parent *parent, uint32_t share)
{
	struct place *place;

	place = &parent->workers[share];
	if (place->role != NULL)
		place = renew_other(place);
	place->restarts = renew_other(place)->restarts;
	supervise_worker(parent, place, 1);
	parent->places.renewal.awaited++;
}

static void
renew_wait(struct parent *parent)
{
	ev_timer_init(
	    &parent->places.renewal.timer, renew_late, RENEW_WAIT, 0.);
	parent->places.renewal.timer.data = parent;
	ev_timer_start(parent->loop, &parent->places.renewal.timer);
}

/*
 * Begins to replace the worker that has this part of the work.  Returns 0, or
 * why not: ENOENT (no such worker), EBUSY (others are being replaced, or the
 * daemon ends).
 */
int
renew_worker(struct parent *parent, uint32_t share)
{
	if (share >= parent->nworkers)
		return (ENOENT);
	if (parent_is_ending(parent) || renew_is_busy(parent))
		return (EBUSY);
	renew_begin(parent, share);
	renew_wait(parent);
	return (0);
}

/* Boolean: the new auth will have the key file, which the old one has read. */
static int
renew_has_keys(const struct parent *parent)
{
	int fd;

	if (parent->conf->keys_file[0] == '\0')
		return (1);
	fd = keys_open(parent->conf->keys_file, parent->keys);
	if (fd != -1)
		(void)close(fd);
	return (fd != -1);
}

/*
 * Begins to replace all children, by the programs as they are now.  Returns 0,
 * or why not: ENOKEY (no key file), ENOEXEC (no such programs; both logged),
 * EBUSY (as above).
 */
int
renew_all(struct parent *parent)
{
	uint32_t share;

	if (parent_is_ending(parent) || renew_is_busy(parent))
		return (EBUSY);
	if (!renew_has_keys(parent))
		return (ENOKEY);
	if (spawn_open_again(parent) == -1)
		return (ENOEXEC);
	log_info("upgrade: new processes are started");
	parent->places.renewal.upgrade = 1;
	beside_begin(parent);
	for (share = 0; share < parent->nworkers; share++)
		renew_begin(parent, share);
	renew_wait(parent);
	return (0);
}
