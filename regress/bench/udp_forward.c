/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The floor for UDP: recvmmsg, find the destination in a table, sendmmsg, with
 * as little as possible around it.  Learns addresses from Discover (01) and
 * answers 02; turns Relay (05) into RelayDeliver (06).  doc/protocol.md 4.
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regress/bench/bare.h"

#define BATCH    64
#define DATAGRAM 65536
#define NODES    (1U << 20)
#define SOCKBUF  (4 << 20)

#define DISCOVER_LEN 5
#define RELAY_HEAD   9
#define DELIVER_HEAD 5

struct datagram {
	struct sockaddr_in from;
	struct iovec iov;
	uint8_t data[DATAGRAM];
};

static struct sockaddr_in nodes[NODES]; /* family 0: not known */
static struct datagram in[BATCH];
static struct iovec out_iov[BATCH];
static struct mmsghdr in_msgs[BATCH];
static struct mmsghdr out_msgs[BATCH];

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (ntohl(v));
}

static void
discover(int fd, const struct datagram *d)
{
	uint8_t reply[8];
	uint32_t node;

	node = get32(d->data + 1);
	if (node < NODES)
		nodes[node] = d->from;
	reply[0] = 2;
	reply[1] = 4;
	memcpy(reply + 2, &d->from.sin_addr, 4);
	memcpy(reply + 6, &d->from.sin_port, 2);
	(void)sendto(fd, reply, sizeof(reply), 0,
	    (const struct sockaddr *)&d->from, sizeof(d->from));
}

/* The nine bytes of 05 hold the five of 06.  Returns 1 if there is one. */
static int
relay(struct datagram *d, size_t len, struct mmsghdr *msg, struct iovec *iov)
{
	uint32_t dest;
	uint8_t *p;

	dest = get32(d->data + 5);
	if (dest >= NODES || nodes[dest].sin_family == 0)
		return (0);
	p = d->data + RELAY_HEAD - DELIVER_HEAD;
	memmove(p + 1, d->data + 1, 4);
	p[0] = 6;
	iov->iov_base = p;
	iov->iov_len = len - (RELAY_HEAD - DELIVER_HEAD);
	msg->msg_hdr.msg_name = &nodes[dest];
	msg->msg_hdr.msg_namelen = sizeof(nodes[dest]);
	msg->msg_hdr.msg_iov = iov;
	msg->msg_hdr.msg_iovlen = 1;
	return (1);
}

static void
send_all(int fd, unsigned int n)
{
	unsigned int off = 0;
	int sent;

	while (off < n) {
		sent = sendmmsg(fd, out_msgs + off, n - off, 0);
		if (sent == -1 && errno != EINTR)
			off++;
		else if (sent > 0)
			off += (unsigned int)sent;
	}
}

static int
forward(int fd)
{
	unsigned int len, out = 0;
	int i, n;

	n = recvmmsg(fd, in_msgs, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++) {
		len = in_msgs[i].msg_len;
		if (len >= RELAY_HEAD && in[i].data[0] == 5)
			out += (unsigned int)relay(
			    &in[i], len, &out_msgs[out], &out_iov[out]);
		else if (len >= DISCOVER_LEN && in[i].data[0] == 1)
			discover(fd, &in[i]);
		in_msgs[i].msg_hdr.msg_namelen = sizeof(in[i].from);
	}
	send_all(fd, out);
	return (n);
}

static int
socket_open(void)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd, size = SOCKBUF;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(1, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == -1)
		err(1, "setsockopt");
	if (bind(fd, (struct sockaddr *)&sin, len) == -1)
		err(1, "bind");
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	fprintf(stderr, "udp_forward: listening on 127.0.0.1:%d (udp)\n",
	    ntohs(sin.sin_port));
	return (fd);
}

int
main(void)
{
	struct epoll_event ev;
	int epfd, fd, i;

	for (i = 0; i < BATCH; i++) {
		in[i].iov.iov_base = in[i].data;
		in[i].iov.iov_len = DATAGRAM;
		in_msgs[i].msg_hdr.msg_name = &in[i].from;
		in_msgs[i].msg_hdr.msg_namelen = sizeof(in[i].from);
		in_msgs[i].msg_hdr.msg_iov = &in[i].iov;
		in_msgs[i].msg_hdr.msg_iovlen = 1;
	}
	fd = socket_open();
	epfd = bare_epoll(fd);
	fprintf(stderr, "udp_forward: ready\n");
	for (;;) {
		if (epoll_wait(epfd, &ev, 1, -1) == 1)
			(void)forward(fd);
	}
}
