/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/still_clock.h"

#include "regress/unit/auth/parts.h"

/* Which sessions end, by what the keys say of each. */

static struct peermap_header *header;
static enum keystore_ground grounds[70000]; /* by node */
static int asked;                           /* keystore_ground() */
static int refreshed, refuses, up = 1;

enum keystore_ground
keystore_ground(struct keystore *ks, uint32_t node, uint64_t keyid, uint64_t ns)
{
	asked++;
	return (grounds[node]);
}

int
registry_up(const struct registry *r)
{
	return (up);
}

int
lookup_refresh(struct lookups *l, uint32_t node)
{
	if (refuses)
		return (-1);
	refreshed++;
	return (0);
}

static void
no_work(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

/* Sessions of nodes 1 to n, all of them firm. */
static void
sessions(uint32_t n)
{
	struct peermap_entry *entry;
	uint32_t i;

	entry = (void *)((uint8_t *)header + PEERMAP_ENTRY_OFF);
	for (i = 1; i <= n; i++) {
		entry[i].node = i;
		entry[i].generation = 1000 + i;
		grounds[i] = KEYSTORE_FIRM;
	}
	header->used = n + 1;
	asked = refreshed = 0;
}

/* The next node whose session is to end; 0: none. */
static uint32_t
ends(void)
{
	struct msg_closed msg;

	if (parts_told(AP_REVOKE, &msg, sizeof(msg)) != 1 ||
	    msg.generation != 1000 + msg.node)
		return (0);
	return (msg.node);
}

static void
test_all_are_looked_at_in_pieces(void)
{
	int n;

	sessions(3000);
	grounds[1] = grounds[2999] = grounds[3000] = KEYSTORE_FALLEN;
	walk_fast(&auth);
	CHECK(auth.walking && ev_is_active(&auth.work));
	for (n = 1; walk_work(&auth); n++)
		;
	CHECK(n == 3 && asked == 3000 && auth.revoked == 3);
	CHECK(ends() == 1 && ends() == 2999 && ends() == 3000 && ends() == 0);
	CHECK(walk_work(&auth) == 0 && asked == 3000);
}

/* Until one finds nothing: a login by the old keys may have been under way. */
static void
test_again_until_there_is_none(void)
{
	sessions(10);
	ev_timer_stop(auth.loop, &auth.again);
	walk_fast(&auth);
	CHECK(ev_is_active(&auth.again));
	CHECK(walk_work(&auth) == 0 && !auth.walking);
	ev_timer_stop(auth.loop, &auth.again);
	grounds[5] = KEYSTORE_FALLEN;
	auth.walking = 1;
	auth.walk = 0;
	CHECK(walk_work(&auth) == 0 && ev_is_active(&auth.again));
	CHECK(ends() == 5);
	ev_feed_event(auth.loop, &auth.again, EV_TIMER);
	ev_invoke_pending(auth.loop);
	CHECK(auth.walking && auth.walk == 0);
	grounds[5] = KEYSTORE_FIRM;
	ev_timer_stop(auth.loop, &auth.again);
	CHECK(walk_work(&auth) == 0 && !ev_is_active(&auth.again));
}

/* UDP nodes, and those whose place is free, have nothing to stand on. */
static void
test_what_is_no_session_is_left_alone(void)
{
	struct peermap_entry *entry;

	sessions(10);
	entry = (void *)((uint8_t *)header + PEERMAP_ENTRY_OFF);
	entry[3].generation = 0;
	entry[4].node = 0;
	grounds[3] = grounds[4] = KEYSTORE_FALLEN;
	walk_fast(&auth);
	CHECK(walk_work(&auth) == 0 && asked == 8 && ends() == 0);
	/* More than the map can have, by whatever mistake. */
	header->used = UINT32_MAX;
	auth.walk = PEERMAP_NODES_MAX - 1;
	auth.walking = 1;
	CHECK(walk_work(&auth) == 0);
}

static void
test_one_node(void)
{
	sessions(10);
	walk_node(&auth, 7); /* not in the index */
	CHECK(asked == 0);
	(void)parts_know(7);
	walk_node(&auth, 7);
	CHECK(asked == 1 && ends() == 0);
	grounds[7] = KEYSTORE_FALLEN;
	walk_node(&auth, 7);
	CHECK(ends() == 7 && ends() == 0);
	auth.has_map = 0;
	walk_node(&auth, 7);
	auth.has_map = 1;
	CHECK(ends() == 0);
}

/* All come round in the time after which a key is old. */
static void
test_the_slow_one_comes_round(void)
{
	uint32_t i;

	sessions(599);
	auth.store.refresh = 60;
	auth.round = 0;
	for (i = 0; i < 60; i++)
		walk_slow(&auth);
	CHECK(asked >= 599 && asked <= 700 && refreshed == 0);
	for (i = 1; i < 600; i++)
		grounds[i] = KEYSTORE_UNSURE;
	up = 0;
	walk_slow(&auth);
	CHECK(refreshed == 0);
	up = 1;
	walk_slow(&auth);
	CHECK(refreshed >= 10 && refreshed <= 11);
}

/* It waits at the place where there was no room for one more question. */
static void
test_the_slow_one_waits_for_room(void)
{
	uint32_t was;

	was = auth.round;
	refuses = 1;
	walk_slow(&auth);
	walk_slow(&auth);
	CHECK(auth.round == was);
	refuses = 0;
	walk_slow(&auth);
	CHECK(auth.round > was);
	/* Nor is much done in one second, however large the map is. */
	sessions(60000);
	auth.store.refresh = 1;
	walk_slow(&auth);
	CHECK(asked <= 8192);
	header->used = 0;
	walk_slow(&auth);
}

int
main(void)
{
	parts_loop();
	header = parts_map();
	turn_init(&auth, no_work);
	walk_init(&auth);
	RUN(test_all_are_looked_at_in_pieces);
	RUN(test_again_until_there_is_none);
	RUN(test_what_is_no_session_is_left_alone);
	RUN(test_one_node);
	RUN(test_the_slow_one_comes_round);
	RUN(test_the_slow_one_waits_for_room);
	return (test_failed());
}
