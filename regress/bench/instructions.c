/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "common/ws_frame.h"
#include "parent/peermap_write.h"
#include "worker/beacon_table.h"
#include "worker/limit.h"
#include "worker/packet.h"
#include "regress/bench/instructions.h"
#include "worker/udp.h"
#include "worker/worker.h"

/*
 * Runs under callgrind (instructions.py) and lets packets and logins through
 * two workers that live in this process, without parent and auth: what a row
 * costs is counted, what feeds it is not.  Keys, seeds and clocks stand still,
 * so that the counts do not wander.
 */

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#define SLICE   65536 /* bytes that one read of a WebSocket finds */
#define TICK    1000U
#define SECONDS 5 /* until a datagram counts as lost */

enum via { WS_SAME, WS_OTHER, UDP };

static const struct row {
	const char *name;
	enum via from;
	enum via to;
	uint32_t window; /* packets that one wake-up finds */
	uint32_t size;   /* bytes of payload */
} rows[] = {
	{ "window 1, 64 B", WS_SAME, WS_SAME, 1, 64 },
	{ "window 1, 1 KiB", WS_SAME, WS_SAME, 1, 1024 },
	{ "window 1, 16 KiB", WS_SAME, WS_SAME, 1, 16384 },
	{ "window 32, 64 B", WS_SAME, WS_SAME, 32, 64 },
	{ "window 32, 1 KiB", WS_SAME, WS_SAME, 32, 1024 },
	{ "window 32, 16 KiB", WS_SAME, WS_SAME, 32, 16384 },
	{ "other worker, window 1, 1 KiB", WS_SAME, WS_OTHER, 1, 1024 },
	{ "other worker, window 32, 64 B", WS_SAME, WS_OTHER, 32, 64 },
	{ "other worker, window 32, 1 KiB", WS_SAME, WS_OTHER, 32, 1024 },
	{ "udp - udp, window 1, 1 KiB", UDP, UDP, 1, 1024 },
	{ "udp - udp, window 32, 1 KiB", UDP, UDP, 32, 1024 },
	{ "udp - websocket, window 32, 1 KiB", UDP, WS_SAME, 32, 1024 },
	{ "websocket - udp, window 32, 1 KiB", WS_SAME, UDP, 32, 1024 },
};

/* A node; fd is the client's end of its socket. */
struct end {
	enum via via;
	uint32_t node;
	int fd;
	struct session *session;
};

struct worker workers[2];
static struct pmap map;
static struct end sources[3];
static struct end sinks[3];
static struct sockaddr_in udp_address;

/* What goes in and what must come out of one round. */
static uint8_t in[1 << 20];
static uint8_t out[1 << 20];
static uint8_t got[1 << 20];
static size_t in_len;
static size_t out_len;

static struct source_table *
fixed_table(void)
{
	struct source_table *table;

	table = limit_new();
	memset(table->key, 0x5a, sizeof(table->key));
	return (table);
}

static void
worker_make(uint32_t number)
{
	struct worker *w;

	w = &workers[number];
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (w->loop == NULL)
		errx(1, "libev does not start");
	w->hello.worker = number;
	w->settings.nworkers = 2;
	w->settings.max_frame = 65536;
	w->settings.max_sockets = 64;
	w->settings.head_timeout = 5;
	w->settings.auth_timeout = 10;
	w->settings.idle_timeout = 90;
	w->settings.ping_interval = 30;
	w->settings.write_timeout = 10;
	w->settings.source_packet_limit = 1U << 30;
	w->settings.source_upgrade_limit = 1U << 30;
	w->head.upgrades = fixed_table();
	w->packets = fixed_table();
	w->punch.sources = fixed_table();
	w->gossip.sources = fixed_table();
	w->beacons = beacon_table_new();
	w->map = map.view;
	timer_init(w);
	turn_init(w);
	w->now = NOW;
	w->tick = TICK;
	w->upper = relay_upper;
	session_init(w);
	login_init(w);
}

static void
workers_join(void)
{
	const char *why;
	int pair[2];

	if (channel_pair(pair) == -1)
		err(1, "socketpair");
	why = route_recv_open(&workers[0], 1, pair[0]);
	if (why == NULL)
		why = route_recv_open(&workers[1], 0, pair[1]);
	if (why != NULL)
		errx(1, "%s", why);
}

