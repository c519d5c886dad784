/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <arpa/inet.h>

#include <err.h>
#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/load/flood.h"

#define HELLO_MAX 512
#define IN_A_TURN 512
#define NETWORK   0x7f010000U /* 127.1.0.0/16: the invented sources */
#define GRAM_LEN  64          /* the largest datagram */

struct conn {
	int fd; /* -1: none */
	int up; /* boolean: connected */
};

static struct conn *conns;
static uint32_t oldest;
static char hello[HELLO_MAX];
static uint8_t trash[1 << 16];

static void
raw_init(const char *says)
{
	uint32_t i;

	if (flood.said != NULL)
		(void)snprintf(hello, sizeof(hello),
		    "PROXY TCP4 %s 127.0.0.1 4000 443\r\n", flood.said);
	(void)strlcat(hello, says, sizeof(hello));
	conns = calloc(flood.held, sizeof(*conns));
	if (conns == NULL)
		err(2, NULL);
	for (i = 0; i < flood.held; i++)
		conns[i].fd = -1;
}

static void
connect_init(void)
{
	raw_init("");
}

static void
head_init(void)
{
	raw_init("GET /v1/compat HTTP/1.1\r\nHost: a");
}

static void
silent_init(void)
{
	raw_init("GET /v1/compat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
		 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
}

static void
scrape_init(void)
{
	raw_init("GET /metrics HTTP/1.1\r\nHost: a\r\n"
		 "Connection: close\r\n\r\n");
}

static void
raw_close(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->up = 0;
}

/* Another address each time, as long as there are any. */
static void
raw_bind(int fd)
{
	struct sockaddr_in sin;
	int one = 1;

	if (flood.sources == 0)
		return;
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr =
	    htonl(NETWORK + (uint32_t)(flood.tried % flood.sources));
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(2, "bind");
}

static void
raw_open(struct conn *c)
{
	struct sockaddr_in sin;
	struct epoll_event ev;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		err(2, "socket");
	raw_bind(c->fd);
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr = load.addr;
	sin.sin_port = htons(load.tcp_ports[flood.tried % load.ntcp]);
	if (connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS) {
		flood.ended++;
		raw_close(c);
		return;
	}
	ev.events = EPOLLOUT;
	ev.data.ptr = c;
	if (epoll_ctl(load.epfd, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(2, "epoll_ctl");
}

/* Those that were ended are replaced; where all are taken, see turn_over. */
static void
raw_fill(int turn_over)
{
	struct conn *c;
	uint32_t i, n;

	for (i = n = 0; i < flood.held && n < IN_A_TURN; i++) {
		c = &conns[oldest];
		if (c->fd != -1 && !turn_over) {
			oldest = (oldest + 1) % flood.held;
			continue;
		}
		if (!flood_may())
			return;
		raw_close(c);
		raw_open(c);
		oldest = (oldest + 1) % flood.held;
		n++;
	}
}

static void
connect_tick(void)
{
	raw_fill(1);
}

static void
raw_tick(void)
{
	raw_fill(0);
}

static void
raw_connected(struct conn *c)
{
	struct epoll_event ev;
	socklen_t len;
	int error;

	len = sizeof(error);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0 ||
	    send(c->fd, hello, strlen(hello), MSG_NOSIGNAL) == -1) {
		flood.ended++;
		raw_close(c);
		return;
	}
	c->up = 1;
	ev.events = EPOLLIN;
	ev.data.ptr = c;
	(void)epoll_ctl(load.epfd, EPOLL_CTL_MOD, c->fd, &ev);
}

static void
raw_event(void *arg, uint32_t events)
{
	struct conn *c = arg;
	ssize_t n;

	if (c->fd == -1)
		return; /* of this turn, but closed since */
	if (!c->up) {
		raw_connected(c);
		return;
	}
	n = recv(c->fd, trash, sizeof(trash), MSG_DONTWAIT);
	if (n > 0 || (n == -1 && errno == EAGAIN))
		return;
	flood.ended++;
	raw_close(c);
}

const struct kind flood_connect = { "connect", connect_init, connect_tick,
	raw_event };
const struct kind flood_head = { "head", head_init, raw_tick, raw_event };
const struct kind flood_silent = { "silent", silent_init, raw_tick, raw_event };
const struct kind flood_scrape = { "scrape", scrape_init, raw_tick, raw_event };

/* Datagrams of sources that there are not: with a raw socket. */

static int raw_fd;

static void
datagrams_init(void)
{
	raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (raw_fd == -1)
		err(2, "raw socket");
}

/*
 * Of all kinds, in the name of nodes that are there and of others, for nodes
 * that are not the pairs'.
 */
static size_t
datagram(uint8_t *data)
{
	static const uint8_t types[] = { 1, 5, 3, 7, 8, 5, 0x5a, 6 };
	uint32_t words[3];
	size_t len;

	data[0] = types[randombytes_uniform(sizeof(types))];
	words[0] = htonl(1 + randombytes_uniform(65536));
	words[1] = htonl(65537 + randombytes_uniform(65536));
	words[2] = randombytes_random();
	memcpy(data + 1, words, sizeof(words));
	len = 1 + sizeof(words);
	if (data[0] == 1)
		len = 5;
	return (randombytes_uniform(16) == 0 ? len / 2 : len);
}

static void
datagram_send(void)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		uint8_t data[GRAM_LEN];
	} packet;
	struct sockaddr_in to;
	size_t len;

	memset(&packet, 0, sizeof(packet));
	len = datagram(packet.data);
	packet.ip.version = 4;
	packet.ip.ihl = 5;
	packet.ip.ttl = 64;
	packet.ip.protocol = IPPROTO_UDP;
	packet.ip.saddr =
	    htonl(0x7f000000U | (1 + randombytes_uniform(0xfffffd)));
	packet.ip.daddr = load.addr.s_addr;
	packet.udp.source =
	    htons((uint16_t)(1024 + randombytes_uniform(60000)));
	packet.udp.dest = htons(load.udp_port);
	packet.udp.len = htons((uint16_t)(sizeof(packet.udp) + len));
	memset(&to, 0, sizeof(to));
	to.sin_family = AF_INET;
	to.sin_addr = load.addr;
	(void)sendto(raw_fd, &packet,
	    sizeof(packet.ip) + sizeof(packet.udp) + len, MSG_DONTWAIT,
	    (struct sockaddr *)&to, sizeof(to));
}

static void
datagrams_tick(void)
{
	int i;

	for (i = 0; i < IN_A_TURN && flood_may(); i++)
		datagram_send();
}

static void
datagrams_event(void *arg, uint32_t events)
{
}

const struct kind flood_datagrams = { "datagrams", datagrams_init,
	datagrams_tick, datagrams_event };
