/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/syscall.h>

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/udp.h"

/*
 * From which of our addresses datagrams leave by a socket that is bound to all
 * of them, whatever the kernel says to a batch.
 */
#define NEAR  0x7f000002U /* 127.0.0.2 */
#define BURST 40

static struct worker w;
static struct sockaddr_in client_at;
static int client;
static struct endpoint client_end;

/* What "the kernel" does with a batch. */
static int refusal;     /* errno for the first message of several datagrams */
static int refusal_one; /* and for each that comes by itself */
static int refusals;    /* of these, then no more; 0: without end */
static int messages;    /* that it has got */

int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	messages += (int)n;
	if (refusal != 0 && msgs[0].msg_hdr.msg_iovlen > 1) {
		errno = refusal;
		return (-1);
	}
	return ((int)syscall(SYS_sendmmsg, fd, msgs, n, flags));
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (refusal_one != 0) {
		errno = refusal_one;
		if (refusals > 0 && --refusals == 0)
			refusal_one = 0;
		return (-1);
	}
	return (syscall(SYS_sendmsg, fd, msg, flags));
}

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

static int
set_up(void)
{
	static const struct msg_udp msg = { UDP_LISTENER, 0, 0 };
	struct sockaddr_in sin;
	int fd;

	w.loop = ev_loop_new(EVFLAG_NOENV);
	client = bound(INADDR_LOOPBACK, &client_at);
	fd = bound(INADDR_ANY, &sin);
	if (client == -1 || fd == -1 || udp_open(&w, &msg, fd, NULL) != NULL)
		return (-1);
	client_end.addr[10] = client_end.addr[11] = 0xff;
	memcpy(client_end.addr + 12, &client_at.sin_addr, 4);
	client_end.port = ntohs(client_at.sin_port);
	return (0);
}

/* A burst to the client; the loop turns until all that waits has left. */
static void
burst(in_addr_t near)
{
	static uint8_t packets[BURST][100];
	struct path path;
	int i;

	memset(&path, 0, sizeof(path));
	path.far = client_end;
	path.near[10] = path.near[11] = 0xff;
	near = htonl(near);
	memcpy(path.near + 12, &near, sizeof(near));
	messages = 0;
	for (i = 0; i < BURST; i++) {
		packets[i][0] = (uint8_t)i;
		udp_send(&w, &path, packets[i], sizeof(packets[i]));
	}
	udp_flush(&w);
	ev_run(w.loop, EVRUN_NOWAIT);
}

/* How many came in order from that address; -1: one did not. */
static int
received(in_addr_t near)
{
	struct sockaddr_in from;
	uint8_t packet[200];
	socklen_t len;
	int n;

	for (n = 0;; n++) {
		len = sizeof(from);
		if (recvfrom(client, packet, sizeof(packet), 0,
			(struct sockaddr *)&from, &len) == -1)
			return (n);
		if (packet[0] != n || from.sin_addr.s_addr != htonl(near))
			return (-1);
	}
}

static void
test_in_few_messages(void)
{
	burst(NEAR);
	CHECK(messages == 2);
	CHECK(received(NEAR) == BURST);
	burst(NEAR + 1);
	CHECK(received(NEAR + 1) == BURST);
}

static void
test_what_waits(void)
{
	refusal = EAGAIN;
	burst(NEAR);
	refusal = 0;
	CHECK(received(NEAR) == BURST);
	CHECK(STAILQ_EMPTY(&w.udp.sockets[0]->waiting));
}

static void
test_what_is_not_cut_up(void)
{
	refusal = EIO;
	burst(NEAR);
	refusal = 0;
	CHECK(received(NEAR) == BURST);
}

static uint64_t
lost(enum counter counter)
{
	static uint64_t seen[COUNTER_MAX];
	uint64_t before;

	before = seen[counter];
	seen[counter] = counters_read(counters, counter);
	return (seen[counter] - before);
}

/* In order, whether the kernel has refused one or the next. */
static void
test_what_is_not_cut_up_and_waits(void)
{
	(void)lost(COUNTER_DROP_UDP_SEND);
	refusal = EIO;
	refusal_one = EAGAIN;
	burst(NEAR);
	CHECK(received(NEAR) == 0);
	refusal = refusal_one = 0;
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(received(NEAR) == BURST);
	refusal = EIO;
	refusal_one = EPERM;
	burst(NEAR);
	refusal = refusal_one = 0;
	CHECK(received(NEAR) == 0);
	CHECK(lost(COUNTER_DROP_UDP_SEND) == BURST);
}

/* The socket was full for one of them only: the next ones stay behind it. */
static void
test_what_is_not_cut_up_stays_in_order(void)
{
	refusal = EIO;
	refusal_one = EAGAIN;
	refusals = 1;
	burst(NEAR);
	refusal = refusal_one = 0;
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(received(NEAR) == BURST);
}

/* No more than a queue has room for, and what then comes is lost. */
static void
test_what_waits_for_long(void)
{
	uint64_t full;
	int bursts;

	(void)lost(COUNTER_DROP_UDP_FULL);
	(void)lost(COUNTER_DROP_UDP_SEND);
	refusal = refusal_one = EAGAIN;
	full = 0;
	for (bursts = 0; full == 0 && bursts < 1000; bursts++) {
		burst(NEAR);
		full = lost(COUNTER_DROP_UDP_FULL);
	}
	CHECK(bursts == UDP_QUEUE_MAX / 100 / BURST + 1);
	CHECK(full == BURST - UDP_QUEUE_MAX / 100 % BURST);
	/* What waited goes to nobody now. */
	refusal_one = EPERM;
	ev_run(w.loop, EVRUN_NOWAIT);
	refusal = refusal_one = 0;
	CHECK(lost(COUNTER_DROP_UDP_SEND) == UDP_QUEUE_MAX / 100);
	burst(NEAR);
	CHECK(received(NEAR) == BURST);
}

/* With a socket for IPv4 alone. */
static void
test_nobody_can_carry_it(void)
{
	static uint8_t packet[100];
	struct path path;

	(void)lost(COUNTER_DROP_UDP_SEND);
	memset(&path, 0, sizeof(path));
	path.far = client_end;
	path.far.addr[0] = 0x20;
	udp_send(&w, &path, packet, sizeof(packet));
	udp_flush(&w);
	CHECK(lost(COUNTER_DROP_UDP_SEND) == 1);
}

/* It is gone, or never was ours: counted, and the next ones leave. */
static void
test_address_that_is_not_ours(void)
{
	uint64_t failed;

	failed = counters_read(counters, COUNTER_DROP_UDP_SEND);
	burst(0xc0000201U);
	CHECK(received(NEAR) == 0);
	CHECK(counters_read(counters, COUNTER_DROP_UDP_SEND) == failed + BURST);
	burst(NEAR);
	CHECK(received(NEAR) == BURST);
}

int
main(void)
{
	if (set_up() == -1)
		return (1);
	RUN(test_in_few_messages);
	RUN(test_what_waits);
	RUN(test_what_is_not_cut_up);
	RUN(test_what_is_not_cut_up_and_waits);
	RUN(test_what_is_not_cut_up_stays_in_order);
	RUN(test_what_waits_for_long);
	RUN(test_nobody_can_carry_it);
	RUN(test_address_that_is_not_ours);
	return (test_failed());
}
