/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/udp.h"
#include "worker/worker.h"

/*
 * Datagrams on their way out are gathered like frames (gather.c) and leave by
 * sendmmsg(2).  Those of one size for one endpoint share a message, which the
 * kernel cuts up again (UDP_SEGMENT): one way through its stack for all.
 */

/* An IPv4 address can be reached from a dual-stack socket, too. */
int
udp_reaches(const struct udp_socket *sock, const uint8_t addr[16])
{
	if (address_is_v4(addr))
		return (sock->family == AF_INET || !sock->v6only);
	return (sock->family == AF_INET6);
}

static struct udp_socket *
udp_carrier(struct worker *w, uint32_t number, const uint8_t addr[16])
{
	struct udp_socket *sock;
	uint32_t i;

	for (i = 0; i < w->udp.nsockets; i++) {
		sock = w->udp.sockets[i];
		if (sock->kind == UDP_LISTENER && udp_reaches(sock, addr) &&
		    (number == UDP_LISTENER_ANY ||
			sock->path.listener == number))
			return (sock);
	}
	return (NULL);
}

static void
udp_ends(const struct udp_socket *sock, const struct path *path,
    struct udp_ends *ends)
{
	struct sockaddr_in sin;

	memcpy(ends->near, path->near, sizeof(ends->near));
	memset(&ends->far, 0, sizeof(ends->far));
	if (sock->family == AF_INET) {
		memset(&sin, 0, sizeof(sin));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(path->far.port);
		memcpy(&sin.sin_addr, path->far.addr + 12, 4);
		memcpy(&ends->far, &sin, sizeof(sin));
		return;
	}
	ends->far.sin6_family = AF_INET6;
	ends->far.sin6_port = htons(path->far.port);
	memcpy(&ends->far.sin6_addr, path->far.addr, 16);
}

/* A message without data and control yet; what ends points to stays there. */
static void
udp_header(
    const struct udp_socket *sock, struct msghdr *hdr, struct udp_ends *ends)
{
	memset(hdr, 0, sizeof(*hdr));
	hdr->msg_name = &ends->far;
	hdr->msg_namelen = sock->family == AF_INET ? sizeof(struct sockaddr_in)
						   : sizeof(ends->far);
}

static uint32_t
udp_hash(const struct endpoint *to)
{
	uint32_t a, b;

	memcpy(&a, to->addr + 12, sizeof(a));
	memcpy(&b, to->addr + 8, sizeof(b));
	return ((a ^ b ^ ((uint32_t)to->port << 16) ^ to->port) * 0x9e3779b1U);
}

/* Joins the datagram to the latest message for its endpoint, if it may. */
static int
udp_join(struct udp_socket *sock, const struct udp_ends *ends, uint32_t hash,
    uint8_t *packet, size_t len)
{
	struct msghdr *hdr;
	struct udp_out *out;
	uint8_t at;

	at = sock->last[hash % UDP_OUT];
	if (at == 0 || len == 0 || len > UDP_SEGMENT_MAX)
		return (0);
	out = &sock->out[at - 1];
	hdr = &sock->headers[at - 1].msg_hdr;
	if (hdr->msg_iovlen == UDP_SEGMENTS || out->iov[0].iov_len != len ||
	    memcmp(&out->ends, ends, sizeof(*ends)) != 0)
		return (0);
	out->iov[hdr->msg_iovlen].iov_base = packet;
	out->iov[hdr->msg_iovlen++].iov_len = len;
	return (1);
}

static void udp_flush_socket(struct udp_socket *);

/*
 * Gathers one datagram on this socket; it stays in place until
 * burst_end().
 */
void
udp_send_from(struct udp_socket *sock, const struct path *path, uint8_t *packet,
    size_t len)
{
	struct udp_ends ends;
	struct msghdr *hdr;
	struct udp_out *out;
	uint32_t hash;

	gather_hold(sock->worker);
	udp_ends(sock, path, &ends);
	hash = udp_hash(&path->far);
	if (udp_join(sock, &ends, hash, packet, len))
		return;
	if (sock->nout == UDP_OUT)
		udp_flush_socket(sock);
	out = &sock->out[sock->nout];
	hdr = &sock->headers[sock->nout].msg_hdr;
	sock->last[hash % UDP_OUT] = (uint8_t)++sock->nout;
	out->ends = ends;
	out->iov[0].iov_base = packet;
	out->iov[0].iov_len = len;
	udp_header(sock, hdr, &out->ends);
	hdr->msg_iov = out->iov;
	hdr->msg_iovlen = 1;
}

/* As udp_send_from(), on the path's listener or, if that cannot, any other. */
void
udp_send(struct worker *w, const struct path *path, uint8_t *packet, size_t len)
{
	struct udp_socket *sock;

	sock = udp_carrier(w, path->listener, path->far.addr);
	if (sock == NULL)
		sock = udp_carrier(w, UDP_LISTENER_ANY, path->far.addr);
	if (sock == NULL) {
		counters_add(COUNTER_DROP_UDP_SEND, 1);
		return;
	}
	udp_send_from(sock, path, packet, len);
}

