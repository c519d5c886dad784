/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/udp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
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
	static const uint8_t v4mapped[12] = { [10] = 0xff, 0xff };

	if (memcmp(addr, v4mapped, sizeof(v4mapped)) == 0)
		return (sock->family == AF_INET || !sock->v6only);
	return (sock->family == AF_INET6);
}

static struct udp_socket *
udp_carrier(struct worker *w, uint32_t number, const uint8_t addr[16])
{
	struct udp_socket *sock;
	uint32_t i;

	for (i = 0; i < w->nudp; i++) {
		sock = w->udp[i];
		if (sock->kind == UDP_LISTENER && udp_reaches(sock, addr) &&
		    (number == UDP_LISTENER_ANY || sock->number == number))
			return (sock);
	}
	return (NULL);
}

static void
udp_address(const struct udp_socket *sock, const struct endpoint *to,
    struct sockaddr_in6 *sin6, socklen_t *len)
{
	struct sockaddr_in sin;

	memset(sin6, 0, sizeof(*sin6));
	if (sock->family == AF_INET) {
		memset(&sin, 0, sizeof(sin));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(to->port);
		memcpy(&sin.sin_addr, to->addr + 12, 4);
		memcpy(sin6, &sin, sizeof(sin));
		*len = sizeof(sin);
		return;
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(to->port);
	memcpy(&sin6->sin6_addr, to->addr, 16);
	*len = sizeof(*sin6);
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
udp_join(struct udp_socket *sock, const struct sockaddr_in6 *to, uint32_t hash,
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
	    memcmp(&out->to, to, sizeof(*to)) != 0)
		return (0);
	out->iov[hdr->msg_iovlen].iov_base = packet;
	out->iov[hdr->msg_iovlen++].iov_len = len;
	return (1);
}

static void udp_flush_socket(struct udp_socket *);

/*
 * Gathers one datagram on this socket; it stays in place until
 * gather_flush().
 */
void
udp_send_from(struct udp_socket *sock, const struct endpoint *to,
    uint8_t *packet, size_t len)
{
	struct sockaddr_in6 sin6;
	struct msghdr *hdr;
	struct udp_out *out;
	socklen_t sinlen;
	uint32_t hash;

	sock->worker->gather.held = 1;
	udp_address(sock, to, &sin6, &sinlen);
	hash = udp_hash(to);
	if (udp_join(sock, &sin6, hash, packet, len))
		return;
	if (sock->nout == UDP_OUT)
		udp_flush_socket(sock);
	out = &sock->out[sock->nout];
	hdr = &sock->headers[sock->nout].msg_hdr;
	sock->last[hash % UDP_OUT] = (uint8_t)++sock->nout;
	out->to = sin6;
	out->iov[0].iov_base = packet;
	out->iov[0].iov_len = len;
	memset(hdr, 0, sizeof(*hdr));
	hdr->msg_name = &out->to;
	hdr->msg_namelen = sinlen;
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
	udp_send_from(sock, &path->far, packet, len);
}

/* Tells the kernel where to cut. */
static void
udp_segment(struct udp_socket *sock, uint32_t i)
{
	struct msghdr *hdr;
	struct cmsghdr *cmsg;
	uint16_t size;

	hdr = &sock->headers[i].msg_hdr;
	if (hdr->msg_iovlen == 1)
		return;
	size = (uint16_t)hdr->msg_iov[0].iov_len;
	hdr->msg_control = sock->out[i].control.buf;
	hdr->msg_controllen = sizeof(sock->out[i].control.buf);
	cmsg = CMSG_FIRSTHDR(hdr);
	cmsg->cmsg_level = SOL_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(cmsg), &size, sizeof(size));
}

/* Keeps one datagram until the socket takes it. */
static void
udp_wait(
    struct udp_socket *sock, const struct endpoint *to, const struct iovec *iov)
{
	struct udp_waiting *waiting;

