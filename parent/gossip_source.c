/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "parent/parent.h"

/*
 * Other beacons: which there are, where, and where they know us.  Each has a
 * number, by which the map and the workers speak of it.
 */

static void
gossip_source_tell(
    struct process *worker, const struct source *source, uint32_t number)
{
	struct msg_beacon msg;

	memcpy(msg.addr, source->addr, sizeof(msg.addr));
	memcpy(msg.near, source->near, sizeof(msg.near));
	msg.port = source->port;
	msg.listener = source->listener;
	msg.number = number;
	process_send(worker, PW_BEACON, -1, &msg, sizeof(msg));
}

void
gossip_source_tell_all(struct parent *parent, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < PROTO_PLACES_MAX; i++)
		gossip_source_tell(parent->workers[i].child,
		    &parent->gossip.sources[number], number);
}

/* Its number, or GOSSIP_NO_SOURCE. */
uint32_t
gossip_source_find(
    const struct gossip *gossip, const uint8_t addr[16], uint16_t port)
{
	const struct source *source;
	uint32_t i;

	for (i = 0; i < gossip->nsources; i++) {
		source = &gossip->sources[i];
		if (source->port == port && memcmp(source->addr, addr, 16) == 0)
			return (i);
	}
	return (GOSSIP_NO_SOURCE);
}

/* It may be one that we hear as well. */
void
gossip_source_tell_default(struct process *worker)
{
	const struct config *conf;
	struct source source;
	uint32_t number;

	conf = worker->parent->conf;
	memset(&source, 0, sizeof(source));
	source.listener = PROTO_LISTENER_ANY;
	if (conf->default_beacon.ss_family != 0) {
		source.port = address_of(&conf->default_beacon, source.addr);
		number = gossip_source_find(
		    &worker->parent->gossip, source.addr, source.port);
		if (number != GOSSIP_NO_SOURCE)
			source = worker->parent->gossip.sources[number];
	}
	gossip_source_tell(worker, &source, PROTO_BEACON_DEFAULT);
}

/* To a worker that was just started. */
void
gossip_source_introduce(struct process *worker)
{
	const struct gossip *gossip;
	uint32_t i;

	gossip = &worker->parent->gossip;
	for (i = 0; i < gossip->nsources; i++)
		if (gossip->sources[i].port != 0)
			gossip_source_tell(worker, &gossip->sources[i], i);
	if (worker->parent->conf->default_beacon.ss_family != 0)
		gossip_source_tell_default(worker);
}

/*
 * Has addr as many ports as a beacon can have?  Without this bound, who forges
 * a peer's address takes all numbers, and each is looked at with each datagram.
 */
int
gossip_source_crowded(const struct gossip *gossip, const uint8_t addr[16])
{
	const struct source *source;
	uint32_t i, n;

	n = 0;
	for (i = 0; i < gossip->nsources; i++) {
		source = &gossip->sources[i];
		n += source->port != 0 && memcmp(source->addr, addr, 16) == 0;
	}
	return (n >= SHARES_MAX + 1);
}

/*
 * May a Sync of so many nodes take the place of what came from its port before?
 * A beacon has GOSSIP_NODES_MAX from all ports of its address, or one of them
 * could leave the others no room in the map.
 */
int
gossip_source_has_room(
    const struct gossip *gossip, const struct msg_sync *from, uint32_t count)
{
	const struct source *source;
	uint32_t i;

	for (i = 0; i < gossip->nsources; i++) {
		source = &gossip->sources[i];
		if (source->port != 0 && source->port != from->port &&
		    memcmp(source->addr, from->addr, 16) == 0)
			count += source->nodes;
	}
	return (count <= GOSSIP_NODES_MAX);
}

static void
gossip_source_base(struct parent *parent, uint32_t number)
{
	struct counters sum;
	int way;

	if (number >= COUNTERS_BEACONS)
		return;
	metrics_sum(parent, &sum);
	for (way = 0; way < BEACON_WAYS; way++)
		parent->gossip.sources[number].base[way] =
		    sum.beacon[way][number];
}

/* A number for a source that was not heard before, if there is one left. */
uint32_t
gossip_source_new(struct parent *parent, const uint8_t addr[16], uint16_t port)
{
	struct gossip *gossip;
	struct source *source;
	uint32_t i;

	gossip = &parent->gossip;
	for (i = 0; i < gossip->nsources; i++)
		if (gossip->sources[i].port == 0)
			break;
	if (i == PROTO_BEACONS_MAX)
		return (GOSSIP_NO_SOURCE);
	if (i == gossip->nsources)
		gossip->nsources++;
	source = &gossip->sources[i];
	memset(source, 0, sizeof(*source));
	memcpy(source->addr, addr, sizeof(source->addr));
	source->port = port;
	source->listener = PROTO_LISTENER_ANY;
	gossip_source_base(parent, i);
	gossip_source_tell_all(parent, i);
	return (i);
}

/* Another beacon takes nothing that does not come from where it sends to. */
void
gossip_source_near(
    struct parent *parent, uint32_t number, const struct msg_sync *from)
{
	struct source *source;
	uint32_t i;

	source = &parent->gossip.sources[number];
	if (source->listener == from->listener &&
	    memcmp(source->near, from->near, sizeof(source->near)) == 0)
		return;
	source->listener = from->listener;
	memcpy(source->near, from->near, sizeof(source->near));
	gossip_source_tell_all(parent, number);
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		if (parent->workers[i].child != NULL)
			gossip_source_tell_default(parent->workers[i].child);
}

/*
 * By which way a peer of the configuration is to get what we say: where it
 * sends to itself, once that is known.
 */
void
gossip_source_path(const struct parent *parent, struct msg_sync *msg)
{
	const struct source *source;
	uint32_t number;

	msg->listener = PROTO_LISTENER_ANY;
	number = gossip_source_find(&parent->gossip, msg->addr, msg->port);
	if (number == GOSSIP_NO_SOURCE)
		return;
	source = &parent->gossip.sources[number];
	memcpy(msg->near, source->near, sizeof(msg->near));
	msg->listener = source->listener;
}
