/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/inherit.h"
#include "parent/parent.h"
#include "parent/resize.h"

/*
 * A reload has another number of workers.  New ones get their part of the
 * datagrams at once, of new connections when they are ready, and of sessions
 * little by little; those that are too many hand theirs to the others.  No UDP
 * socket is closed, since something may lie in it: who is left reads it.
 */

static void
resize_undo(struct parent *parent)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind == LISTENER_UDP)
			listen_udp_fewer(listener, listener->nfds_before);
}

/*
 * All that may fail.  Returns 0, or -1 with the reason logged and nothing
 * changed.
 */
int
resize_prepare(struct parent *parent, uint32_t nworkers)
{
	char text[LISTEN_TEXT];
	struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		listener->nfds_before = listener->nfds;
	if (nworkers == parent->nworkers)
		return (0);
	if (renew_is_busy(parent)) {
		log_warnx("workers are being replaced; try again when that is "
			  "over");
		return (-1);
	}
	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (listener->kind != LISTENER_UDP ||
		    listen_udp_more(listener, nworkers) == 0)
			continue;
		listen_text(&listener->ss, text);
		log_warn("%s: no UDP socket for one more worker", text);
		resize_undo(parent);
		return (-1);
	}
	return (0);
}

/* Has a worker other sockets of that address than it had? */
static int
resize_changes(const struct listener *listener, uint32_t share, uint32_t before,
    uint32_t now)
{
	int had, i;

	for (i = (int)share; i < listener->nfds; i++) {
		had = i < listener->nfds_before &&
		      (uint32_t)i % before == share && share < before;
		if (had != ((uint32_t)i % now == share))
			return (1);
	}
	return (0);
}

/* The sockets of an address, as they are shared out from now on. */
static void
resize_sockets(struct parent *parent, const struct listener *listener,
    uint32_t before, uint32_t now)
{
	struct process *p;
	uint32_t share;

	for (share = 0; share < now; share++) {
		p = process_worker(parent, share);
		if (p == NULL || !resize_changes(listener, share, before, now))
			continue;
		wiring_unlisten(p, listener);
		wiring_listener(p, listener);
		if (share == 0)
			gossip_ports_again(p, listener);
	}
}

/* A place for a part of the work that there was not. */
static void
resize_begin(struct parent *parent, uint32_t share)
{
	struct place *place;

	place = &parent->workers[share];
	if (place->role != NULL)
		place += PROTO_WORKERS_MAX;
	if (place->role == NULL)
		supervise_worker(parent, place, 0);
}

static void
resize_end(struct parent *parent, uint32_t share)
{
	struct place *place;

	place = &parent->workers[share];
	if (place->role == NULL || place->leaving)
		place += PROTO_WORKERS_MAX;
	if (place->role != NULL)
		places_leave(place);
}

/*
 * There are so many from now on.  Nothing of this can fail.  The caller tells
 * the workers their settings, before they get sockets by resize_tell().
 */
void
resize_commit(struct parent *parent, uint32_t nworkers)
{
	uint32_t before, share;

	before = parent->nworkers;
	parent->nworkers_before = before;
	if (nworkers == before)
		return;
	log_info("%u workers instead of %u", nworkers, before);
	parent->nworkers = nworkers;
	parent->nsteered = before;
	parent->resized = clock_seconds();
	for (share = before; share < nworkers; share++)
		resize_begin(parent, share);
	for (share = nworkers; share < before; share++)
		resize_end(parent, share);
	steer_again(parent);
}

/* The workers get the sockets that are theirs now. */
void
resize_tell(struct parent *parent)
{
	const struct listener *listener;

	if (parent->nworkers == parent->nworkers_before)
		return;
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind == LISTENER_UDP && !listener->fresh)
			resize_sockets(parent, listener,
			    parent->nworkers_before, parent->nworkers);
}