/* Enters what `entry` says of a node in the map. */
static void
map_enter(uint32_t node, const struct peermap_entry *entry)
{
	uint32_t number;

	number = pmap_add(&map, node, 0);
	if (number == PEERMAP_NONE)
		errx(1, "no place in the map");
	pmap_store(&map, number, entry);
}

/* A connection that has just been accepted; returns the client's end. */
int
connection(struct worker *w, struct session **s)
{
	static const uint8_t addr[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	int pair[2];

	if (channel_pair(pair) == -1)
		err(1, "socketpair");
	COUNT;
	*s = session_new(w, pair[0], session_io, addr, 4711);
	COUNT;
	if (*s == NULL)
		errx(1, "no session");
	return (pair[1]);
}

static void
end_websocket(struct end *end, struct worker *w)
{
	struct peermap_entry entry;
	struct session *s;

	end->fd = connection(w, &s);
	end->session = s;
	memset(&entry, 0, sizeof(entry));
	entry.generation = pmap_next_generation(&map);
	entry.worker = (uint8_t)w->hello.worker;
	entry.slot = session_slot(w, s);
	map_enter(end->node, &entry);
	s->peer.node = end->node;
	s->peer.generation = entry.generation;
	s->map_number = peermap_find(&w->map, end->node);
	s->peer.hint = PEERMAP_NONE;
	s->ping_due = w->tick + TICKS(w->settings.ping_interval);
	s->state = SESSION_OPEN;
	w->nupgraded++;
}

/* A UDP socket on the loopback; *sin is where it is. */
static int
udp_socket(struct sockaddr_in *sin, int flags)
{
	struct timeval limit = { SECONDS, 0 };
	socklen_t len;
	int fd;

	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof(*sin);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)sin, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &len) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ==
		-1)
		err(1, "UDP socket");
	return (fd);
}

static void
udp_make(struct worker *w)
{
	static const struct msg_udp msg = { .kind = UDP_LISTENER };
	const char *why;

	why = udp_recv_open(w, &msg, udp_socket(&udp_address, SOCK_NONBLOCK));
	if (why != NULL)
		errx(1, "%s", why);
}

static void
end_udp(struct end *end)
{
	struct peermap_entry entry;
	struct sockaddr_in sin;

	end->fd = udp_socket(&sin, 0);
	if (connect(end->fd, (struct sockaddr *)&udp_address,
		sizeof(udp_address)) == -1)
		err(1, "connect");
	memset(&entry, 0, sizeof(entry));
	entry.addr[10] = entry.addr[11] = 0xff;
	memcpy(entry.addr + 12, &sin.sin_addr, 4);
	entry.port = ntohs(sin.sin_port);
	entry.seen = NOW;
	entry.moved = NOW;
	map_enter(end->node, &entry);
}

static void
end_make(struct end *end, enum via via, uint32_t node)
{
	end->via = via;
	end->node = node;
	if (via == UDP)
		end_udp(end);
	else
		end_websocket(end, &workers[via]);
}

/* Appends one message in the way that `via` has them; masked: a client's. */
static void
put_message(uint8_t *buf, size_t *at, enum via via, int masked,
    const uint8_t *message, size_t len)
{
	static const uint8_t mask[WS_MASK_LEN] = { 0x12, 0x34, 0x56, 0x78 };
	uint8_t *to;

	to = buf + *at;
	if (via != UDP)
		to += masked ? ws_header_build_masked(to, WS_BINARY, len, mask)
			     : ws_header_build(to, WS_BINARY, len);
	memcpy(to, message, len);
	if (via != UDP && masked)
		ws_unmask(to, to, len, mask, 0);
	*at = (size_t)(to + len - buf);
}

/* A window of packets, and what they are to become. */
static void
put_window(const struct row *row, uint32_t sender, uint32_t dest)
{
	static uint8_t relay[PACKET_RELAY_LEN + PROTO_DELIVERY_MAX];
	static uint8_t delivery[PACKET_DELIVER_LEN + PROTO_DELIVERY_MAX];
	uint32_t i, j;

	in_len = out_len = 0;
	for (i = 0; i < row->window; i++) {
		relay[0] = PACKET_RELAY;
		packet_put_u32(relay + 1, sender);
		packet_put_u32(relay + 5, dest);
		for (j = 0; j < row->size; j++)
			relay[PACKET_RELAY_LEN + j] = (uint8_t)(i + j * 7);
		delivery[0] = PACKET_DELIVER;
		packet_put_u32(delivery + 1, sender);
		memcpy(delivery + PACKET_DELIVER_LEN, relay + PACKET_RELAY_LEN,
		    row->size);
		put_message(in, &in_len, row->from, 1, relay,
		    PACKET_RELAY_LEN + row->size);
		put_message(out, &out_len, row->to, 0, delivery,
		    PACKET_DELIVER_LEN + row->size);
	}
}

