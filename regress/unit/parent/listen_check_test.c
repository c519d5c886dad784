/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>

#include "regress/unit/parent/manager.h"
#include "regress/unit/test.h"

/* Two workers share a TCP listener, four UDP sockets and one further port. */
#define SOCKETS 4

static struct parent parent;
static struct process workers[2];
static struct listener tcp, udp;
static int no_sockets; /* boolean: none can be had */

static int
bind_udp(int reuse, const struct listener *listener)
{
	if (no_sockets) {
		errno = EMFILE;
		return (-1);
	}
	return (
	    listen_bind(SOCK_DGRAM, reuse, &listener->ss, listener->sslen, -1));
}

int
listen_udp_socket(const struct listener *listener)
{
	return (bind_udp(SO_REUSEPORT, listener));
}

int
listen_udp_share(const struct listener *listener)
{
	struct listener further;

	further = *listener;
	((struct sockaddr_in *)(void *)&further.ss)->sin_port = 0;
	return (bind_udp(SO_REUSEADDR, &further));
}

static void
add(struct listener *listener, enum listener_kind kind)
{
	listener->kind = kind;
	loopback(&listener->ss, &listener->sslen);
	TAILQ_INSERT_TAIL(&parent.listeners, listener, entry);
}

static void
begin(void)
{
	int i;

	TAILQ_INIT(&parent.listeners);
	parent.nworkers = 2;
	for (i = 0; i < 2; i++) {
		parent.workers[i].parent = workers[i].parent = &parent;
		parent.workers[i].number = (uint32_t)i;
		(void)strlcpy(parent.workers[i].name, "worker",
		    sizeof(parent.workers[i].name));
		workers[i].place = &parent.workers[i];
	}
	add(&tcp, LISTENER_WEBSOCKET);
	tcp.nfds = 1;
	tcp.fds[0] = listen_bind(SOCK_STREAM, 0, &tcp.ss, tcp.sslen, -1);
	add(&udp, LISTENER_UDP);
	for (i = 0; i < SOCKETS; i++) {
		udp.fds[udp.nfds++] = listen_udp_socket(&udp);
		if (udp.fds[i] == -1 || listen_bound(&udp, udp.fds[i]) == -1)
			abort();
	}
	udp.shares[1] = listen_udp_share(&udp);
	udp.nshares = 2;
	if (listen_again(tcp.fds[0]) == -1 || udp.shares[1] == -1)
		abort();
}

static void
end(void)
{
	int i;

	(void)close(tcp.fds[0]);
	for (i = 0; i < SOCKETS; i++)
		(void)close(udp.fds[i]);
	(void)close(udp.shares[1]);
}

static int
works(int fd)
{
	return (listen_udp_works(fd, &udp.ss, udp.sslen));
}

static uint64_t
mended(void)
{
	return (counters_read(counters, COUNTER_SOCKETS_MENDED));
}

/* Boolean: all that there are do what they are for. */
static int
all_work(void)
{
	int i;

	for (i = 0; i < SOCKETS; i++)
		if (!works(udp.fds[i]))
			return (0);
	return (works(udp.shares[1]) && listen_accepts(tcp.fds[0]));
}

static void
test_nothing_is_broken(void)
{
	struct listener before;
	uint64_t count;

	before = udp;
	count = mended();
	CHECK(listen_check(&workers[0]) == 0 && listen_check(&workers[1]) == 0);
	CHECK(memcmp(before.fds, udp.fds, sizeof(udp.fds)) == 0);
	CHECK(all_work() && mended() == count);
}

static void
test_a_listener_is_mended_whoever_is_dead(void)
{
	uint64_t count;
	int fd;

	fd = tcp.fds[0];
	count = mended();
	CHECK(shutdown(fd, SHUT_RD) == 0 && !listen_accepts(fd));
	CHECK(listen_check(&workers[1]) == 0);
	CHECK(tcp.fds[0] == fd && all_work() && mended() == count + 1);
}

/* What another worker has is looked at when that one is dead. */
static void
test_of_udp_sockets_its_own(void)
{
	struct listener now;
	uint64_t count;

	count = mended();
	(void)shutdown(udp.fds[3], SHUT_RDWR);
	(void)shutdown(udp.fds[2], SHUT_WR);
	(void)shutdown(udp.shares[1], SHUT_WR);
	CHECK(listen_check(&workers[1]) == 0);
	CHECK(works(udp.fds[3]) && mended() == count + 1);
	CHECK(!works(udp.fds[2]) && !works(udp.shares[1]));
	CHECK(listen_check(&workers[0]) == 0);
	CHECK(all_work() && mended() == count + 3);
	/* At the port that all of them have. */
	CHECK(listen_bound(&now, udp.fds[3]) == 0);
	CHECK(memcmp(&now.ss, &udp.ss, udp.sslen) == 0);
}

static void
test_a_gap_is_filled_later(void)
{
	uint64_t count;

	count = mended();
	(void)shutdown(udp.fds[1], SHUT_RDWR);
	no_sockets = 1;
	CHECK(listen_check(&workers[1]) == -1);
	CHECK(udp.fds[1] == -1 && works(udp.fds[3]) && mended() == count);
	CHECK(listen_check(&workers[0]) == 0);
	no_sockets = 0;
	CHECK(listen_check(&workers[1]) == 0);
	CHECK(all_work() && mended() == count + 1);
}

/* Or what root has bound would share no port with what we bind. */
static void
test_they_are_given_to_an_owner(void)
{
	CHECK(listen_chown(&parent, geteuid()) == 0);
	(void)close(udp.fds[0]);
	CHECK(listen_chown(&parent, geteuid()) == -1 && errno == EBADF);
	udp.fds[0] = listen_udp_socket(&udp);
	CHECK(listen_chown(&parent, geteuid()) == 0 && all_work());
}

int
main(void)
{
	begin();
	RUN(test_nothing_is_broken);
	RUN(test_a_listener_is_mended_whoever_is_dead);
	RUN(test_of_udp_sockets_its_own);
	RUN(test_a_gap_is_filled_later);
	RUN(test_they_are_given_to_an_owner);
	end();
	return (test_failed());
}
