/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>

#include "regress/unit/parent/parts.h"

/* Other beacons, and what workers are told of them. */

/* What was counted of beacons so far. */
void
metrics_sum(struct parent *of, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
}

static uint8_t a[16] = "aaaaaaaaaaaaaaa", b[16] = "bbbbbbbbbbbbbbb";
static struct source sources[PROTO_BEACONS_MAX];

static void
begin(void)
{
	memset(sources, 0, sizeof(sources));
	memset(&parent.gossip, 0, sizeof(parent.gossip));
	parent.gossip.sources = sources;
	parts_conf.default_beacon.ss_family = 0;
}

/* The next that worker i is told of; NULL: none. */
static const struct msg_beacon *
told(uint32_t i)
{
	static struct msg_beacon msg;

	return (
	    parts_told(i + 1, PW_BEACON, &msg, sizeof(msg)) == 1 ? &msg : NULL);
}

static void
quiet(void)
{
	while (told(0) != NULL || told(1) != NULL)
		;
}

static void
test_a_new_one_is_told_to_all(void)
{
	const struct msg_beacon *msg;
	uint32_t i;

	begin();
	CHECK(gossip_source_find(&parent.gossip, a, 4000) == GOSSIP_NO_SOURCE);
	CHECK(gossip_source_new(&parent, a, 4000) == 0);
	for (i = 0; i < 2; i++) {
		msg = told(i);
		CHECK(msg != NULL && msg->number == 0 && msg->port == 4000);
		CHECK(memcmp(msg->addr, a, 16) == 0);
		CHECK(msg->listener == PROTO_LISTENER_ANY);
	}
	CHECK(gossip_source_new(&parent, a, 4001) == 1);
	CHECK(gossip_source_new(&parent, b, 4000) == 2);
	CHECK(gossip_source_find(&parent.gossip, a, 4001) == 1);
	CHECK(gossip_source_find(&parent.gossip, b, 4000) == 2);
	CHECK(gossip_source_find(&parent.gossip, b, 4001) == GOSSIP_NO_SOURCE);
	quiet();
}

static void
test_a_free_number_is_used_again(void)
{
	begin();
	CHECK(gossip_source_new(&parent, a, 1) == 0);
	CHECK(gossip_source_new(&parent, a, 2) == 1);
	sources[0].port = 0;
	sources[0].heard = 99;
	CHECK(gossip_source_new(&parent, b, 3) == 0 && sources[0].heard == 0);
	CHECK(parent.gossip.nsources == 2);
	quiet();
}

static void
test_no_more_than_there_are_numbers(void)
{
	uint32_t i;

	begin();
	parent.nworkers = 0;
	for (i = 0; i < PROTO_BEACONS_MAX; i++)
		CHECK(gossip_source_new(&parent, a, (uint16_t)(i + 1)) == i);
	CHECK(gossip_source_new(&parent, b, 1) == GOSSIP_NO_SOURCE);
	CHECK(parent.gossip.nsources == PROTO_BEACONS_MAX);
	parent.nworkers = 2;
}

/* Whoever forges an address does not get all numbers. */
static void
test_so_many_ports_of_one_address(void)
{
	uint32_t i;

	begin();
	parent.nworkers = 0;
	for (i = 0; i < SHARES_MAX + 1; i++) {
		CHECK(!gossip_source_crowded(&parent.gossip, a));
		(void)gossip_source_new(&parent, a, (uint16_t)(i + 1));
	}
	CHECK(gossip_source_crowded(&parent.gossip, a));
	CHECK(!gossip_source_crowded(&parent.gossip, b));
	sources[5].port = 0;
	CHECK(!gossip_source_crowded(&parent.gossip, a));
	parent.nworkers = 2;
}

