/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <unistd.h>

#include "regress/unit/worker/parts.h"

/* Messages of another worker, cut as the socket likes, and bad ones. */

#define PACKET_MAX (ROUTE_HEADER + PROTO_DELIVERY_MAX)

static struct sibling sib;
static uint8_t part[PACKET_MAX];
static int other; /* the other worker's end */
static int closed, bursts;
static uint32_t delivered;
static size_t last_len;
static int wrong; /* boolean: something else was delivered */

void
relay_delivery(struct worker *of, uint32_t worker, uint32_t dest,
    uint32_t sender, uint8_t *bytes, size_t len)
{
	if (worker != 1 || dest != 7 || sender != delivered % 100 ||
	    (len > 0 && bytes[len - 1] != (uint8_t)(delivered % 100)))
		wrong = 1;
	delivered++;
	last_len = len;
}

void
burst_end(struct worker *of)
{
	bursts++;
}

struct sibling *
route_open(struct worker *of, uint32_t number, int fd, io_cb reader)
{
	sib.worker = of;
	sib.number = number;
	sib.part = part;
	sib.part_len = 0;
	sib.open = 1;
	ev_io_init(&sib.reader, reader, fd, EV_READ);
	sib.reader.data = &sib;
	ev_io_start(of->loop, &sib.reader);
	return (&sib);
}

void
route_close(struct sibling *s)
{
	closed++;
	s->open = 0;
	ev_io_stop(w.loop, &s->reader);
	(void)close(s->reader.fd);
}

static char moves[64]; /* what was heard of moves, in this order */

void
route_message(struct worker *of, struct sibling *to, uint32_t type,
    uint32_t peerid, uint32_t pid, const uint8_t *bytes, size_t len)
{
	if (to != &sib || type != WW_MARKED || peerid != 7 || len != 0)
		wrong = 1;
	(void)strlcat(moves, "echo ", sizeof(moves));
}

void
move_out_marked(struct worker *of, uint32_t place, uint32_t ticket)
{
	if (place != 1 || ticket != 7)
		wrong = 1;
	(void)strlcat(moves, "marked ", sizeof(moves));
}

void
still_marked(struct worker *of, uint32_t place, uint32_t ticket)
{
	if (place != 1 || ticket != 7)
		wrong = 1;
	(void)strlcat(moves, "still ", sizeof(moves));
}

void
still_lost(struct worker *of, uint32_t place)
{
	if (place != 1)
		wrong = 1;
	(void)strlcat(moves, "still ", sizeof(moves));
}

void
move_out_fenced(struct worker *of, uint32_t place, uint32_t ticket)
{
	if (place != 1 || ticket != 7)
		wrong = 1;
	(void)strlcat(moves, delivered == 1 ? "fenced " : "? ", sizeof(moves));
}

void
move_out_lost(struct worker *of, uint32_t place)
{
	if (place != 1)
		wrong = 1;
	(void)strlcat(moves, "lost ", sizeof(moves));
}

static void
begin(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	if (sib.open)
		route_close(&sib);
	(void)close(other);
	other = pair[1];
	(void)route_recv_open(&w, 1, pair[0]);
	closed = bursts = wrong = 0;
	moves[0] = '\0';
	delivered = 0;
}

/* A message from sender, a small number, with that size said and real. */
static size_t
message(uint8_t *to, uint32_t type, uint8_t sender, size_t said, size_t len)
{
	struct imsg_header header;

	memset(&header, 0, sizeof(header));
	header.type = type;
	header.len = (uint32_t)said;
	header.peerid = 7;
	header.pid = sender;
	memcpy(to, &header, sizeof(header));
	memset(to + sizeof(header), sender, len);
	return (sizeof(header) + len);
}

