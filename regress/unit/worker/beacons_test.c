/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <sodium.h>
#include <time.h>
#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/udp.h"
#include "worker/worker.h"

#define THE_DEFAULT PROTO_BEACON_DEFAULT

static struct worker worker;

/* Beacon `number` is at host n (v4-mapped), that port; port 0: gone. */
static const char *
set(uint32_t number, uint32_t n, uint16_t port)
{
	struct msg_beacon msg;

	memset(&msg, 0, sizeof(msg));
	msg.addr[10] = msg.addr[11] = 0xff;
	memcpy(msg.addr + 12, &n, sizeof(n));
	msg.port = port;
	msg.number = number;
	return (beacons_set(&worker, &msg));
}

static int
known(uint32_t n, uint16_t port, int with_port)
{
	struct endpoint source;

	memset(&source, 0, sizeof(source));
	source.addr[10] = source.addr[11] = 0xff;
	memcpy(source.addr + 12, &n, sizeof(n));
	source.port = port;
	return (beacons_known(&worker, &source, with_port));
}

static void
forget_all(void)
{
	uint32_t i;

	for (i = 0; i < PROTO_BEACONS_MAX; i++)
		(void)set(i, 0, 0);
	(void)set(THE_DEFAULT, 0, 0);
}

static void
known_by_port_and_by_host(void)
{
	CHECK(!known(1, 4000, 1) && !known(1, 4000, 0));
	CHECK(set(0, 1, 4000) == NULL && set(7, 1, 4001) == NULL);
	CHECK(set(3, 2, 4000) == NULL);
	CHECK(known(1, 4000, 1) && known(1, 4001, 1) && known(2, 4000, 1));
	CHECK(!known(1, 4002, 1) && !known(2, 4001, 1) && !known(3, 4000, 1));
	CHECK(known(1, 9, 0) && known(2, 9, 0) && !known(3, 4000, 0));
	forget_all();
}

static void
gone_when_the_number_is_free_or_anothers(void)
{
	CHECK(set(0, 1, 4000) == NULL && set(1, 1, 4001) == NULL);
	CHECK(set(0, 1, 0) == NULL);
	CHECK(!known(1, 4000, 1) && known(1, 4001, 1) && known(1, 9, 0));
	CHECK(set(1, 2, 4001) == NULL);
	CHECK(!known(1, 4001, 1) && !known(1, 9, 0) && known(2, 4001, 1));
	CHECK(set(1, 0, 0) == NULL && set(1, 0, 0) == NULL);
	CHECK(!known(2, 4001, 1) && worker.beacons->count == 0);
}

/* Gossip is not taken from it, nor from its other ports. */
static void
default_beacon_is_known_by_port_alone(void)
{
	CHECK(set(THE_DEFAULT, 1, 4000) == NULL);
	CHECK(known(1, 4000, 1) && !known(1, 4001, 1) && !known(1, 4000, 0));
	CHECK(set(5, 1, 4000) == NULL && set(THE_DEFAULT, 0, 0) == NULL);
	CHECK(known(1, 4000, 1) && known(1, 4000, 0));
	forget_all();
}

static void
no_such_number(void)
{
	CHECK(set(PROTO_BEACONS_MAX, 1, 4000) != NULL);
	CHECK(set(UINT32_MAX - 1, 1, 4000) != NULL);
	CHECK(set(PROTO_BEACONS_MAX - 1, 1, 4000) == NULL);
	CHECK(known(1, 4000, 1));
	forget_all();
}

/* As far apart as a list's first and last would be. */
static void
each_of_many_is_found_and_no_other(void)
{
	uint32_t i;

	for (i = 0; i < PROTO_BEACONS_MAX; i++)
		CHECK(set(i, i / 65, (uint16_t)(1000 + i % 65)) == NULL);
	for (i = 0; i < PROTO_BEACONS_MAX; i++) {
		CHECK(known(i / 65, (uint16_t)(1000 + i % 65), 1));
		CHECK(!known(i / 65, (uint16_t)(2000 + i % 65), 1));
		CHECK(known(i / 65, 9, 0));
		CHECK(!known(100000 + i, 9, 0));
	}
	forget_all();
	CHECK(worker.beacons->count == 0);
}

/* Nanoseconds of one look-up, in the best of many rounds. */
static double
cost(uint32_t sources)
{
	struct timespec end, start;
	double best, ns;
	uint32_t i, round;

	best = 1e9;
	for (round = 0; round < 200; round++) {
		(void)clock_gettime(CLOCK_MONOTONIC, &start);
		for (i = 0; i < 256; i++)
			test_bad |= known(100000 + sources + i, 4000, 1);
		(void)clock_gettime(CLOCK_MONOTONIC, &end);
		ns = (double)(end.tv_sec - start.tv_sec) * 1e9 +
		     (double)(end.tv_nsec - start.tv_nsec);
		if (ns / 256 < best)
			best = ns / 256;
	}
	return (best);
}

