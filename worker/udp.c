/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/udp.h"
#include "worker/worker.h"

/* UDP sockets: each worker has its own for each address (SO_REUSEPORT). */

/* Where the datagrams of one recvmmsg(2) land; shared by all sockets. */
struct udp_in {
	struct mmsghdr headers[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_in6 from[UDP_BATCH];
	union udp_control control[UDP_BATCH];
	uint8_t *rooms; /* UDP_BATCH of UDP_ROOM bytes */
};
static struct udp_in udp_in;

static void udp_read(struct ev_loop *, ev_io *, int);

static void
udp_in_init(void)
{
	struct msghdr *hdr;
	size_t i;

	if (udp_in.rooms != NULL)
		return;
	/* Touched only as far as datagrams reach. */
	udp_in.rooms = malloc((size_t)UDP_BATCH * UDP_ROOM);
	if (udp_in.rooms == NULL)
		fatal(NULL);
	for (i = 0; i < UDP_BATCH; i++) {
		udp_in.iov[i].iov_base =
		    udp_in.rooms + i * UDP_ROOM + RX_HEADROOM;
		udp_in.iov[i].iov_len = UDP_DATAGRAM_MAX;
		hdr = &udp_in.headers[i].msg_hdr;
		hdr->msg_name = &udp_in.from[i];
		hdr->msg_iov = &udp_in.iov[i];
		hdr->msg_iovlen = 1;
		hdr->msg_control = &udp_in.control[i];
	}
}

/* Is that all addresses of this machine? */
static int
udp_is_any(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6;
	const struct sockaddr_in *sin;

	sin6 = (const void *)ss;
	sin = (const void *)ss;
	if (ss->ss_family == AF_INET)
		return (sin->sin_addr.s_addr == htonl(INADDR_ANY));
	return (IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr));
}

/*
 * PW_UDP: one more socket, served from PW_START on.  Returns NULL, or what is
 * wrong with it.
 */
const char *
udp_open(struct worker *w, const struct msg_udp *msg, int fd)
{
	struct sockaddr_storage ss;
	struct udp_socket *sock;
	socklen_t len;

	if (w->nudp == UDP_SOCKETS_MAX)
		return ("too many sockets");
	udp_in_init();
	sock = calloc(1, sizeof(*sock));
	if (sock == NULL)
		fatal(NULL);
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		fatal("getsockname");
	sock->family = ss.ss_family;
	sock->any = udp_is_any(&ss);
	len = sizeof(sock->v6only);
	sock->v6only = 0;
	if (sock->family == AF_INET6 &&
	    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &sock->v6only, &len) ==
		-1)
		fatal("getsockopt");
	sock->worker = w;
	sock->number = msg->number;
	sock->path.listener = msg->number;
	sock->kind = msg->kind;
	STAILQ_INIT(&sock->waiting);
	ev_io_init(&sock->reader, udp_read, fd, EV_READ);
	ev_io_init(&sock->writer, udp_write, fd, EV_WRITE);
	sock->reader.data = sock;
	sock->writer.data = sock;
	w->udp[w->nudp++] = sock;
	/* A further port for gossip may come at any time. */
	if (w->parent.state == WORKER_RUNNING)
		ev_io_start(w->loop, &sock->reader);
	return (NULL);
}

void
udp_start(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < w->nudp; i++)
		ev_io_start(w->loop, &w->udp[i]->reader);
}

/* Our further port of that number for gossip to addr, or NULL. */
struct udp_socket *
udp_share(struct worker *w, uint32_t number, const uint8_t addr[16])
{
	uint32_t i;

	for (i = 0; i < w->nudp; i++)
		if (w->udp[i]->kind == UDP_SHARE &&
		    w->udp[i]->number == number && udp_reaches(w->udp[i], addr))
			return (w->udp[i]);
	return (NULL);
}

/* IPv4 and v4-mapped are one source. */
static void
udp_source(const struct sockaddr_in6 *from, struct endpoint *source)
{
	struct sockaddr_in sin;

	memset(source, 0, sizeof(*source));
	source->port = ntohs(from->sin6_port);
	if (from->sin6_family == AF_INET) {
		memcpy(&sin, from, sizeof(sin));
		source->addr[10] = source->addr[11] = 0xff;
		memcpy(source->addr + 12, &sin.sin_addr, 4);
	} else
		memcpy(source->addr, &from->sin6_addr, 16);
}

static void
udp_datagram(struct udp_socket *sock, uint32_t i)
{
	struct mmsghdr *in;

	in = &udp_in.headers[i];
	counters_add(COUNTER_UDP_BYTES, in->msg_len);
	udp_source(&udp_in.from[i], &sock->path.far);
	if (sock->any)
		udp_control_in(&in->msg_hdr, sock->path.near);
	datagram(
	    sock->worker, &sock->path, udp_in.iov[i].iov_base, in->msg_len);
}

static void
udp_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct udp_socket *sock;
	uint32_t i;
	int n;

	(void)loop;
	(void)revents;
	sock = io->data;
	for (i = 0; i < UDP_BATCH; i++)
		udp_in.headers[i].msg_hdr.msg_namelen = sizeof(udp_in.from[i]);
	for (i = 0; sock->any && i < UDP_BATCH; i++)
		udp_in.headers[i].msg_hdr.msg_controllen =
		    sizeof(udp_in.control[i]);
	n = recvmmsg(io->fd, udp_in.headers, UDP_BATCH, 0, NULL);
	if (n <= 0)
		return;
	counters_add(COUNTER_UDP_PACKETS, (uint64_t)n);
	for (i = 0; i < (uint32_t)n; i++)
		udp_datagram(sock, i);
	gather_flush(sock->worker);
}