static void
feed(const struct end *from, const uint8_t *bytes, size_t len)
{
	if (send(from->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		err(1, "send");
}

/* The loop's part: a socket can be read, and the turn ends. */
void
wake(struct worker *w, ev_io *io)
{
	COUNT;
	ev_cb(io)(w->loop, io, EV_READ);
	ev_invoke(w->loop, &w->turn, EV_PREPARE);
	COUNT;
}

/* Reads what has arrived; for datagrams, all of them. */
static void
drain(const struct row *row, const struct end *to, size_t *at)
{
	uint32_t i;
	ssize_t n;

	for (i = 0; to->via != UDP || i < row->window; i++) {
		n = recv(to->fd, got + *at, sizeof(got) - *at, 0);
		if (n == -1 && errno == EAGAIN && to->via != UDP)
			return;
		if (n <= 0)
			err(1, "%s: recv", row->name);
		*at += (size_t)n;
	}
}

static void
round_udp(const struct row *row, const struct end *from, const struct end *to)
{
	size_t at, len, n;

	len = in_len / row->window;
	for (n = 0; n < row->window; n++)
		feed(from, in + n * len, len);
	at = 0;
	wake(&workers[0], &workers[0].udp.sockets[0]->reader);
	drain(row, to, &at);
}

static void
round_ws(const struct row *row, const struct end *from, const struct end *to)
{
	size_t at, len, off;

	at = 0;
	for (off = 0; off < in_len; off += len) {
		len = in_len - off < SLICE ? in_len - off : SLICE;
		feed(from, in + off, len);
		wake(&workers[0], &from->session->io);
		if (to->via == WS_OTHER)
			wake(&workers[1],
			    &workers[1].routes.siblings[0]->reader);
		drain(row, to, &at);
	}
}

/* What was counted since the last zero is that of so many packets. */
void
report(const char *name, uint32_t units)
{
	CALLGRIND_DUMP_STATS_AT(name);
	printf("%s\t%u\n", name, units);
}

static void
run_row(const struct row *row)
{
	struct end *from, *to;
	int i;

	from = &sources[row->from];
	to = &sinks[row->to];
	put_window(row, from->node, to->node);
	for (i = 0; i <= ROUNDS; i++) {
		if (i == 1)
			CALLGRIND_ZERO_STATS;
		memset(got, 0, out_len);
		if (from->via == UDP)
			round_udp(row, from, to);
		else
			round_ws(row, from, to);
		if (memcmp(got, out, out_len) != 0)
			errx(1, "%s: wrong delivery", row->name);
	}
	report(row->name, ROUNDS * row->window);
}

/* Events go to the parent, who makes lines of them: here to nobody. */
static void
log_make(void)
{
	int ours, pair[2], theirs;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == -1)
		err(1, "socketpair");
	ours = fcntl(pair[0], F_DUPFD, 10);
	theirs = fcntl(pair[1], F_DUPFD, 10);
	if (ours == -1 || theirs == -1)
		err(1, "fcntl F_DUPFD");
	(void)close(pair[0]);
	(void)close(pair[1]);
	if (dup2(ours, LOG_CHILD_FD) == -1)
		err(1, "dup2");
	(void)close(ours);
	log_init("instructions", LOG_TO_PARENT);
}

int
main(void)
{
	uint32_t node;
	size_t i;

	log_make();
	if (sodium_init() == -1)
		errx(1, "libsodium does not start");
	if (pmap_create(&map) == -1)
		err(1, "peer map");
	map.header->key[0] = 0x0123456789abcdef;
	map.header->key[1] = 0xfedcba9876543210;
	worker_make(0);
	worker_make(1);
	workers_join();
	udp_make(&workers[0]);
	printf("%s\n", COMPILER);
	node = 1001;
	for (i = WS_SAME; i <= UDP; i++) {
		end_make(&sources[i], (enum via)i, node++);
		end_make(&sinks[i], (enum via)i, node++);
	}
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i]);
	run_login_worker();
	run_login_auth();
	return (0);
}
