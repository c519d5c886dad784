/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"

/*
 * Walks over the sessions of the peer map: does each stand on a key that is
 * still its node's?  A fast one when keys were swapped, and, with a registry, a
 * slow one that never ends and has it asked for keys that are old.
 */
#define WALK_STEP 1024 /* entries of the map a turn of the fast one */
#define WALK_MOST 8192 /* entries a second of the slow one */

/*
 * A login that was admitted by the old keys may reach the map only after the
 * walk passed its place, and the parent ends only so many sessions at once: so
 * there is another walk, this many seconds later, until one finds nothing.
 */
#define WALK_AGAIN CHILD_HANG_TIMEOUT

static void
walk_begin(struct auth *auth)
{
	auth->walk = 0;
	auth->walking = 1;
	auth->revoked = 0;
	turn_wake(auth);
}

static void
walk_later(struct auth *auth)
{
	ev_timer_stop(auth->loop, &auth->again);
	ev_timer_set(&auth->again, WALK_AGAIN, 0.);
	ev_timer_start(auth->loop, &auth->again);
}

static void
walk_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	walk_begin(timer->data);
}

void
walk_init(struct auth *auth)
{
	ev_timer_init(&auth->again, walk_again, WALK_AGAIN, 0.);
	auth->again.data = auth;
}

/* Keys have gone, or were replaced: which sessions are to end? */
void
walk_fast(struct auth *auth)
{
	walk_begin(auth);
	walk_later(auth);
}

/* Has the session of this entry ended if what it stands on is gone. */
static enum keystore_ground
walk_judge(struct auth *auth, const struct peermap_entry *entry)
{
	enum keystore_ground ground;
	struct msg_closed msg;

	ground = keystore_ground(
	    &auth->store, entry->node, entry->keyid, clock_ns());
	if (ground != KEYSTORE_FALLEN)
		return (ground);
	msg.node = entry->node;
	msg.generation = entry->generation;
	tell_parent(auth, AP_REVOKE, &msg, sizeof(msg));
	return (ground);
}

/* Something new is known of node. */
void
walk_node(struct auth *auth, uint32_t node)
{
	struct peermap_entry entry;

	if (auth->has_map && peermap_lookup(&auth->map, node, &entry) &&
	    entry.generation != 0)
		(void)walk_judge(auth, &entry);
}

static uint32_t
walk_used(const struct auth *auth)
{
	uint32_t used;

	used = atomic_load(&auth->map.header->used);
	return (used > PEERMAP_NODES_MAX ? PEERMAP_NODES_MAX : used);
}

/* What the session at that place stands on; no session stands firm. */
static enum keystore_ground
walk_place(struct auth *auth, uint32_t number, struct peermap_entry *entry)
{
	uint32_t node;

	node =
	    __atomic_load_n(&auth->map.entries[number].node, __ATOMIC_RELAXED);
	if (!peermap_read(&auth->map, number, node, entry) ||
	    entry->generation == 0)
		return (KEYSTORE_FIRM);
	return (walk_judge(auth, entry));
}

/* A piece of the fast walk; returns whether there is more. */
int
walk_work(struct auth *auth)
{
	struct peermap_entry entry;
	uint32_t end, used;

	if (!auth->walking)
		return (0);
	used = walk_used(auth);
	end = auth->walk + WALK_STEP;
	for (; auth->walk < end && auth->walk < used; auth->walk++)
		if (walk_place(auth, auth->walk, &entry) == KEYSTORE_FALLEN)
			auth->revoked++;
	if (auth->walk < used)
		return (1);
	auth->walking = 0;
	if (auth->revoked == 0)
		return (0);
	log_info("%u sessions end: the keys that they stand on are gone",
	    auth->revoked);
	walk_later(auth);
	return (0);
}

/*
 * A second's share of the slow walk, which is to come round in the time after
 * which a key is old.  It waits where it is when too much is to be asked.
 */
void
walk_slow(struct auth *auth)
{
	struct peermap_entry entry;
	uint32_t n, used;

	used = walk_used(auth);
	n = used / auth->store.refresh + 1;
	for (n = n < WALK_MOST ? n : WALK_MOST; n > 0; n--) {
		if (auth->round >= used)
			auth->round = 0;
		if (used == 0 || tell_congested(auth))
			return;
		if (walk_place(auth, auth->round, &entry) == KEYSTORE_UNSURE &&
		    registry_up(&auth->registry) &&
		    lookup_refresh(&auth->lookups, entry.node) == -1)
			return;
		auth->round++;
	}
}
