/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "worker/udp.h"
#include "worker/worker.h"

/* UDP sockets: each worker has its own for each address (SO_REUSEPORT). */

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
 * PW_UDP: one more socket, served from PW_START on; `reader` has its struct
 * udp_socket as data.  Returns NULL, or what is wrong with it.
 */
const char *
udp_open(struct worker *w, const struct msg_udp *msg, int fd, io_cb reader)
{
	struct sockaddr_storage ss;
	struct udp_socket *sock;
	socklen_t len;

	if (w->udp.nsockets == UDP_SOCKETS_MAX)
		return ("too many sockets");
	sock = calloc(1, sizeof(*sock));
	if (sock == NULL)
		fatal(NULL);
	memset(&ss, 0, sizeof(ss));
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
	sock->share = msg->share;
	sock->path.listener = msg->listener;
	sock->kind = msg->kind;
	STAILQ_INIT(&sock->waiting);
	ev_io_init(&sock->reader, reader, fd, EV_READ);
	ev_io_init(&sock->writer, udp_write, fd, EV_WRITE);
	sock->reader.data = sock;
	sock->writer.data = sock;
	w->udp.sockets[w->udp.nsockets++] = sock;
	/* After a reload, or a further port for gossip. */
	if (w->parent.state == WORKER_RUNNING && !still_holds(w, STILL_ALL))
		ev_io_start(w->loop, &sock->reader);
	return (NULL);
}

/* What has waited to be sent is lost, as if the way were. */
static void
udp_free(struct udp_socket *sock)
{
	struct udp_waiting *waiting;

	while ((waiting = STAILQ_FIRST(&sock->waiting)) != NULL) {
		counters_add(COUNTER_DROP_UDP_SEND, 1);
		STAILQ_REMOVE_HEAD(&sock->waiting, entry);
		free(waiting);
	}
	loop_stop(sock->worker->loop, &sock->writer);
	loop_close(sock->worker->loop, &sock->reader);
	free(sock);
}

/*
 * PW_UNLISTEN: all sockets of that listener, the further ports too.  No burst
 * is under way while the parent speaks, but packets of our own may be.
 */
void
udp_close(struct worker *w, uint32_t listener)
{
	uint32_t i, n;

	udp_flush(w);
	n = 0;
	for (i = 0; i < w->udp.nsockets; i++)
		if (w->udp.sockets[i]->path.listener == listener)
			udp_free(w->udp.sockets[i]);
		else
			w->udp.sockets[n++] = w->udp.sockets[i];
	w->udp.nsockets = n;
}

void
udp_start(struct worker *w)
{
	uint32_t i;

	if (still_holds(w, STILL_ALL))
		return;
	for (i = 0; i < w->udp.nsockets; i++)
		ev_io_start(w->loop, &w->udp.sockets[i]->reader);
}

/* What comes waits; what is on its way out leaves. */
void
udp_stop(struct worker *w)
{
	uint32_t i;

	for (i = 0; i < w->udp.nsockets; i++)
		ev_io_stop(w->loop, &w->udp.sockets[i]->reader);
}

/* Our further port of that share for gossip to addr, or NULL. */
struct udp_socket *
udp_share(struct worker *w, uint32_t share, const uint8_t addr[16])
{
	uint32_t i;

	for (i = 0; i < w->udp.nsockets; i++)
		if (w->udp.sockets[i]->kind == UDP_SHARE &&
		    w->udp.sockets[i]->share == share &&
		    udp_reaches(w->udp.sockets[i], addr))
			return (w->udp.sockets[i]);
	return (NULL);
}

/* Bytes of datagrams that wait for their sockets. */
uint64_t
udp_waiting(const struct worker *w)
{
	uint64_t bytes;
	uint32_t i;

	bytes = 0;
	for (i = 0; i < w->udp.nsockets; i++)
		bytes += w->udp.sockets[i]->waiting_bytes;
	return (bytes);
}

uint32_t
udp_descriptors(const struct worker *w)
{
	return (w->udp.nsockets);
}
