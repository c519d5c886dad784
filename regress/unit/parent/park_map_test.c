/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>

#include "common/clock.h"
#include "parent/park_file.h"
#include "regress/unit/parent/parts.h"

/* Nodes and beacons are written by one parent and come to the next. */

static struct listener listeners[2]; /* UDP, numbers 3 and 5 */
static struct unpark_file u;
static struct source sources[3];

/* What has come. */
static struct msg_endpoint endpoint;
static struct sync heard;
static uint32_t gone;
static uint32_t endpoints, syncs, seen_ago, moved_ago, heard_ago, ids[3];

void
endpoint_restore(struct parent *of, const struct msg_endpoint *msg,
    uint32_t seen, uint32_t moved)
{
	endpoints++;
	endpoint = *msg;
	seen_ago = seen;
	moved_ago = moved;
}

void
gossip_restore(struct parent *of, struct sync *sync, uint32_t ago)
{
	syncs++;
	heard = *sync;
	heard_ago = ago;
	if (sync->count <= 3 && sync->count > 0)
		memcpy(ids, sync->ids, sync->count * sizeof(ids[0]));
}

void
unpark_ahead_gone(struct parent *of, uint32_t number)
{
	gone = number;
}

static void
listen_at(struct listener *listener, uint32_t number, uint16_t port)
{
	struct sockaddr_in *sin;

	TAILQ_INSERT_TAIL(&parent.listeners, listener, entry);
	listener->kind = LISTENER_UDP;
	listener->number = number;
	sin = (void *)&listener->ss;
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin->sin_port = htons(port);
}