/* By all its ports; nodes of one make room for new ones of the same. */
static void
test_so_many_nodes_of_one_address(void)
{
	struct msg_sync from;
	uint32_t i;

	begin();
	parent.nworkers = 0;
	memset(&from, 0, sizeof(from));
	memcpy(from.addr, a, sizeof(from.addr));
	for (i = 0; i < 8; i++) {
		(void)gossip_source_new(&parent, a, (uint16_t)(i + 1));
		sources[i].nodes = GOSSIP_NODES_MAX / 8;
	}
	(void)gossip_source_new(&parent, b, 99);
	sources[8].nodes = 5;
	for (from.port = 1; from.port <= 8; from.port++) {
		CHECK(gossip_source_has_room(
		    &parent.gossip, &from, GOSSIP_NODES_MAX / 8));
		CHECK(!gossip_source_has_room(
		    &parent.gossip, &from, GOSSIP_NODES_MAX / 8 + 1));
	}
	CHECK(gossip_source_has_room(&parent.gossip, &from, 0));
	CHECK(!gossip_source_has_room(&parent.gossip, &from, 1));
	/* A port that is forgotten has none. */
	sources[5].port = 0;
	CHECK(gossip_source_has_room(&parent.gossip, &from, 1));
	memcpy(from.addr, b, sizeof(from.addr));
	CHECK(gossip_source_has_room(
	    &parent.gossip, &from, GOSSIP_NODES_MAX - 5));
	CHECK(!gossip_source_has_room(
	    &parent.gossip, &from, GOSSIP_NODES_MAX - 4));
	parent.nworkers = 2;
}

/* Where it knows us: told when that changes, and only then. */
static void
test_where_it_knows_us(void)
{
	const struct msg_beacon *msg;
	struct msg_sync from, to;

	begin();
	(void)gossip_source_new(&parent, a, 4000);
	quiet();
	memset(&from, 0, sizeof(from));
	memcpy(from.near, b, 16);
	from.listener = 3;
	gossip_source_near(&parent, 0, &from);
	msg = told(0);
	CHECK(msg != NULL && msg->number == 0 && msg->listener == 3);
	CHECK(memcmp(msg->near, b, 16) == 0);
	msg = told(0); /* the default may be the same one */
	CHECK(msg != NULL && msg->number == PROTO_BEACON_DEFAULT);
	CHECK(told(0) == NULL);
	quiet();
	gossip_source_near(&parent, 0, &from);
	CHECK(told(0) == NULL && told(1) == NULL);
	/* What we say goes the same way back. */
	memset(&to, 0, sizeof(to));
	memcpy(to.addr, a, 16);
	to.port = 4000;
	gossip_source_path(&parent, &to);
	CHECK(to.listener == 3 && memcmp(to.near, b, 16) == 0);
	to.port = 4001;
	gossip_source_path(&parent, &to);
	CHECK(to.listener == PROTO_LISTENER_ANY);
}

static void
test_a_worker_that_was_just_started(void)
{
	const struct msg_beacon *msg;
	struct sockaddr_in *sin;

	begin();
	(void)gossip_source_new(&parent, a, 1);
	(void)gossip_source_new(&parent, a, 2);
	(void)gossip_source_new(&parent, a, 3);
	sources[1].port = 0;
	quiet();
	sin = (void *)&parts_conf.default_beacon;
	sin->sin_family = AF_INET;
	sin->sin_port = htons(77);
	gossip_source_introduce(parent.workers[1].child);
	msg = told(1);
	CHECK(msg != NULL && msg->number == 0);
	msg = told(1);
	CHECK(msg != NULL && msg->number == 2);
	msg = told(1);
	CHECK(msg != NULL && msg->number == PROTO_BEACON_DEFAULT);
	CHECK(msg->port == 77 && told(1) == NULL && told(0) == NULL);
}

int
main(void)
{
	parts_init();
	RUN(test_a_new_one_is_told_to_all);
	RUN(test_a_free_number_is_used_again);
	RUN(test_no_more_than_there_are_numbers);
	RUN(test_so_many_ports_of_one_address);
	RUN(test_so_many_nodes_of_one_address);
	RUN(test_where_it_knows_us);
	RUN(test_a_worker_that_was_just_started);
	return (test_failed());
}
