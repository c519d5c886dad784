/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

#define HEADER sizeof(struct imsg_header)

/* Linked in place of the library's (regress.mk): memory can be short. */
void *__real_malloc(size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_realloc(void *, size_t);

static int no_memory;

void *
__wrap_malloc(size_t size)
{
	return (no_memory ? NULL : __real_malloc(size));
}

void *
__wrap_realloc(void *old, size_t size)
{
	return (no_memory ? NULL : __real_realloc(old, size));
}

static struct worker w;
static uint8_t rx[RX_SIZE];
static int bursts;     /* that were read */
static int delivered;  /* packets */
static int other = -1; /* the other worker's end */

/* What has come out at the other end. */
static uint8_t got[8 << 20];
static size_t got_len;

/* In the place of what stands beside it: what the relay gets. */
void
relay_delivery(struct worker *to, uint32_t worker, uint32_t dest,
    uint32_t sender, uint8_t *bytes, size_t len)
{
	if (to == &w && worker == 1 && dest == 7 && sender == 8 && len == 20 &&
	    bytes[19] == 0)
		delivered++;
}

void
burst_end(struct worker *of)
{
	bursts++;
}

void
move_out_marked(struct worker *of, uint32_t place, uint32_t ticket)
{
}

void
move_out_fenced(struct worker *of, uint32_t place, uint32_t ticket)
{
}

void
move_out_lost(struct worker *of, uint32_t place)
{
}

void
still_marked(struct worker *of, uint32_t place, uint32_t ticket)
{
}

void
still_lost(struct worker *of, uint32_t place)
{
}

static int
set_up(void)
{
	int pair[2], size;

	if (w.loop == NULL) {
		w.loop = ev_loop_new(EVFLAG_NOENV);
		w.rx = rx;
	}
	(void)close(other);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		return (-1);
	other = pair[1];
	got_len = 0;
	size = 8 << 10; /* so that large ones leave in pieces */
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ==
	    -1)
		return (-1);
	return (route_recv_open(&w, 1, pair[0]) == NULL ? 0 : -1);
}

static uint64_t
count(enum counter c)
{
	return (counters_read(counters, c));
}

/* The bytes of packet i; sizes differ, and large ones stay in place. */
static size_t
payload(uint32_t i, uint8_t *to)
{
	size_t len;

	len = i % 4 == 3 ? 32000 : 100 + i % 900;
	memset(to, (int)(i & 0xff), len);
	return (len);
}

static void
send_packets(uint32_t from, uint32_t n)
{
	static uint8_t room[HEADER + PROTO_DELIVERY_MAX];
	size_t len;
	uint32_t i;

	for (i = from; i < from + n; i++) {
		len = payload(i, room + HEADER);
		(void)route_packet(&w, 1, i, 1, room + HEADER, len);
		route_flush(&w);
	}
}

/* Takes what is there, at most `most` bytes; the loop turns once after it. */
static size_t
take(size_t most)
{
	ssize_t n;

	n = recv(other, got + got_len, most, 0);
	if (n > 0)
		got_len += (size_t)n;
	ev_run(w.loop, EVRUN_NOWAIT);
	return (n > 0 ? (size_t)n : 0);
}

/* Whole messages in what was got; -1 if one is not as it was sent. */
static int
messages(uint32_t *last)
{
	static uint8_t want[PROTO_DELIVERY_MAX];
	struct imsg_header header;
	size_t off;
	int n;

	n = 0;
	for (off = 0; off + HEADER <= got_len; off += header.len, n++) {
		memcpy(&header, got + off, HEADER);
		if (header.type != WW_PACKET || header.pid != 1 ||
		    header.len != HEADER + payload(header.peerid, want))
			return (-1);
		if (off + header.len > got_len)
			break;
		if (memcmp(got + off + HEADER, want, header.len - HEADER) != 0)
			return (-1);
		*last = header.peerid;
	}
	return (n);
}

static void
test_what_waits_arrives_whole_and_in_order(void)
{
	uint32_t last;
	size_t i;

	CHECK(set_up() == 0);
	send_packets(1, 400);
	CHECK(w.routes.siblings[1]->queue.len > 1 << 20);
	for (i = 0; take(1 + i % 40000) > 0; i += 997)
		;
	CHECK(messages(&last) == 400 && last == 400);
	CHECK(w.routes.siblings[1]->queue.data == NULL);
	CHECK(w.routes.siblings[1]->rest_len == 0);
	CHECK(!ev_is_active(&w.routes.siblings[1]->writer));
}

static void
test_send_error_is_counted(void)
{
	uint64_t lost;

	CHECK(set_up() == 0);
	lost = count(COUNTER_DROP_WORKER_LOST);
	(void)close(other);
	send_packets(1, 20);
	CHECK(count(COUNTER_DROP_WORKER_LOST) == lost + 20);
}

static void
test_what_waits_for_a_channel_that_ends_is_counted(void)
{
	uint64_t lost;
	uint32_t last;
	int old, pair[2];

	CHECK(set_up() == 0);
	lost = count(COUNTER_DROP_WORKER_LOST);
	send_packets(1, 500);
	(void)take(50000);
	CHECK(w.routes.siblings[1]->queue.len > 0 &&
	      w.routes.siblings[1]->rest_len > 0);
	/* Another channel takes its place. */
	CHECK(channel_pair(pair) == 0);
	CHECK(route_recv_open(&w, 1, pair[0]) == NULL);
	lost = count(COUNTER_DROP_WORKER_LOST) - lost;
	while (take(sizeof(got) - got_len) > 0)
		;
	CHECK(lost > 0 && messages(&last) == 500 - (int)lost);
	old = other;
	other = pair[1];
	(void)close(old);
}

/* A message in two pieces, for a node that is not here. */
static void
test_reads_without_memory(void)
{
	struct imsg_header header = { WW_PACKET, HEADER + 20, 7, 8 };
	uint8_t message[HEADER + 20];

	CHECK(set_up() == 0);
	memset(message, 0, sizeof(message));
	memcpy(message, &header, sizeof(header));
	no_memory = 1;
	CHECK(send(other, message, 10, 0) == 10);
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(send(other, message + 10, sizeof(message) - 10, 0) ==
	      sizeof(message) - 10);
	ev_run(w.loop, EVRUN_NOWAIT);
	no_memory = 0;
	CHECK(delivered == 1 && bursts == 2);
}

static void
test_sends_without_memory(void)
{
	uint64_t dropped;
	uint32_t last;

	CHECK(set_up() == 0);
	dropped = count(COUNTER_DROP_WORKER_FULL);
	no_memory = 1;
	send_packets(1, 200);
	no_memory = 0;
	CHECK(w.routes.siblings[1]->rest_len > 0 &&
	      w.routes.siblings[1]->queue.data == NULL);
	send_packets(201, 100);
	while (take(sizeof(got) - got_len) > 0)
		;
	dropped = count(COUNTER_DROP_WORKER_FULL) - dropped;
	CHECK(dropped > 0 && messages(&last) == 300 - (int)dropped);
	CHECK(last == 300);
}

int
main(void)
{
	RUN(test_what_waits_arrives_whole_and_in_order);
	RUN(test_send_error_is_counted);
	RUN(test_what_waits_for_a_channel_that_ends_is_counted);
	RUN(test_reads_without_memory);
	RUN(test_sends_without_memory);
	return (test_failed());
}
