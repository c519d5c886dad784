/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/syscall.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "common/steer.h"
#include "parent/parent.h"
#include "regress/unit/test.h"

/* What the kernel does is held against what the processes compute. */

#define WORKERS 3
#define SOURCES 64
#define WAIT    5000 /* milliseconds */
#define NOWHERE -1

static const uint8_t discover[] = { 1, 0, 0, 0, 9 };
static const uint8_t sync_packet[] = { 7, 0, 0, 0, 2, 0, 0 };

static struct parent parent;
static struct process workers[WORKERS];
static struct listener listener;
static int refuses; /* boolean: the kernel takes no program */

/* The daemon's way to the kernel. */
int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (refuses && name == SO_ATTACH_REUSEPORT_CBPF) {
		errno = ENOPROTOOPT;
		return (-1);
	}
	return ((int)syscall(SYS_setsockopt, fd, level, name, value, len));
}

static socklen_t
address(const char *host, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *sin6;
	struct sockaddr_in *sin;

	memset(ss, 0, sizeof(*ss));
	sin = (void *)ss;
	sin6 = (void *)ss;
	if (inet_pton(AF_INET, host, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		return (sizeof(*sin));
	}
	(void)inet_pton(AF_INET6, host, &sin6->sin6_addr);
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	return (sizeof(*sin6));
}

/* A socket that is bound there; *ss is where, if port is 0. */
static int
bound(const char *host, uint16_t port, struct sockaddr_storage *ss)
{
	socklen_t len;
	int fd, off, on;

	off = 0;
	on = 1;
	len = address(host, port, ss);
	fd = socket(ss->ss_family, SOCK_DGRAM, 0);
	if (ss->ss_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (void *)ss, len) == -1 ||
	    getsockname(fd, (void *)ss, &len) == -1)
		return (-1);
	return (fd);
}

static uint16_t
port_of(const struct sockaddr_storage *ss)
{
	uint8_t addr[16];
	uint16_t port;

	port = address_of(ss, addr);
	return (port);
}

/* A group of so many sockets, of which the first are the workers'. */
static int
set_up(const char *host, int sockets)
{
	uint32_t i;

	memset(&parent, 0, sizeof(parent));
	memset(&listener, 0, sizeof(listener));
	TAILQ_INIT(&parent.listeners);
	TAILQ_INSERT_TAIL(&parent.listeners, &listener, entry);
	parent.nworkers = WORKERS;
	for (i = 0; i < WORKERS; i++) {
		parent.workers[i].number = i;
		workers[i].parent = &parent;
		workers[i].place = &parent.workers[i];
	}
	listener.kind = LISTENER_UDP;
	listener.sslen = address(host, 0, &listener.ss);
	for (; listener.nfds < sockets; listener.nfds++) {
		listener.fds[listener.nfds] =
		    bound(host, port_of(&listener.ss), &listener.ss);
		if (listener.fds[listener.nfds] == -1)
			return (-1);
	}
	return (0);
}

static void
tear_down(void)
{
	int i;

	for (i = 0; i < listener.nfds; i++)
		(void)close(listener.fds[i]);
}

/* Which socket something has come to. */
static int
came_to(void)
{
	struct pollfd pfd[PROTO_WORKERS_MAX];
	uint8_t data[2048];
	int i;

	for (i = 0; i < listener.nfds; i++) {
		pfd[i].fd = listener.fds[i];
		pfd[i].events = POLLIN;
	}
	if (poll(pfd, (nfds_t)listener.nfds, WAIT) != 1)
		return (NOWHERE);
	for (i = 0; (pfd[i].revents & POLLIN) == 0; i++)
		continue;
	(void)recv(pfd[i].fd, data, sizeof(data), 0);
	return (i);
}

/*
 * One packet from a socket at `from` to the group at `host`: does it come to
 * whom we think it reaches, and to nobody else?
 */
static int
comes_right(int fd, const struct sockaddr_storage *from, const char *host,
    const uint8_t *packet, size_t len)
{
	struct sockaddr_storage to;
	uint8_t addr[16];
	uint32_t i, reached;
	socklen_t tolen;
	uint16_t port;
	int came;

	tolen = address(host, port_of(&listener.ss), &to);
	if (sendto(fd, packet, len, 0, (void *)&to, tolen) != (ssize_t)len)
		return (0);
	came = came_to();
	port = address_of(from, addr);
	if (len > 0 && packet[0] == sync_packet[0])
		port = 0;
	for (i = reached = 0; i < WORKERS; i++)
		reached += steer_reaches(&workers[i], addr, port) != 0;
	return (came != NOWHERE && came < WORKERS && reached == 1 &&
		steer_reaches(&workers[came], addr, port));
}

