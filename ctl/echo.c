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
 * Packets of a node to itself or to another, one a second (doc/protocol.md 4):
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
/* Beacons tell each other every 10 s who is connected (doc/protocol.md 4.4). */
#define PATH_TIMEOUT INT64_C(25000000000)
#define WINDOW       64 /* packets whose return is still told apart */

struct echo {
	struct probe *probe;
	struct echo_stats *stats;
	struct probe_end *from, *to;
	int quiet;     /* boolean: do not tell of each packet */
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
	put_u32(packet + 1, e->from->node);
	put_u32(packet + 5, e->to->node);
	e->stats->sent++;
	e->back <<= 1;
	memset(payload, 0, PAYLOAD);
	put_u32(payload, e->stats->sent);
	memcpy(payload + 16, e->token, TOKEN);
	now = ws_now();
	memcpy(payload + 8, &now, sizeof(now));
	return (ws_client_send(
	    e->from->ws, WS_BINARY, packet, sizeof(packet), deadline));
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
	if (e->quiet)
		return;
	printf("%d bytes from node %" PRIu32 ": seq=%" PRIu32 " time=%.2f ms\n",
	    PAYLOAD, e->from->node, seq, (double)rtt / 1e6);
	/* Whoever reads a pipe wants to see each as it comes. */
	(void)fflush(stdout);
}

/* Looks at a message; what is not one of our packets is other traffic. */
static void
echo_receive(struct echo *e, int64_t now)
{
	const struct ws_client *ws;
	const uint8_t *p, *payload;
	uint32_t ago, seq;
	int64_t then;

	ws = e->to->ws;
	p = ws->msg;
	payload = p + DELIVER_HEADER;
	if (ws->opcode != WS_BINARY ||
	    ws->msg_len != DELIVER_HEADER + PAYLOAD || p[0] != RELAY_DELIVER ||
	    get_u32(p + 1) != e->from->node ||
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

/*
 * Takes a message that is there already at an end.  Returns 1, 0 if there is
 * none, or -1.  Pings are answered at both ends.
 */
static int
echo_take(struct echo *e, struct probe_end *end)
{
	int n;

	n = ws_client_recv(end->ws, 0);
	if (n == 1 && end == e->to)
		echo_receive(e, ws_now());
	return (n);
}

/* Takes what comes until deadline.  Returns who has failed, or NULL. */
static struct probe_end *
echo_wait(struct echo *e, int64_t deadline)
{
	struct ws_client *ws[2] = { e->to->ws, e->from->ws };
	int n, other;

	n = echo_take(e, e->to);
	if (n == -1)
		return (e->to);
	other = e->from != e->to ? echo_take(e, e->from) : 0;
	if (other == -1)
		return (e->from);
	if (n == 0 && other == 0 && ws_client_wait_either(ws, deadline) == -1)
		return (e->to);
	return (NULL);
}

static void
echo_begin(struct echo *e)
{
	memset(e->stats, 0, sizeof(*e->stats));
	e->back = 0;
	randombytes_buf(e->token, sizeof(e->token));
}

/*
 * Sends packets, which do not count, until one has found its way from a beacon
 * to another.  Returns NULL, or the end that failed.
 */
static struct probe_end *
echo_find_path(struct echo *e)
{
	struct probe_end *failed;
	int64_t end, next;

	failed = NULL;
	next = ws_now();
	end = next + PATH_TIMEOUT;
	while (!echo_interrupted && failed == NULL && e->stats->received == 0) {
		if (ws_now() >= end) {
			(void)snprintf(e->to->ws->error, WS_ERROR_LEN,
			    "nothing comes from the other beacon");
			return (e->to);
		}
		if (ws_now() < next)
			failed = echo_wait(e, next);
		else if (next += INTERVAL, echo_send(e, next) == -1)
			failed = e->from;
	}
	if (failed == NULL && e->stats->received == 0) {
		(void)snprintf(e->to->ws->error, WS_ERROR_LEN,
		    "interrupted before anything came");
		return (e->to);
	}
	return (failed);
}

/* Sends what is due and takes what comes until all is done, or its time is. */
static struct probe_end *
echo_loop(struct echo *e, uint32_t count, int64_t timeout)
{
	struct probe_end *failed;
	int64_t end, next;
	int sent;

	next = end = ws_now();
	while (!echo_interrupted) {
		sent = count != 0 && e->stats->sent >= count;
		if (!sent && ws_now() >= next) {
			end = next = ws_now();
			next += INTERVAL;
			end += timeout;
			if (echo_send(e, end) == -1)
				return (e->from);
			continue;
		}
		if (sent && (e->stats->received >= count || ws_now() >= end))
			break;
		failed = echo_wait(e, sent ? end : next);
		if (failed != NULL)
			return (failed);
	}
	return (NULL);
}

/*
 * Relays p->count packets (0: until SIGINT or SIGTERM) between the ends, which
 * are logged in, and waits p->timeout nanoseconds for the last.  Returns NULL,
 * or the end that failed, with a message in its ws->error; p->stats holds
 * either way.
 */
struct probe_end *
echo_run(struct probe *p)
{
	struct probe_end *failed;
	struct echo e;

	memset(&e, 0, sizeof(e));
	e.probe = p;
	e.stats = &p->stats;
	e.from = &p->end[0];
	e.to = &p->end[p->ends - 1];
	catch_interrupt();
	echo_begin(&e);
	if (p->urls == 2) {
		e.quiet = 1;
		failed = echo_find_path(&e);
		echo_begin(&e);
		if (failed != NULL)
			return (failed);
	}
	e.quiet = p->json || p->plugin;
	return (echo_loop(&e, p->count, p->timeout));
}