/* Keeps one datagram until the socket takes it. */
static void
udp_wait(struct udp_socket *sock, const struct udp_ends *ends,
    const struct iovec *iov)
{
	struct udp_waiting *waiting;

	if (sock->waiting_bytes + iov->iov_len > UDP_QUEUE_MAX ||
	    (waiting = malloc(sizeof(*waiting) + iov->iov_len)) == NULL) {
		counters_add(COUNTER_DROP_UDP_FULL, 1);
		return;
	}
	waiting->ends = *ends;
	waiting->len = iov->iov_len;
	memcpy(waiting->data, iov->iov_base, iov->iov_len);
	STAILQ_INSERT_TAIL(&sock->waiting, waiting, entry);
	sock->waiting_bytes += iov->iov_len;
	ev_io_start(sock->worker->loop, &sock->writer);
}

/* The kernel would not cut message i up: its datagrams go one by one. */
static void
udp_send_apart(struct udp_socket *sock, uint32_t i)
{
	union udp_control control;
	struct msghdr one;
	struct udp_out *out;
	size_t j;

	out = &sock->out[i];
	udp_header(sock, &one, &out->ends);
	one.msg_iovlen = 1;
	udp_control_out(sock, &one, &out->ends, &control);
	for (j = 0; j < sock->headers[i].msg_hdr.msg_iovlen; j++) {
		one.msg_iov = &out->iov[j];
		/* The kernel may have room again, but not for the next. */
		if (!STAILQ_EMPTY(&sock->waiting))
			udp_wait(sock, &out->ends, &out->iov[j]);
		else if (sendmsg(sock->reader.fd, &one, 0) != -1)
			counters_add(
			    COUNTER_UDP_BYTES_OUT, out->iov[j].iov_len);
		else if (errno == EAGAIN)
			udp_wait(sock, &out->ends, &out->iov[j]);
		else
			counters_add(COUNTER_DROP_UDP_SEND, 1);
	}
}

/* Message i failed: returns 1 if it was dealt with, 0 to try again. */
static int
udp_failed(struct udp_socket *sock, uint32_t i, int error)
{
	if (error == EINTR)
		return (0);
	if (sock->headers[i].msg_hdr.msg_iovlen > 1)
		udp_send_apart(sock, i);
	else
		counters_add(COUNTER_DROP_UDP_SEND, 1);
	return (1);
}

/*
 * A batch that the kernel took only in part is sent on; what it cannot take
 * now waits, in order.
 */
static void
udp_flush_socket(struct udp_socket *sock)
{
	struct udp_out *out;
	uint64_t bytes;
	uint32_t i, n;
	size_t j;
	int r;

	n = sock->nout;
	for (i = 0; i < n; i++)
		if (sock->any || sock->headers[i].msg_hdr.msg_iovlen > 1)
			udp_control_out(sock, &sock->headers[i].msg_hdr,
			    &sock->out[i].ends, &sock->out[i].control);
	i = 0;
	bytes = 0;
	while (i < n && STAILQ_EMPTY(&sock->waiting)) {
		r = sendmmsg(sock->reader.fd, sock->headers + i, n - i, 0);
		if (r > 0)
			for (; r > 0; r--)
				bytes += sock->headers[i++].msg_len;
		else if (errno == EAGAIN)
			break;
		else if (udp_failed(sock, i, errno))
			i++;
	}
	counters_add(COUNTER_UDP_BYTES_OUT, bytes);
	for (; i < n; i++) {
		out = &sock->out[i];
		for (j = 0; j < sock->headers[i].msg_hdr.msg_iovlen; j++)
			udp_wait(sock, &out->ends, &out->iov[j]);
	}
	sock->nout = 0;
	memset(sock->last, 0, sizeof(sock->last));
}

void
udp_flush(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < w->udp.nsockets; i++)
		if (w->udp.sockets[i]->nout > 0)
			udp_flush_socket(w->udp.sockets[i]);
}

/* The oldest that waits; -1 as sendmsg(2). */
static ssize_t
udp_write_one(struct udp_socket *sock, struct udp_waiting *waiting)
{
	union udp_control control;
	struct msghdr hdr;
	struct iovec iov;

	udp_header(sock, &hdr, &waiting->ends);
	iov.iov_base = waiting->data;
	iov.iov_len = waiting->len;
	hdr.msg_iov = &iov;
	hdr.msg_iovlen = 1;
	udp_control_out(sock, &hdr, &waiting->ends, &control);
	return (sendmsg(sock->reader.fd, &hdr, 0));
}

/* The socket takes datagrams again. */
void
udp_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct udp_waiting *waiting;
	struct udp_socket *sock;
	ssize_t n;

	if (loop_deaf(loop, io, revents))
		return;
	sock = io->data;
	while ((waiting = STAILQ_FIRST(&sock->waiting)) != NULL) {
		n = udp_write_one(sock, waiting);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1)
			counters_add(COUNTER_DROP_UDP_SEND, 1);
		else
			counters_add(COUNTER_UDP_BYTES_OUT, (uint64_t)n);
		STAILQ_REMOVE_HEAD(&sock->waiting, entry);
		sock->waiting_bytes -= waiting->len;
		free(waiting);
	}
	ev_io_stop(loop, io);
}