/* Node 10: a session and no address; 11: by UDP, which listener 5 has heard. */
static void
know(void)
{
	struct peermap_entry entry;
	uint8_t near[16] = { [0] = 0xfe, [15] = 9 };
	uint32_t number;

	number = pmap_add(&parent.map, 10, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.generation = 4;
	pmap_store(&parent.map, number, &entry);
	number = pmap_add(&parent.map, 11, 0);
	entry = *pmap_entry(&parent.map, number);
	entry.addr[15] = 77;
	entry.port = 4000;
	entry.flags = PEERMAP_UDP_EX | 5 << PEERMAP_LISTENER_SHIFT;
	entry.near = pmap_near(&parent.map, near);
	entry.seen = clock_seconds() - 20;
	entry.moved = clock_seconds() - 300;
	pmap_store(&parent.map, number, &entry);
}

/* One that was heard, a peer that was not, and a number that is free. */
static void
hear(void)
{
	static uint32_t nodes[3] = { 7, 8, 9 };

	parent.gossip.sources = sources;
	parent.gossip.nsources = 3;
	sources[0].port = 9001;
	sources[1].addr[15] = 88;
	sources[1].near[15] = 99;
	sources[1].port = 9002;
	sources[1].listener = 3;
	sources[1].beacon = 6;
	sources[1].heard = clock_seconds() - 40;
	sources[1].nodes = 3;
	sources[1].ids = nodes;
}

/* Writes all, and reads it again. */
static int
pass_on(void)
{
	struct park_header header;
	struct unpark_record r;
	int error;

	endpoints = syncs = 0;
	memset(&header, 0, sizeof(header));
	memset(&u, 0, sizeof(u));
	parent.park.file = park_file_new();
	if (parent.park.file == NULL || park_map(&parent) == -1 ||
	    park_file_seal(parent.park.file, &header) == -1 ||
	    unpark_file_open(&u, parent.park.file->fd) == -1)
		return (-1);
	while (unpark_file_next(&u, &r))
		unpark_map(&parent, &r);
	error = u.at == u.bytes ? 0 : -1;
	unpark_file_close(&u);
	park_file_free(parent.park.file);
	return (error);
}

static void
test_it_comes_as_it_was(void)
{
	CHECK(pass_on() == 0 && endpoints == 1 && syncs == 1);
	CHECK(endpoint.node == 11 && endpoint.addr[15] == 77);
	CHECK(endpoint.port == 4000);
	CHECK(endpoint.near[0] == 0xfe && endpoint.near[15] == 9);
	CHECK(endpoint.flags == (PEERMAP_UDP_EX | 5 << PEERMAP_LISTENER_SHIFT));
	CHECK(seen_ago >= 20 && seen_ago < 90);
	CHECK(moved_ago >= 300 && moved_ago < 390);
	CHECK(heard.from.addr[15] == 88 && heard.from.near[15] == 99);
	CHECK(heard.from.port == 9002 && heard.from.beacon == 6);
	CHECK(heard.from.listener == 3 && heard.count == 3);
	CHECK(ids[0] == 7 && ids[1] == 8 && ids[2] == 9);
	CHECK(heard_ago >= 40 && heard_ago < 100);
}

/* Numbers are of one parent; what the listener's address is counts. */
static void
test_a_listener_may_have_another_number(void)
{
	struct park_node node;
	struct unpark_record r = { PARK_NODE, sizeof(node), &node };

	memset(&node, 0, sizeof(node));
	node.node = 5;
	node.port = 1;
	node.listener.port = address_of(&listeners[1].ss, node.listener.addr);
	listeners[1].number = 1;
	endpoints = 0;
	unpark_map(&parent, &r);
	CHECK(endpoints == 1);
	CHECK(endpoint.flags >> PEERMAP_LISTENER_SHIFT == 1);
	listeners[1].number = 5;
	/* One that is not there any more, or never was. */
	node.listener.port++;
	unpark_map(&parent, &r);
	node.listener.port = 0;
	unpark_map(&parent, &r);
	CHECK(endpoints == 1);
}

static void
test_nodes_that_make_no_sense(void)
{
	struct {
		struct park_node node;
		uint32_t more;
	} msg;
	struct unpark_record r = { PARK_NODE, sizeof(msg), &msg };

	memset(&msg, 0, sizeof(msg));
	msg.node.node = 5;
	msg.node.port = UINT16_MAX + 1;
	msg.node.listener.port =
	    address_of(&listeners[1].ss, msg.node.listener.addr);
	endpoints = 0;
	unpark_map(&parent, &r);
	CHECK(endpoints == 0);
	/* Longer, of a later version: as far as it is known. */
	msg.node.port = 1;
	msg.node.flags = UINT32_MAX;
	unpark_map(&parent, &r);
	CHECK(endpoints == 1);
	CHECK(endpoint.flags == (PEERMAP_UDP_EX | 5 << PEERMAP_LISTENER_SHIFT));
	r.len = sizeof(msg.node) - 1;
	unpark_map(&parent, &r);
	r.len = 0;
	unpark_map(&parent, &r);
	CHECK(endpoints == 1);
}

static void
test_beacons_that_make_no_sense(void)
{
	struct {
		struct park_sync sync;
		uint32_t ids[2];
	} msg;
	struct unpark_record r = { PARK_SYNC, sizeof(msg), &msg };

	memset(&msg, 0, sizeof(msg));
	msg.sync.port = 1;
	msg.sync.count = 2;
	syncs = 0;
	unpark_map(&parent, &r);
	CHECK(syncs == 1 && heard.from.listener == PROTO_LISTENER_ANY);
	msg.sync.count = 3;
	unpark_map(&parent, &r);
	msg.sync.count = 1;
	unpark_map(&parent, &r);
	msg.sync.count = (1U << 30) + 2;
	unpark_map(&parent, &r);
	msg.sync.count = UINT32_MAX;
	unpark_map(&parent, &r);
	CHECK(syncs == 1);
	msg.sync.count = 2;
	msg.sync.port = 0;
	unpark_map(&parent, &r);
	msg.sync.port = UINT16_MAX + 1;
	unpark_map(&parent, &r);
	r.len = sizeof(msg.sync) - 1;
	unpark_map(&parent, &r);
	CHECK(syncs == 1);
}

static void
test_who_is_gone(void)
{
	struct park_gone msg = { 9, 0 };
	struct unpark_record r = { PARK_GONE, sizeof(msg), &msg };

	unpark_map(&parent, &r);
	CHECK(gone == 9);
	msg.ahead = 10;
	r.len--;
	unpark_map(&parent, &r);
	CHECK(gone == 9);
}

static void
test_what_is_not_known_is_passed_over(void)
{
	static const uint64_t zero[20];
	struct unpark_record r = { 0, sizeof(zero), zero };

	endpoints = syncs = 0;
	for (r.type = PARK_GONE + 1; r.type < 100; r.type++)
		unpark_map(&parent, &r);
	CHECK(endpoints == 0 && syncs == 0);
}

static void
test_it_is_said_if_it_cannot_be_written(void)
{
	parent.park.file = park_file_new();
	CHECK(parent.park.file != NULL);
	parent.park.file->bytes = PARK_BYTES_MAX;
	CHECK(park_map(&parent) == -1);
	park_file_free(parent.park.file);
}

int
main(void)
{
	parts_init();
	if (pmap_create(&parent.map) == -1)
		abort();
	listen_at(&listeners[0], 3, 5003);
	listen_at(&listeners[1], 5, 5005);
	know();
	hear();
	RUN(test_it_comes_as_it_was);
	RUN(test_a_listener_may_have_another_number);
	RUN(test_nodes_that_make_no_sense);
	RUN(test_beacons_that_make_no_sense);
	RUN(test_who_is_gone);
	RUN(test_what_is_not_known_is_passed_over);
	RUN(test_it_is_said_if_it_cannot_be_written);
	return (test_failed());
}