/* From many ports of one address, by packets of both kinds. */
static int
all_come_right(const char *from, const char *to)
{
	struct sockaddr_storage ss;
	int fd, i, right;

	right = 0;
	for (i = 0; i < SOURCES; i++) {
		fd = bound(from, 0, &ss);
		right +=
		    comes_right(fd, &ss, to, discover, sizeof(discover)) &&
		    comes_right(fd, &ss, to, sync_packet, sizeof(sync_packet));
		(void)close(fd);
	}
	return (right == SOURCES);
}

static void
ipv4(void)
{
	CHECK(set_up("127.0.0.1", WORKERS) == 0);
	steer_all(&parent);
	CHECK(parent.steered);
	CHECK(all_come_right("127.0.0.1", "127.0.0.1"));
	CHECK(all_come_right("127.0.0.77", "127.0.0.1"));
	tear_down();
}

/* Its sockets may have datagrams in them: nothing is tried, nor chosen anew. */
static void
as_another_parent_did_it(void)
{
	uint32_t key;

	CHECK(set_up("127.0.0.1", WORKERS) == 0);
	steer_all(&parent);
	key = parent.steer_key;
	parent.successor.pending = 1;
	parent.successor.steered = 1;
	parent.successor.steer_key = key;
	parent.successor.nworkers = WORKERS;
	parent.steer_key = parent.steered = 0;
	steer_all(&parent);
	CHECK(parent.steered && parent.steer_key == key && !parent.unsteered);
	steer_on(&parent);
	CHECK(all_come_right("127.0.0.1", "127.0.0.1"));
	/* It could not: nor do we. */
	parent.successor.steered = 0;
	steer_all(&parent);
	CHECK(!parent.steered && parent.unsteered);
	parent.successor.pending = parent.unsteered = 0;
	tear_down();
}

static void
ipv4_everywhere(void)
{
	CHECK(set_up("0.0.0.0", WORKERS) == 0);
	steer_all(&parent);
	CHECK(parent.steered);
	CHECK(all_come_right("127.0.0.77", "127.0.0.5"));
	tear_down();
}

static void
ipv6(void)
{
	CHECK(set_up("::1", WORKERS) == 0);
	steer_all(&parent);
	CHECK(parent.steered);
	CHECK(all_come_right("::1", "::1"));
	tear_down();
}

static void
both_by_one_socket(void)
{
	CHECK(set_up("::", WORKERS) == 0);
	steer_all(&parent);
	CHECK(parent.steered);
	CHECK(all_come_right("::1", "::1"));
	CHECK(all_come_right("127.0.0.1", "127.0.0.1"));
	CHECK(all_come_right("::ffff:127.0.0.1", "::ffff:127.0.0.1"));
	tear_down();
}

/* The port stands behind them. */
static void
ip_options(void)
{
	static const uint8_t options[] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	struct sockaddr_storage ss;
	int fd, i;

	CHECK(set_up("127.0.0.1", WORKERS) == 0);
	steer_all(&parent);
	for (i = 0; i < SOURCES; i++) {
		fd = bound("127.0.0.1", 0, &ss);
		CHECK(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options,
			  sizeof(options)) == 0);
		CHECK(comes_right(
		    fd, &ss, "127.0.0.1", discover, sizeof(discover)));
		(void)close(fd);
	}
	tear_down();
}

/* It is nothing, so nobody speaks of it; but it must not be lost. */
static void
empty_and_strange(void)
{
	static const uint8_t padding[8] = { [0] = 0, [2] = 1, 4 };
	struct sockaddr_storage ss, to;
	int fd;

	CHECK(set_up("::1", WORKERS) == 0);
	steer_all(&parent);
	fd = bound("::1", 0, &ss);
	CHECK(sendto(fd, "", 0, 0, (void *)&to,
		  address("::1", port_of(&listener.ss), &to)) == 0);
	CHECK(came_to() != NOWHERE);
	CHECK(setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding,
		  sizeof(padding)) == 0);
	CHECK(sendto(fd, "x", 1, 0, (void *)&to,
		  address("::1", port_of(&listener.ss), &to)) == 1);
	CHECK(came_to() != NOWHERE);
	(void)close(fd);
	tear_down();
}

