/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/udp.h"

/* Datagrams that come in, many in one call. */

/* Where the datagrams of one recvmmsg(2) land; shared by all sockets. */
struct udp_in {
	struct mmsghdr headers[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_in6 from[UDP_BATCH];
	union udp_control control[UDP_BATCH];
	uint8_t *rooms; /* UDP_BATCH of UDP_ROOM bytes */
};

/* The first n places are as the kernel is to find them. */
static void
udp_in_reset(struct udp_in *in, uint32_t n)
{
	struct msghdr *hdr;
	uint32_t i;

	for (i = 0; i < n; i++) {
		hdr = &in->headers[i].msg_hdr;
		hdr->msg_namelen = sizeof(in->from[i]);
		hdr->msg_controllen = sizeof(in->control[i]);
	}
}

static struct udp_in *
udp_in_new(void)
{
	struct udp_in *in;
	struct msghdr *hdr;
	size_t i;

	in = calloc(1, sizeof(*in));
	/* Touched only as far as datagrams reach. */
	if (in == NULL ||
	    (in->rooms = malloc((size_t)UDP_BATCH * UDP_ROOM)) == NULL)
		fatal(NULL);
	for (i = 0; i < UDP_BATCH; i++) {
		in->iov[i].iov_base = in->rooms + i * UDP_ROOM + RX_HEADROOM;
		in->iov[i].iov_len = UDP_DATAGRAM_MAX;
		hdr = &in->headers[i].msg_hdr;
		hdr->msg_name = &in->from[i];
		hdr->msg_iov = &in->iov[i];
		hdr->msg_iovlen = 1;
		hdr->msg_control = &in->control[i];
	}
	udp_in_reset(in, UDP_BATCH);
	return (in);
}

static void
udp_datagram(struct udp_socket *sock, struct udp_in *in, uint32_t i)
{
	size_t len;

	len = in->headers[i].msg_len;
	counters_add(COUNTER_UDP_BYTES, len);
	/* IPv4 and v4-mapped are one source. */
	sock->path.far.port = address_of(&in->from[i], sock->path.far.addr);
	if (sock->any)
		udp_control_in(&in->headers[i].msg_hdr, sock->path.near);
	datagram(sock->worker, &sock->path, in->iov[i].iov_base, len);
}

static void
udp_recv(struct ev_loop *loop, ev_io *io, int revents)
{
	struct udp_socket *sock;
	struct udp_in *in;
	uint32_t i;
	int n;

	if (loop_deaf(loop, io, revents))
		return;
	sock = io->data;
	in = sock->worker->udp.in;
	n = recvmmsg(io->fd, in->headers, UDP_BATCH, 0, NULL);
	if (n <= 0)
		return;
	counters_add(COUNTER_UDP_PACKETS, (uint64_t)n);
	for (i = 0; i < (uint32_t)n; i++)
		udp_datagram(sock, in, i);
	udp_in_reset(in, (uint32_t)n);
	burst_end(sock->worker);
}

/* PW_UDP, see udp_open(). */
const char *
udp_recv_open(struct worker *w, const struct msg_udp *msg, int fd)
{
	if (w->udp.in == NULL)
		w->udp.in = udp_in_new();
	return (udp_open(w, msg, fd, udp_recv));
}
