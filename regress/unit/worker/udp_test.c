/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "regress/unit/worker/parts.h"
#include "worker/udp.h"

/* The table of UDP sockets. */

int
udp_reaches(const struct udp_socket *sock, const uint8_t addr[16])
{
	return (sock->family == AF_INET);
}

void
udp_write(struct ev_loop *loop, ev_io *io, int revents)
{
}

static int flushed;

void
udp_flush(struct worker *of)
{
	flushed++;
}

static int reads;

static void
reader(struct ev_loop *loop, ev_io *io, int revents)
{
	struct udp_socket *sock;
	char byte;

	sock = io->data;
	if (sock->worker == &w && recv(io->fd, &byte, 1, 0) == 1)
		reads++;
}

/* A socket bound to that address of IPv4, to be opened as such. */
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
		abort();
	return (fd);
}

/* The table is empty. */
static void
forget(void)
{
	struct udp_socket *sock;

	while (w.udp.nsockets > 0) {
		sock = w.udp.sockets[--w.udp.nsockets];
		ev_io_stop(w.loop, &sock->reader);
		(void)close(sock->reader.fd);
		free(sock);
	}
}

static struct udp_socket *
opened(enum udp_kind kind, uint32_t number, in_addr_t host)
{
	struct sockaddr_in sin;
	struct msg_udp msg;

	memset(&msg, 0, sizeof(msg));
	msg.kind = kind;
	msg.listener = kind == UDP_LISTENER ? number : 0;
	msg.share = kind == UDP_LISTENER ? 0 : number;
	if (udp_open(&w, &msg, bound(host, &sin), reader) != NULL)
		return (NULL);
	return (w.udp.sockets[w.udp.nsockets - 1]);
}

static void
test_what_it_is_bound_to_is_known(void)
{
	struct udp_socket *sock;

	forget();
	sock = opened(UDP_LISTENER, 3, INADDR_LOOPBACK);
	CHECK(sock != NULL && !sock->any && sock->family == AF_INET);
	CHECK(sock->path.listener == 3 && sock->nout == 0);
	sock = opened(UDP_LISTENER, 4, INADDR_ANY);
	CHECK(sock != NULL && sock->any);
}

/* With its further ports, and what waits to be sent by it. */
static void
test_one_that_goes_takes_its_own_along(void)
{
	struct udp_waiting *waiting;
	struct udp_socket *stays;
	uint64_t lost;

	w.udp.nsockets = 0;
	CHECK(opened(UDP_LISTENER, 0, INADDR_LOOPBACK) != NULL);
	stays = opened(UDP_LISTENER, 1, INADDR_LOOPBACK);
	CHECK(opened(UDP_SHARE, 1, INADDR_LOOPBACK) != NULL);
	waiting = calloc(1, sizeof(*waiting));
	CHECK(waiting != NULL);
	STAILQ_INSERT_TAIL(&w.udp.sockets[0]->waiting, waiting, entry);
	lost = COUNTED(DROP_UDP_SEND);
	udp_close(&w, 0);
	CHECK(w.udp.nsockets == 1 && w.udp.sockets[0] == stays);
	CHECK(COUNTED(DROP_UDP_SEND) == lost + 1 && flushed == 1);
	udp_close(&w, 0);
	CHECK(w.udp.nsockets == 1);
}

/* Before PW_START nothing is read; a further port may come later. */
static void
test_read_from_the_start_on(void)
{
	forget();
	w.parent.state = WORKER_SETUP;
	CHECK(opened(UDP_LISTENER, 0, INADDR_LOOPBACK) != NULL);
	CHECK(!ev_is_active(&w.udp.sockets[0]->reader));
	udp_start(&w);
	CHECK(ev_is_active(&w.udp.sockets[0]->reader));
	w.parent.state = WORKER_RUNNING;
	CHECK(opened(UDP_SHARE, 1, INADDR_LOOPBACK) != NULL);
	CHECK(ev_is_active(&w.udp.sockets[1]->reader));
	CHECK(!ev_is_active(&w.udp.sockets[1]->writer));
}

static void
test_what_comes_is_the_readers(void)
{
	struct sockaddr_in sin, mine;
	struct msg_udp msg;
	int fd;

	memset(&msg, 0, sizeof(msg));
	forget();
	CHECK(udp_open(&w, &msg, bound(INADDR_LOOPBACK, &sin), reader) == NULL);
	fd = bound(INADDR_LOOPBACK, &mine);
	CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin, sizeof(sin)) == 1);
	ev_run(w.loop, EVRUN_ONCE);
	CHECK(reads == 1);
	(void)close(fd);
}

static void
test_a_further_port_by_number_and_family(void)
{
	static const uint8_t addr[16];

	forget();
	CHECK(opened(UDP_LISTENER, 1, INADDR_LOOPBACK) != NULL);
	CHECK(udp_share(&w, 1, addr) == NULL);
	CHECK(opened(UDP_SHARE, 1, INADDR_LOOPBACK) != NULL);
	CHECK(opened(UDP_SHARE, 2, INADDR_LOOPBACK) != NULL);
	CHECK(udp_share(&w, 1, addr) == w.udp.sockets[1]);
	CHECK(udp_share(&w, 2, addr) == w.udp.sockets[2]);
	CHECK(udp_share(&w, 3, addr) == NULL);
	w.udp.sockets[2]->family = AF_INET6;
	CHECK(udp_share(&w, 2, addr) == NULL);
}

static void
test_no_more_than_there_is_room_for(void)
{
	forget();
	w.udp.nsockets = UDP_SOCKETS_MAX;
	CHECK(opened(UDP_SHARE, 1, INADDR_LOOPBACK) == NULL);
	CHECK(w.udp.nsockets == UDP_SOCKETS_MAX);
	w.udp.nsockets = 0;
}

int
main(void)
{
	parts_loop();
	RUN(test_one_that_goes_takes_its_own_along);
	RUN(test_what_it_is_bound_to_is_known);
	RUN(test_read_from_the_start_on);
	RUN(test_what_comes_is_the_readers);
	RUN(test_a_further_port_by_number_and_family);
	RUN(test_no_more_than_there_is_room_for);
	forget();
	return (test_failed());
}