/* More sockets than workers: the rest are left alone. */
static void
spare_sockets_get_nothing(void)
{
	CHECK(set_up("127.0.0.1", WORKERS + 2) == 0);
	steer_all(&parent);
	CHECK(parent.steered);
	CHECK(all_come_right("127.0.0.1", "127.0.0.1"));
	tear_down();
}

/* As if a service manager had them handed over in another order. */
static void
another_order_is_noticed(void)
{
	struct sockaddr_storage ss;
	int fd, i, seen;

	CHECK(set_up("127.0.0.1", WORKERS) == 0);
	fd = listener.fds[1];
	listener.fds[1] = listener.fds[2];
	listener.fds[2] = fd;
	steer_all(&parent);
	CHECK(!parent.steered);
	/* Anybody may say anything, and the kernel spreads by itself. */
	for (i = 0; i < WORKERS; i++)
		while (recv(listener.fds[i], &ss, sizeof(ss), MSG_DONTWAIT) > 0)
			continue;
	for (i = seen = 0; seen != 7 && i < 1000; i++) {
		fd = bound("127.0.0.1", 0, &ss);
		(void)sendto(fd, discover, sizeof(discover), 0,
		    (void *)&listener.ss, listener.sslen);
		seen |= 1 << came_to();
		(void)close(fd);
	}
	CHECK(seen == 7);
	tear_down();
}

/* An old one, or what a container has in its place. */
static void
kernel_that_takes_no_program(void)
{
	CHECK(set_up("127.0.0.1", WORKERS) == 0);
	refuses = 1;
	steer_all(&parent);
	refuses = 0;
	CHECK(!parent.steered);
	tear_down();
}

/* A service manager's sockets may be full of what came before. */
static void
full_sockets_are_no_hindrance(void)
{
	struct sockaddr_storage ss;
	int fd, i;

	CHECK(set_up("127.0.0.1", WORKERS) == 0);
	for (i = 0; i < 20000; i++) {
		if (i % 100 == 0) {
			if (i > 0)
				(void)close(fd);
			fd = bound("127.0.0.1", 0, &ss);
		}
		(void)sendto(fd, discover, sizeof(discover), 0,
		    (void *)&listener.ss, listener.sslen);
	}
	(void)close(fd);
	steer_all(&parent);
	CHECK(parent.steered);
	tear_down();
}

/* One worker hears everybody; without a listener nobody is heard. */
static void
nothing_to_choose(void)
{
	static const uint8_t addr[16];

	CHECK(set_up("127.0.0.1", 1) == 0);
	parent.nworkers = 1;
	steer_all(&parent);
	CHECK(parent.steered && steer_reaches(&workers[0], addr, 1));
	TAILQ_REMOVE(&parent.listeners, &listener, entry);
	parent.steered = 0;
	parent.nworkers = WORKERS;
	steer_all(&parent);
	CHECK(!parent.steered && steer_reaches(&workers[1], addr, 1));
	tear_down();
}

/* Ports of one host, and hosts, come to all workers alike. */
static void
sources_are_spread(void)
{
	uint32_t byport[WORKERS], byaddr[WORKERS], i;
	uint8_t addr[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };

	memset(byport, 0, sizeof(byport));
	memset(byaddr, 0, sizeof(byaddr));
	for (i = 1; i < 30000; i++) {
		byport[steer_worker(0x12345678, WORKERS, addr, i)]++;
		addr[14] = (uint8_t)(i >> 8);
		addr[15] = (uint8_t)i;
		byaddr[steer_worker(0x12345678, WORKERS, addr, 0)]++;
		addr[14] = 2;
		addr[15] = 1;
	}
	for (i = 0; i < WORKERS; i++) {
		CHECK(byport[i] > 9000 && byport[i] < 11000);
		CHECK(byaddr[i] > 9000 && byaddr[i] < 11000);
	}
}

int
main(void)
{
	RUN(ipv4);
	RUN(as_another_parent_did_it);
	RUN(ipv4_everywhere);
	RUN(ipv6);
	RUN(both_by_one_socket);
	RUN(ip_options);
	RUN(empty_and_strange);
	RUN(spare_sockets_get_nothing);
	RUN(another_order_is_noticed);
	RUN(kernel_that_takes_no_program);
	RUN(full_sockets_are_no_hindrance);
	RUN(nothing_to_choose);
	RUN(sources_are_spread);
	return (test_failed());
}