	if (sock->waiting_bytes + iov->iov_len > UDP_QUEUE_MAX ||
	    (waiting = malloc(sizeof(*waiting) + iov->iov_len)) == NULL) {
		counters_add(COUNTER_DROP_UDP_FULL, 1);
		return;
	}
	waiting->to = *to;
	waiting->len = iov->iov_len;
	memcpy(waiting->data, iov->iov_base, iov->iov_len);
	STAILQ_INSERT_TAIL(&sock->waiting, waiting, entry);
	sock->waiting_bytes += iov->iov_len;
	ev_io_start(sock->worker->loop, &sock->writer);
}

static void
udp_wait_message(struct udp_socket *sock, const struct msghdr *hdr)
{
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;
	struct endpoint to;
	size_t i;

	sin6 = hdr->msg_name;
	memset(&to, 0, sizeof(to));
	to.port = ntohs(sin6->sin6_port);
	if (sock->family == AF_INET) {
		sin = hdr->msg_name;
		to.addr[10] = to.addr[11] = 0xff;
		memcpy(to.addr + 12, &sin->sin_addr, 4);
	} else
		memcpy(to.addr, &sin6->sin6_addr, 16);
	for (i = 0; i < hdr->msg_iovlen; i++)
		udp_wait(sock, &to, &hdr->msg_iov[i]);
}

/* The kernel would not cut this message up: its datagrams go one by one. */
static void
udp_send_apart(struct udp_socket *sock, const struct msghdr *all)
{
	struct msghdr one;
	size_t i;

	one = *all;
	one.msg_control = NULL;
	one.msg_controllen = 0;
	one.msg_iovlen = 1;
	for (i = 0; i < all->msg_iovlen; i++) {
		one.msg_iov = &all->msg_iov[i];
		if (sendmsg(sock->reader.fd, &one, 0) != -1)
			continue;
		if (errno == EAGAIN)
			udp_wait_message(sock, &one);
		else
			counters_add(COUNTER_DROP_UDP_SEND, 1);
	}
}

/* The first message failed: returns 1 if it was dealt with, 0 to wait. */
static int
udp_failed(struct udp_socket *sock, const struct msghdr *hdr, int error)
{
	if (error == EINTR)
		return (0);
	if (hdr->msg_iovlen > 1)
		udp_send_apart(sock, hdr);
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
	uint32_t i, n;
	int r;

	n = sock->nout;
	for (i = 0; i < n; i++)
		udp_segment(sock, i);
	i = 0;
	while (i < n && STAILQ_EMPTY(&sock->waiting)) {
		r = sendmmsg(sock->reader.fd, sock->headers + i, n - i, 0);
		if (r > 0)
			i += (uint32_t)r;
		else if (errno == EAGAIN)
			break;
		else if (udp_failed(sock, &sock->headers[i].msg_hdr, errno))
			i++;
	}
	for (; i < n; i++)
		udp_wait_message(sock, &sock->headers[i].msg_hdr);
	sock->nout = 0;
	memset(sock->last, 0, sizeof(sock->last));
}

void
udp_flush(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < w->nudp; i++)
		if (w->udp[i]->nout > 0)
			udp_flush_socket(w->udp[i]);
}

/* The socket takes datagrams again. */
void
udp_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct udp_waiting *waiting;
	struct udp_socket *sock;
	struct sockaddr_in6 sin6;
	socklen_t len;
	ssize_t n;

	(void)revents;
	sock = io->data;
	while ((waiting = STAILQ_FIRST(&sock->waiting)) != NULL) {
		udp_address(sock, &waiting->to, &sin6, &len);
		n = sendto(io->fd, waiting->data, waiting->len, 0,
		    (struct sockaddr *)&sin6, len);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1)
			counters_add(COUNTER_DROP_UDP_SEND, 1);
		STAILQ_REMOVE_HEAD(&sock->waiting, entry);
		sock->waiting_bytes -= waiting->len;
		free(waiting);
	}
	ev_io_stop(loop, io);
}