static void
turn(const uint8_t *bytes, size_t len)
{
	if (send(other, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	ev_run(w.loop, EVRUN_NOWAIT);
}

static void
test_wherever_it_is_cut(void)
{
	static uint8_t bytes[3 * (ROUTE_HEADER + 40)];
	size_t cut, len;
	uint8_t i;

	for (len = 0, i = 0; i < 3; i++)
		len +=
		    message(bytes + len, WW_PACKET, i, ROUTE_HEADER + 40, 40);
	for (cut = 1; cut < len; cut++) {
		begin();
		turn(bytes, cut);
		CHECK(delivered == cut / (ROUTE_HEADER + 40));
		turn(bytes + cut, len - cut);
		CHECK(delivered == 3 && !wrong && closed == 0);
		CHECK(sib.part_len == 0 && bursts >= 2);
	}
}

static void
test_the_smallest_and_the_largest(void)
{
	static uint8_t bytes[PACKET_MAX + 1];
	size_t len;

	begin();
	turn(bytes, message(bytes, WW_PACKET, 0, ROUTE_HEADER, 0));
	CHECK(delivered == 1 && last_len == 0);
	len = message(bytes, WW_PACKET, 1, PACKET_MAX, PROTO_DELIVERY_MAX);
	turn(bytes, len - 1);
	CHECK(delivered == 1 && sib.part_len == len - 1);
	turn(bytes + len - 1, 1);
	CHECK(delivered == 2 && last_len == PROTO_DELIVERY_MAX && !wrong);
	CHECK(closed == 0);
}

static void
test_what_is_no_packet_ends_the_channel(void)
{
	static const struct {
		uint32_t type;
		size_t said;
	} bad[] = { { WW_MARK, ROUTE_HEADER + 8 },
		{ WW_MARKED, ROUTE_HEADER + 8 }, { WW_FENCE, ROUTE_HEADER + 8 },
		{ WW_FENCE, 0 }, { WW_FENCE + 1, ROUTE_HEADER },
		{ PW_OPEN, ROUTE_HEADER + 8 }, { WW_PACKET, 0 },
		{ WW_PACKET, ROUTE_HEADER - 1 }, { WW_PACKET, PACKET_MAX + 1 },
		{ WW_PACKET, UINT32_MAX } };
	uint8_t bytes[200];
	size_t i, len;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		/* What came before it counts, what comes behind does not. */
		len = message(bytes, WW_PACKET, 0, ROUTE_HEADER + 8, 8);
		len += message(bytes + len, bad[i].type, 1, bad[i].said, 8);
		len += message(bytes + len, WW_PACKET, 1, ROUTE_HEADER + 8, 8);
		turn(bytes, len);
		CHECK(closed == 1 && delivered == 1 && bursts == 1);
	}
}

/* A mark is answered, the others count, each behind what came before it. */
static void
test_marks_and_fences_between_packets(void)
{
	static uint8_t bytes[4 * (ROUTE_HEADER + 8)];
	size_t cut, len;

	len = message(bytes, WW_MARK, 0, ROUTE_HEADER, 0);
	len += message(bytes + len, WW_PACKET, 0, ROUTE_HEADER + 8, 8);
	len += message(bytes + len, WW_FENCE, 0, ROUTE_HEADER, 0);
	len += message(bytes + len, WW_MARKED, 0, ROUTE_HEADER, 0);
	for (cut = 1; cut < len; cut++) {
		begin();
		turn(bytes, cut);
		turn(bytes + cut, len - cut);
		CHECK(
		    strcmp(moves, "echo fenced marked still ") == 0 && !wrong);
		CHECK(delivered == 1 && closed == 0);
	}
}

/* Nothing comes by the old channel any more once there is a new one. */
static void
test_another_channel_is_the_end_of_the_one_before(void)
{
	int pair[2];

	begin();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	route_close(&sib);
	(void)route_recv_open(&w, 1, pair[0]);
	(void)close(other);
	other = pair[1];
	CHECK(strcmp(moves, "lost still ") == 0 && !wrong);
	CHECK(route_recv_open(&w, w.hello.worker, -1) != NULL);
	CHECK(route_recv_open(&w, PROTO_PLACES_MAX, -1) != NULL);
}

static void
test_the_end_of_the_other(void)
{
	begin();
	(void)shutdown(other, SHUT_RDWR);
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(closed == 1 && delivered == 0);
	CHECK(strcmp(moves, "lost still ") == 0);
}

/* Worker 1 may fill our buffer, but not hold us for ever. */
static void
test_a_flood_is_read_a_bit_at_a_time(void)
{
	static uint8_t bytes[100 * (ROUTE_HEADER + 2000)];
	size_t len;
	int size;
	uint8_t i;

	begin();
	size = 8 << 20;
	(void)setsockopt(other, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (len = 0, i = 0; i < 100; i++)
		len += message(
		    bytes + len, WW_PACKET, i, ROUTE_HEADER + 2000, 2000);
	while (send(other, bytes, len, MSG_NOSIGNAL) == (ssize_t)len)
		;
	for (i = 0; i < 100 && bursts < 2; i++)
		ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(delivered > 0 && !wrong && closed == 0);
	CHECK(delivered <= 5 * (RX_SIZE / (ROUTE_HEADER + 2000) + 1));
}

int
main(void)
{
	static uint8_t rx[RX_SIZE + RX_HEADROOM];

	parts_loop();
	w.rx = rx + RX_HEADROOM;
	other = -1;
	RUN(test_wherever_it_is_cut);
	RUN(test_the_smallest_and_the_largest);
	RUN(test_what_is_no_packet_ends_the_channel);
	RUN(test_marks_and_fences_between_packets);
	RUN(test_the_end_of_the_other);
	RUN(test_another_channel_is_the_end_of_the_one_before);
	RUN(test_a_flood_is_read_a_bit_at_a_time);
	return (test_failed());
}
