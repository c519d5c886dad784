/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/epoll.h>

#include <err.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ws_frame.h"
#include "regress/load/flood.h"

#define AT_ONCE   64 /* logins */
#define SENDERS   4  /* who fill what the deaf do not read */
#define IN_A_TURN 16
#define PINGS     64
#define PING_LEN  100
#define FRAGMENTS 65536
#define AGAIN     (SECOND / 4) /* as a daemon whose session was replaced */

static struct peer *peers;
static uint8_t *chunk; /* what is sent again and again */
static size_t chunk_len;

static void
sessions_init(uint32_t identities)
{
	uint8_t *secrets;
	uint32_t i, who;

	peers = calloc(flood.held, sizeof(*peers));
	if (peers == NULL)
		err(2, NULL);
	secrets = login_secrets(load.base + 1, identities);
	for (i = 0; i < flood.held; i++) {
		who = i % identities;
		peers[i].node = load.base + 1 + who;
		peers[i].via = VIA_WS;
		peers[i].secret =
		    secrets + (size_t)who * crypto_sign_SECRETKEYBYTES;
	}
}

static uint16_t
port_of(uint32_t i)
{
	return (load.tcp_ports[i % load.ntcp]);
}

/* Who has no session dials, some of them at a time. */
static void
sessions_dial(uint32_t at_once)
{
	uint32_t i, n;

	for (i = n = 0; i < flood.held; i++)
		n += peers[i].state != PEER_CLOSED &&
		     peers[i].state != PEER_OPEN;
	for (i = 0; i < flood.held && n < at_once; i++) {
		if (peers[i].state != PEER_CLOSED || peers[i].due > load.now)
			continue;
		peer_connect(&peers[i], port_of(i));
		n++;
	}
}

static void
sessions_event(void *arg, uint32_t events)
{
	struct peer *p = arg;

	if (p->state != PEER_CLOSED)
		peer_event(p, events);
}

void
peer_opened(struct peer *p)
{
	struct epoll_event ev;

	p->state = PEER_OPEN;
	if (flood.kind == &flood_twins)
		flood.tried++;
	if (flood.kind != &flood_deaf || p < peers + SENDERS)
		return;
	/* From here on it does not read; the end of it is heard anyway. */
	ev.events = 0;
	ev.data.ptr = p;
	(void)epoll_ctl(load.epfd, EPOLL_CTL_MOD, p->fd, &ev);
}

void
peer_failed(struct peer *p, const char *why)
{
	flood.ended++;
	peer_close(p);
	p->due = load.now + (flood.kind == &flood_replaced ? 0 : AGAIN);
}

static void
each_init(void)
{
	sessions_init(flood.held);
}

static void
one_init(void)
{
	sessions_init(1);
}

static void
deaf_tick(void)
{
	uint8_t packet[PAYLOAD_MAX];
	struct peer *p;
	uint32_t i;
	int n;

	sessions_dial(AT_ONCE);
	for (i = 0; i < SENDERS && i < flood.held; i++) {
		p = &peers[i];
		for (n = 0; n < IN_A_TURN; n++) {
			if (p->state != PEER_OPEN || p->writing || !flood_may())
				break;
			p->mate = &peers[randombytes_uniform(flood.held)];
			peer_write(p, packet, wire_packet(p, packet, load.now));
		}
	}
}

/* All write the chunk, as often as the kernel takes it. */
static void
chunk_tick(void)
{
	uint32_t i;
	int n;

	sessions_dial(AT_ONCE);
	for (i = 0; i < flood.held; i++) {
		for (n = 0; n < IN_A_TURN; n++) {
			if (peers[i].state != PEER_OPEN || peers[i].writing ||
			    !flood_may())
				break;
			peer_write(&peers[i], chunk, chunk_len);
		}
	}
}

static void
ping_init(void)
{
	uint8_t says[PING_LEN];
	int i;

	each_init();
	memset(says, 'x', sizeof(says));
	chunk = malloc(PINGS * (PING_LEN + WS_HEADER_MAX));
	if (chunk == NULL)
		err(2, NULL);
	for (i = 0; i < PINGS; i++)
		chunk_len +=
		    wire_masked(chunk + chunk_len, WS_PING, says, sizeof(says));
}

/* A message of as many bytes as there may be, a frame for each of them. */
static void
fragments_init(void)
{
	uint8_t byte = 0x5a;
	uint32_t i;

	each_init();
	chunk = malloc(FRAGMENTS * (1 + WS_HEADER_MAX));
	if (chunk == NULL)
		err(2, NULL);
	for (i = 0; i < FRAGMENTS; i++) {
		size_t at = chunk_len;

		chunk_len += wire_masked(
		    chunk + at, i == 0 ? WS_BINARY : WS_CONTINUATION, &byte, 1);
		if (i != FRAGMENTS - 1)
			chunk[at] &= 0x7f; /* not the last one */
	}
}

/* One node, as often as it is said to, each time in the place of the last. */
static void
replaced_tick(void)
{
	uint32_t i;

	for (i = 0; i < flood.held; i++) {
		if (peers[i].state != PEER_CLOSED)
			continue;
		if (!flood_may())
			return;
		peer_connect(&peers[i], port_of(i));
	}
}

static void
twins_tick(void)
{
	sessions_dial(flood.held);
}

const struct kind flood_deaf = { "deaf", each_init, deaf_tick, sessions_event };
const struct kind flood_ping = { "ping", ping_init, chunk_tick,
	sessions_event };
const struct kind flood_fragments = { "fragments", fragments_init, chunk_tick,
	sessions_event };
const struct kind flood_replaced = { "replaced", one_init, replaced_tick,
	sessions_event };
const struct kind flood_twins = { "twins", one_init, twins_tick,
	sessions_event };
