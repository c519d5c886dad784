/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/clock.h"
#include "parent/parent.h"
#include "parent/refusal.h"

/* One that can be spoken to: not everybody, and not a group. */
static int
beacons_is_address(const uint8_t addr[16])
{
	struct in6_addr in6;

	memcpy(&in6, addr, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		return (addr[12] != 0 && addr[12] < 224);
	return (!IN6_IS_ADDR_UNSPECIFIED(&in6) && !IN6_IS_ADDR_MULTICAST(&in6));
}

/* Makes peers of those whose address is known, and of nobody else. */
static void
beacons_apply(struct beacons *b)
{
	uint32_t i;

	gossip_register_begin(b->parent);
	for (i = 0; i < b->count; i++)
		if (b->list[i].known)
			gossip_register(
			    b->parent, b->list[i].addr, b->list[i].port);
	gossip_register_end(b->parent);
}

/* Sets what is known of the host; of a name, from the list of before. */
static void
beacons_find(const struct beacons *b, struct beacon *beacon)
{
	uint32_t i;

	if (address_parse(beacon->host, beacon->addr)) {
		beacon->known = beacons_is_address(beacon->addr);
		return;
	}
	beacon->name = 1;
	for (i = 0; i < b->count; i++) {
		if (strcmp(b->list[i].host, beacon->host) != 0)
			continue;
		beacon->known = b->list[i].known;
		beacon->looked = b->list[i].looked;
		memcpy(beacon->addr, b->list[i].addr, sizeof(beacon->addr));
		return;
	}
}

/* A whole list is here. */
static void
beacons_swap(struct beacons *b)
{
	struct beacon *old;
	uint32_t i;

	for (i = 0; i < b->ncoming; i++)
		beacons_find(b, &b->coming[i]);
	old = b->list;
	b->list = b->coming;
	b->count = b->ncoming;
	b->coming = old;
	beacons_apply(b);
}

/* An answer about the name that was asked for: for each port of it. */
static void
beacons_resolved(void *owner, const struct resolve_answer *answer)
{
	struct beacon *beacon;
	struct beacons *b;
	uint32_t i;
	int changed;

	b = owner;
	changed = 0;
	for (i = 0; i < b->count; i++) {
		beacon = &b->list[i];
		if (!beacon->name || strcmp(beacon->host, b->asked) != 0)
			continue;
		beacon->looked = clock_seconds();
		if (answer->error != 0 || !beacons_is_address(answer->addr[0]))
			continue;
		changed |= !beacon->known ||
			   memcmp(beacon->addr, answer->addr[0], 16) != 0;
		beacon->known = 1;
		memcpy(beacon->addr, answer->addr[0], 16);
	}
	if (changed)
		beacons_apply(b);
}

static int
beacons_is_due(const struct beacon *beacon, uint32_t now)
{
	return (beacon->name &&
		(beacon->looked == 0 ||
		    now - beacon->looked >=
			(beacon->known ? BEACONS_AGAIN : BEACONS_FAILED)));
}

/* Once a second: one name, if one is due. */
static void
beacons_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	const struct beacon *beacon;
	struct beacons *b;
	uint32_t i, now;

	b = w->data;
	if (resolve_busy(&b->parent->resolve, RESOLVE_BEACONS))
		return;
	now = clock_seconds();
	for (i = 0; i < b->count; i++) {
		beacon = &b->list[b->turn++ % b->count];
		if (!beacons_is_due(beacon, now))
			continue;
		(void)strlcpy(b->asked, beacon->host, sizeof(b->asked));
		(void)resolve_ask(&b->parent->resolve, RESOLVE_BEACONS,
		    b->asked, beacons_resolved, b);
		return;
	}
}

/* Once, with the loop at hand. */
void
beacons_init(struct parent *parent)
{
	struct beacons *b;

	b = &parent->beacons;
	b->parent = parent;
	ev_timer_init(&b->tick, beacons_tick, 1., 1.);
	b->tick.data = b;
	ev_timer_start(parent->loop, &b->tick);
}

/* The configuration has changed: perhaps nobody is asked for a list any more.
 */
void
beacons_reload(struct parent *parent)
{
	if (parent->conf->enroll || parent->beacons.count == 0)
		return;
	parent->beacons.count = 0;
	beacons_apply(&parent->beacons);
}

/* Room for two lists.  Returns 0, or -1 without memory. */
static int
beacons_room(struct beacons *b)
{
	if (b->list == NULL)
		b->list = calloc(BEACONS_MAX, sizeof(*b->list));
	if (b->coming == NULL)
		b->coming = calloc(BEACONS_MAX, sizeof(*b->coming));
	return (b->list == NULL || b->coming == NULL ? -1 : 0);
}

/* A new list begins; is it one to be taken? */
static void
beacons_begin(struct beacons *b)
{
	uint32_t now;

	now = clock_seconds();
	b->skip = !b->parent->conf->enroll ||
		  (b->begun != 0 && now - b->begun < BEACONS_EVERY) ||
		  beacons_room(b) == -1;
	if (b->skip)
		return;
	b->begun = now;
	b->ncoming = 0;
}

static int
beacons_is_self(const struct config *conf, const struct msg_beacon_row *row)
{
	return (row->beacon == conf->beacon_id ||
		(row->port == conf->advertise.port &&
		    strcmp(row->host, conf->advertise.name) == 0));
}

static void
beacons_add(struct beacons *b, const struct msg_beacon_row *row)
{
	struct beacon *beacon;
	char note[PROTO_HOST_LEN + sizeof(":65535")];

	if (row->port == 0 || beacons_is_self(b->parent->conf, row))
		return;
	if (b->ncoming == BEACONS_MAX) {
		(void)snprintf(note, sizeof(note), "%s:%u", row->host,
		    (uint16_t)row->port);
		refusal_log(EVENT_BEACON_LISTED, 0, NULL, 0, note);
		return;
	}
	beacon = &b->coming[b->ncoming++];
	memset(beacon, 0, sizeof(*beacon));
	(void)strlcpy(beacon->host, row->host, sizeof(beacon->host));
	beacon->port = (uint16_t)row->port;
}

/*
 * A row of the registry's list, from auth.  Returns NULL, or in what way auth
 * broke the rules.
 */
const char *
beacons_row(struct parent *parent, const struct msg_beacon_row *row)
{
	struct beacons *b;

	b = &parent->beacons;
	if (memchr(row->host, '\0', sizeof(row->host)) == NULL ||
	    row->port > UINT16_MAX)
		return ("malformed message");
	if (row->first)
		beacons_begin(b);
	else if (b->begun == 0 && !b->skip)
		return ("beacon without a list");
	if (b->skip)
		return (NULL);
	beacons_add(b, row);
	if (row->last) {
		beacons_swap(b);
		/* What comes without a beginning is not taken. */
		b->skip = 1;
	}
	return (NULL);
}
