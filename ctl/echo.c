/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ctl/probe.h"

/*
 * Packets of a node to itself, one a second (doc/protocol.md 4):
 *
 *	out: 05, sender u32, dest u32, payload	in: 06, sender u32, payload
 *
 * The payload is a sequence number, the time of sending and a random token,
 * so that what comes back is known to be ours and complete.
 */
#define RELAY          0x05
#define RELAY_DELIVER  0x06
#define RELAY_HEADER   9
#define DELIVER_HEADER 5
#define PAYLOAD        64
#define TOKEN          (PAYLOAD - 16)
#define INTERVAL       INT64_C(1000000000)
#define WINDOW         64 /* packets whose return is still told apart */

struct echo {
	struct ws_client *ws;
	struct echo_stats *stats;
	uint32_t node;
	uint64_t back; /* bit n: packet number sent - n has come back */
	uint8_t token[TOKEN];
};

static volatile sig_atomic_t echo_interrupted;

static void
interrupt(int sig)
{
	echo_interrupted = 1;
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t
get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (ntohl(v));
}

static int
echo_send(struct echo *e, int64_t deadline)
{
	uint8_t packet[RELAY_HEADER + PAYLOAD], *payload;
	int64_t now;

	payload = packet + RELAY_HEADER;
	packet[0] = RELAY;
	put_u32(packet + 1, e->node);
	put_u32(packet + 5, e->node);
	e->stats->sent++;
	e->back <<= 1;
	memset(payload, 0, PAYLOAD);
	put_u32(payload, e->stats->sent);
	memcpy(payload + 16, e->token, TOKEN);
	now = ws_now();
	memcpy(payload + 8, &now, sizeof(now));
	return (
	    ws_client_send(e->ws, WS_BINARY, packet, sizeof(packet), deadline));
}

static void
echo_count(struct echo *e, uint32_t seq, int64_t rtt)
{
	struct echo_stats *s;

	s = e->stats;
	if (s->received == 0 || rtt < s->min)
		s->min = rtt;
	if (rtt > s->max)
		s->max = rtt;
	s->sum += rtt;
	s->received++;
	printf("%d bytes from node %" PRIu32 ": seq=%" PRIu32 " time=%.2f ms\n",
	    PAYLOAD, e->node, seq, (double)rtt / 1e6);
	/* Whoever reads a pipe wants to see each as it comes. */
	(void)fflush(stdout);
}

/* Looks at a message; what is not one of our packets is other traffic. */
static void
echo_receive(struct echo *e, int64_t now)
{
	const uint8_t *p, *payload;
	uint32_t ago, seq;
	int64_t then;

	p = e->ws->msg;
	payload = p + DELIVER_HEADER;
	if (e->ws->opcode != WS_BINARY ||
	    e->ws->msg_len != DELIVER_HEADER + PAYLOAD ||
	    p[0] != RELAY_DELIVER || get_u32(p + 1) != e->node ||
	    sodium_memcmp(payload + 16, e->token, TOKEN) != 0)
		return;
	seq = get_u32(payload);
	ago = e->stats->sent - seq;
	if (seq == 0 || ago >= WINDOW || (e->back >> ago & 1) != 0)
		return;
	e->back |= UINT64_C(1) << ago;
	memcpy(&then, payload + 8, sizeof(then));
	echo_count(e, seq, now - then);
}

static void
catch_interrupt(void)
{
	struct sigaction sa;

	/* Without SA_RESTART, so that a wait ends. */
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = interrupt;
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

/* Sends what is due and takes what comes until all is done, or timeout. */
static int
echo_loop(struct echo *e, uint32_t count, int64_t timeout)
{
	int64_t end, next;
	int n;

	next = end = ws_now();
	while (!echo_interrupted) {
		if ((count == 0 || e->stats->sent < count) &&
		    ws_now() >= next) {
			end = next = ws_now();
			next += INTERVAL;
			end += timeout;
			if (echo_send(e, end) == -1)
				return (-1);
		}
		if (count != 0 && e->stats->sent >= count &&
		    (e->stats->received >= count || ws_now() >= end))
			break;
		n = ws_client_recv(
		    e->ws, count != 0 && e->stats->sent >= count ? end : next);
		if (n == -1)
			return (-1);
		if (n == 1)
			echo_receive(e, ws_now());
	}
	return (0);
}

/*
 * Relays count packets (0: until SIGINT or SIGTERM) from node to itself over a
 * session that is logged in and waits timeout nanoseconds for the last.
 * Returns 0, or -1 with a message in ws->error; stats holds either way.
 */
int
echo_run(struct ws_client *ws, uint32_t node, uint32_t count, int64_t timeout,
    struct echo_stats *stats)
{
	struct echo e;

	memset(&e, 0, sizeof(e));
	memset(stats, 0, sizeof(*stats));
	e.ws = ws;
	e.stats = stats;
	e.node = node;
	randombytes_buf(e.token, sizeof(e.token));
	catch_interrupt();
	return (echo_loop(&e, count, timeout));
}
