/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <arpa/inet.h>
#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "worker/worker.h"

/*
 * What a worker answers leaves together: a burst of N requests costs N/32
 * system calls at most, whatever they are and by whichever way they came.
 */
#define BURST   320
#define CLIENTS 8
#define PEER    7 /* a node at clients[0] */

static struct worker w;
static struct sockaddr_in at; /* where the worker listens */
static int clients[CLIENTS];
static int calls; /* that send */

/* In the place of the library's. */
int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	calls++;
	return ((int)syscall(SYS_sendmmsg, fd, msgs, n, flags));
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	calls++;
	return (syscall(SYS_sendmsg, fd, msg, flags));
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	calls++;
	return (syscall(SYS_sendto, fd, data, len, flags, NULL, 0));
}

/* Nobody comes here. */
void
accept_start(struct worker *of)
{
}

void
accept_stop(struct worker *of)
{
}

static int
bound(struct sockaddr_in *sin)
{
	socklen_t len;
	int fd, size;

	size = 4 << 20;
	len = sizeof(*sin);
	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)sin, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &len) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == -1)
		return (-1);
	return (fd);
}

/* Entry `number` of a map of the test's own, for its owner to fill in. */
static struct peermap_entry *
know(uint32_t number, uint32_t node)
{
	static uint8_t *base;
	struct peermap_header *header;
	struct peermap_entry *entry;
	uint32_t *index;

	if (base == NULL) {
		base = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		header = (void *)base;
		header->index = PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
		peermap_view(&w.map, base);
	}
	index = (void *)(base + PEERMAP_INDEX_OFF);
	index[peermap_hash(w.map.header, node) &
	      PEERMAP_INDEX_MASK(w.map.header->index)] = number + 1;
	entry = (void *)(base + PEERMAP_ENTRY_OFF);
	entry[number].node = node;
	return (&entry[number]);
}

static int
set_up(void)
{
	static const struct msg_udp msg = { UDP_LISTENER, 0, 0 };
	struct peermap_entry *entry;
	struct sockaddr_in sin;
	int fd, i;

	w.loop = ev_loop_new(EVFLAG_NOENV);
	w.settings.max_sockets = 1;
	w.settings.max_frame = 65536;
	w.settings.head_timeout = w.settings.idle_timeout = 60;
	w.packets = limit_new();
	w.news = limit_new();
	w.punch.sources = limit_new();
	w.beacons = beacon_table_new();
	w.upper = relay_upper;
	session_init(&w);
	timer_init(&w);
	turn_init(&w);
	for (i = CLIENTS - 1; i >= 0; i--)
		if ((clients[i] = bound(&sin)) == -1)
			return (-1);
	entry = know(0, PEER);
	entry->addr[10] = entry->addr[11] = 0xff;
	memcpy(entry->addr + 12, &sin.sin_addr, 4);
	entry->port = ntohs(sin.sin_port);
	entry->seen = entry->moved = w.now;
	fd = bound(&at);
	if (fd == -1 || udp_recv_open(&w, &msg, fd) != NULL)
		return (-1);
	udp_start(&w);
	return (0);
}

/* One packet after the other from all clients in turn; then the worker. */
static int
burst(const uint8_t *packet, size_t len)
{
	int i;

	for (i = 0; i < BURST; i++)
		if (sendto(clients[i % CLIENTS], packet, len, 0,
			(struct sockaddr *)&at, sizeof(at)) != (ssize_t)len)
			return (-1);
	calls = 0;
	for (i = 0; i < BURST; i++)
		ev_run(w.loop, EVRUN_NOWAIT);
	return (calls);
}

/* Packets of that type that a client got; -1: another was among them. */
static int
answers(int client, uint8_t type)
{
	uint8_t packet[64];
	ssize_t len;
	int n;

	for (n = 0;
	     (len = recv(clients[client], packet, sizeof(packet), 0)) > 0; n++)
		if (packet[0] != type || len != 8)
			return (-1);
	return (n);
}

static void
test_discovers(void)
{
	static const uint8_t probe[] = { PACKET_DISCOVER, 0, 0, 0, 0 };
	int i, n;

	n = burst(probe, sizeof(probe));
	CHECK(n > 0 && n <= BURST / 32);
	for (i = 0; i < CLIENTS; i++)
		CHECK(answers(i, PACKET_DISCOVER_REPLY) == BURST / CLIENTS);
}

static void
test_punches(void)
{
	static const uint8_t request[] = { PACKET_PUNCH_REQUEST, 0, 0, 0, 5, 0,
		0, 0, PEER };
	int i, n;

	n = burst(request, sizeof(request));
	CHECK(n > 0 && n <= 2 * BURST / 32);
	CHECK(answers(0, PACKET_PUNCH_COMMAND) == BURST / CLIENTS + BURST);
	for (i = 1; i < CLIENTS; i++)
		CHECK(answers(i, PACKET_PUNCH_COMMAND) == BURST / CLIENTS);
}

/* All in one read of a WebSocket. */
static void
test_discovers_by_websocket(void)
{
	static const uint8_t addr[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	static const uint8_t mask[WS_MASK_LEN], probe[5] = { PACKET_DISCOVER };
	uint8_t frames[BURST * 16], got[BURST * 16];
	struct session *s;
	int i, pair[2];
	size_t len;

	CHECK(channel_pair(pair) == 0);
	s = session_new(&w, pair[0], session_io, addr, 4711);
	CHECK(s != NULL);
	s->state = SESSION_OPEN;
	s->peer.node = know(1, 8)->node;
	s->peer.generation = know(1, 8)->generation = 1;
	s->map_number = 1;
	for (len = 0, i = 0; i < BURST; i++, len += sizeof(probe)) {
		len += ws_header_build_masked(
		    frames + len, WS_BINARY, sizeof(probe), mask);
		memcpy(frames + len, probe, sizeof(probe));
	}
	CHECK(write(pair[1], frames, len) == (ssize_t)len);
	calls = 0;
	ev_run(w.loop, EVRUN_NOWAIT);
	CHECK(calls > 0 && calls <= BURST / 32);
	CHECK(recv(pair[1], got, sizeof(got), 0) == BURST * (2 + 8));
}

int
main(void)
{
	if (set_up() == -1)
		return (1);
	RUN(test_discovers);
	RUN(test_punches);
	RUN(test_discovers_by_websocket);
	return (test_failed());
}