/* It is asked for each Relay that comes by UDP. */
static void
takes_the_same_time_however_many_there_are(void)
{
	double few, many;
	uint32_t i;

	for (i = 0; i < 8; i++)
		CHECK(set(i, i, 4000) == NULL);
	few = cost(8);
	for (i = 0; i < PROTO_BEACONS_MAX; i++)
		CHECK(set(i, i, 4000) == NULL);
	many = cost(PROTO_BEACONS_MAX);
	printf("# %.1f ns among 8, %.1f ns among %d\n", few, many,
	    PROTO_BEACONS_MAX);
	CHECK(many < 10 * few);
	forget_all();
}

#define NEAR 0x7f000002U /* 127.0.0.2 */

static int
bound(in_addr_t host, struct sockaddr_in *sin)
{
	socklen_t len;
	int fd;

	len = sizeof(*sin);
	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(host);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)sin, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &len) == -1)
		return (-1);
	return (fd);
}

/* Has a Sync come from NEAR, by that port? */
static int
sync_came(int fd, in_port_t port)
{
	struct sockaddr_in from;
	uint8_t packet[100];
	socklen_t len;

	len = sizeof(from);
	return (recvfrom(fd, packet, sizeof(packet), 0,
		    (struct sockaddr *)&from, &len) == PACKET_SYNC_LEN &&
		packet[0] == PACKET_SYNC && from.sin_port == port &&
		from.sin_addr.s_addr == htonl(NEAR));
}

/* By the listening port and by a further one, both bound to all addresses. */
static void
sync_leaves_from_the_address_that_is_known(void)
{
	static const struct msg_udp kinds[2] = { { UDP_LISTENER, 0, 0 },
		{ UDP_SHARE, 0, 1 } };
	struct sockaddr_in to, ports[2];
	struct msg_sync msg;
	in_addr_t near;
	uint32_t i;
	int fd, peer;

	peer = bound(INADDR_LOOPBACK, &to);
	CHECK(peer != -1);
	memset(&msg, 0, sizeof(msg));
	msg.addr[10] = msg.addr[11] = msg.near[10] = msg.near[11] = 0xff;
	memcpy(msg.addr + 12, &to.sin_addr, 4);
	near = htonl(NEAR);
	memcpy(msg.near + 12, &near, 4);
	msg.port = ntohs(to.sin_port);
	msg.listener = UDP_LISTENER_ANY;
	msg.first = msg.last = 1;
	for (i = 0; i < 2; i++) {
		fd = bound(INADDR_ANY, &ports[i]);
		CHECK(fd != -1);
		CHECK(udp_open(&worker, &kinds[i], fd, NULL) == NULL);
	}
	for (msg.share = 0; msg.share < 2; msg.share++) {
		CHECK(beacons_send_sync(&worker, &msg, NULL, 0) == NULL);
		CHECK(sync_came(peer, ports[msg.share].sin_port));
	}
	(void)close(peer);
}

static void
ended(void *owner, const char *reason)
{
}

/* Syncs leave it half of its queue for the ends of sessions. */
static void
syncs_do_not_fill_the_queue_to_a_parent_that_does_not_read(void)
{
	static const struct channel_rule no_rules[1];
	static uint8_t packet[PACKET_SYNC_LEN + 4 * PROTO_SYNC_MAX];
	struct msg_closed closed = { 7, 9 };
	struct path path;
	uint64_t dropped;
	int i, pair[2];

	CHECK(channel_pair(pair) == 0 &&
	      channel_open(&worker.parent, worker.loop, pair[0], "parent",
		  no_rules, 0, ended, &worker) == 0);
	worker.gossip.sources = limit_new();
	worker.settings.gossip_from_any = 1;
	memset(&path, 0, sizeof(path));
	path.far.addr[10] = path.far.addr[11] = 0xff;
	path.far.port = 4000;
	packet[0] = PACKET_SYNC;
	packet[5] = PROTO_SYNC_MAX >> 8;
	packet[6] = PROTO_SYNC_MAX & 0xff;
	dropped = counters_read(counters, COUNTER_DROP_RATE);
	for (i = 0; i < 200; i++) {
		worker.now++;
		beacons_sync(&worker, &path, packet, sizeof(packet));
	}
	CHECK(counters_read(counters, COUNTER_DROP_RATE) > dropped);
	CHECK(channel_queued(&worker.parent) > CHANNEL_LIMIT / 2);
	for (i = 0; i < 50000; i++)
		CHECK(channel_send(&worker.parent, WP_CLOSED, 0, -1, &closed,
			  sizeof(closed)) == 0);
	channel_close(&worker.parent);
	(void)close(pair[1]);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	worker.loop = ev_loop_new(EVFLAG_NOENV);
	worker.beacons = beacon_table_new();
	RUN(takes_the_same_time_however_many_there_are);
	RUN(known_by_port_and_by_host);
	RUN(gone_when_the_number_is_free_or_anothers);
	RUN(default_beacon_is_known_by_port_alone);
	RUN(no_such_number);
	RUN(each_of_many_is_found_and_no_other);
	RUN(sync_leaves_from_the_address_that_is_known);
	RUN(syncs_do_not_fill_the_queue_to_a_parent_that_does_not_read);
	return (test_failed());
}
