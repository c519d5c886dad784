/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "regress/unit/worker/parts.h"
#include "worker/udp.h"

/* Datagrams that come in, as they are handed on. */

static struct udp_socket sock;
static int bursts;       /* that have ended */
static uint32_t came;    /* datagrams handed on */
static size_t bytes;     /* theirs */
static struct path last; /* by which the last came */
static int in_order = 1, has_room = 1;
static const uint8_t *rooms[UDP_BATCH]; /* where they were */

void
datagram(
    struct worker *of, const struct path *path, uint8_t *packet, size_t len)
{
	last = *path;
	bytes += len;
	if (len > 0 && packet[0] != (uint8_t)came)
		in_order = 0;
	rooms[came++ % UDP_BATCH] = packet;
	/* Headroom is written into, as is what lies behind. */
	memset(packet - RX_HEADROOM, 0xee, RX_HEADROOM);
	packet[UDP_ROOM - RX_HEADROOM - 1] = 0xee;
	if (path->far.port == 0)
		has_room = 0;
}

void
burst_end(struct worker *of)
{
	bursts++;
}

const char *
udp_open(struct worker *of, const struct msg_udp *msg, int fd, io_cb reader)
{
	sock.worker = of;
	sock.family = AF_INET;
	sock.any = 1;
	sock.path.listener = msg->listener;
	ev_io_init(&sock.reader, reader, fd, EV_READ);
	sock.reader.data = &sock;
	ev_io_start(of->loop, &sock.reader);
	return (NULL);
}

static int client;
static struct sockaddr_in to, from;

static int
bound(in_addr_t host, struct sockaddr_in *sin)
{
	socklen_t len;
	int fd, on;

	len = sizeof(*sin);
	on = 1;
	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(host);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)sin, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &len) == -1 ||
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == -1)
		abort();
	return (fd);
}

/* n datagrams of `len` bytes to 127.0.0.near, then a turn of the loop. */
static void
turn(uint32_t n, size_t len, uint8_t near)
{
	static uint8_t packet[2000];
	uint32_t i;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + near);
	came = 0;
	bytes = 0;
	bursts = 0;
	for (i = 0; i < n; i++) {
		packet[0] = (uint8_t)i;
		if (sendto(client, packet, len, 0, (struct sockaddr *)&to,
			sizeof(to)) == -1)
			abort();
	}
	ev_run(w.loop, EVRUN_NOWAIT);
}

static void
test_all_that_came_is_one_burst(void)
{
	uint64_t packets, sum;

	packets = COUNTED(UDP_PACKETS);
	sum = COUNTED(UDP_BYTES);
	turn(5, 100, 1);
	CHECK(came == 5 && bytes == 500 && bursts == 1 && in_order);
	CHECK(COUNTED(UDP_PACKETS) == packets + 5);
	CHECK(COUNTED(UDP_BYTES) == sum + 500);
	CHECK(has_room);
}

static void
test_from_whom_and_to_which_of_ours(void)
{
	turn(1, 10, 1);
	CHECK(last.listener == 6 && last.far.port == ntohs(from.sin_port));
	CHECK(memcmp(last.far.addr + 10, "\xff\xff\x7f\0\0\1", 6) == 0);
	CHECK(memcmp(last.near + 10, "\xff\xff\x7f\0\0\1", 6) == 0);
	turn(1, 10, 2);
	CHECK(memcmp(last.near + 10, "\xff\xff\x7f\0\0\2", 6) == 0);
	/* Bound to one address, it does not ask. */
	sock.any = 0;
	memset(sock.path.near, 0, sizeof(sock.path.near));
	turn(1, 10, 2);
	CHECK(last.near[15] == 0);
	sock.any = 1;
}

static void
test_each_has_a_room_of_its_own(void)
{
	uint32_t i;

	turn(UDP_BATCH, 10, 1);
	CHECK(came == UDP_BATCH && has_room);
	for (i = 1; i < UDP_BATCH; i++)
		CHECK(rooms[i] == rooms[0] + i * UDP_ROOM);
	/* It begins where malloc(3) has put it. */
	CHECK(((uintptr_t)rooms[0] - RX_HEADROOM) % 16 == 0);
}

static void
test_no_more_than_a_batch_at_once(void)
{
	turn(UDP_BATCH + 3, 10, 1);
	CHECK(came == UDP_BATCH && bursts == 1 && in_order);
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(came == UDP_BATCH + 3 && bursts == 2 && in_order);
	/* Nothing has come: nothing ends. */
	bursts = 0;
	ev_feed_event(w.loop, &sock.reader, EV_READ);
	ev_invoke_pending(w.loop);
	CHECK(bursts == 0);
}

static void
test_an_empty_one_is_one(void)
{
	turn(2, 0, 1);
	CHECK(came == 2 && bytes == 0);
}

/* libev has stopped the watcher: there is nothing to read now. */
static void
test_without_memory_for_epoll(void)
{
	turn(0, 0, 1);
	if (sendto(client, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
		abort();
	ev_io_stop(w.loop, &sock.reader);
	ev_feed_event(w.loop, &sock.reader, EV_READ | EV_ERROR);
	ev_invoke_pending(w.loop);
	CHECK(came == 0 && bursts == 0);
}

int
main(void)
{
	static const struct msg_udp msg = { UDP_LISTENER, 6, 0 };

	parts_loop();
	client = bound(INADDR_LOOPBACK, &from);
	if (udp_recv_open(&w, &msg, bound(INADDR_ANY, &to)) != NULL)
		return (1);
	RUN(test_all_that_came_is_one_burst);
	RUN(test_from_whom_and_to_which_of_ours);
	RUN(test_each_has_a_room_of_its_own);
	RUN(test_no_more_than_a_batch_at_once);
	RUN(test_an_empty_one_is_one);
	RUN(test_without_memory_for_epoll);
	return (test_failed());
}
