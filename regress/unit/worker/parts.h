/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_WORKER_PARTS_H
#define REGRESS_UNIT_WORKER_PARTS_H

#include <sys/mman.h>

#include <stdlib.h>

#include "regress/unit/test.h"
#include "worker/worker.h"

/* A worker, and as much of it as a test needs. */
static struct worker w;

#define PARTS_SESSIONS 4

/* How often that was counted since `was` was noted. */
#define COUNTED(counter) counters_read(counters, COUNTER_##counter)

/* In the place of whoever has what peers send: who came, and went. */
static int parts_came, parts_gone;

static inline void
parts_peer(struct worker *of, const struct origin *peer, int came)
{
	*(came ? &parts_came : &parts_gone) += 1;
}

static inline void
parts_loop(void)
{
	w.upper.peer = parts_peer;
	w.loop = ev_loop_new(EVFLAG_NOENV);
	if (w.loop == NULL)
		abort();
}

/* A place for each of PARTS_SESSIONS sessions, in use. */
static inline struct session *
parts_sessions(void)
{
	static struct session sessions[PARTS_SESSIONS];

	w.sessions = sessions;
	w.nslots = w.slots_max = PARTS_SESSIONS;
	w.free_slot = NO_SLOT;
	return (sessions);
}

/* Session i, anew, in that state. */
static inline struct session *
parts_session(uint32_t i, enum session_state state)
{
	struct session *s;

	s = &w.sessions[i];
	memset(s, 0, sizeof(*s));
	s->state = (uint8_t)state;
	s->serial = 100 + i;
	s->peer.slot = i;
	s->io.fd = -1;
	return (s);
}

/* 127.0.0.0/8 is where proxies are. */
static inline void
parts_trust_loopback(void)
{
	w.proxies.list[0].prefix = 96 + 8;
	memcpy(w.proxies.list[0].addr + 10, "\xff\xff\x7f", 3);
	w.proxies.n = 1;
}

/* The map, empty. */
static inline struct peermap_header *
parts_map(void)
{
	struct peermap_header *header;

	header = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (header == MAP_FAILED)
		abort();
	header->index = PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
	peermap_view(&w.map, header);
	return (header);
}

/* The entry of a node, a small number, in the map from now on. */
static inline struct peermap_entry *
parts_know(uint32_t node)
{
	struct peermap_entry *entry;
	uint32_t *index;
	uint8_t *base;

	base = (uint8_t *)(uintptr_t)w.map.header;
	index = (void *)(base + PEERMAP_INDEX_OFF);
	index[peermap_hash(w.map.header, node) &
	      PEERMAP_INDEX_MASK(w.map.header->index)] = node + 1;
	entry = (void *)(base + PEERMAP_ENTRY_OFF);
	entry[node].node = node;
	return (&entry[node]);
}

/* An address of IPv4, v4-mapped, by its last byte: 192.0.2.host. */
static inline struct endpoint
parts_endpoint(uint8_t host, uint16_t port)
{
	struct endpoint at;

	memset(&at, 0, sizeof(at));
	memcpy(at.addr + 10, "\xff\xff\xc0\0\2", 5);
	at.addr[15] = host;
	at.port = port;
	return (at);
}

static inline struct path
parts_path(uint8_t host, uint16_t port)
{
	struct path path;

	memset(&path, 0, sizeof(path));
	path.far = parts_endpoint(host, port);
	return (path);
}

static inline void
parts_ended(void *owner, const char *reason)
{
}

/* A channel of the worker's, and the other end of it. */
static inline void
parts_channel(struct channel *channel, struct imsgbuf *other)
{
	static const struct channel_rule no_rules[1];
	int pair[2];

	if (channel_pair(pair) == -1 ||
	    channel_open(channel, w.loop, pair[0], "other", no_rules, 0,
		parts_ended, &w) == -1 ||
	    imsgbuf_init(other, pair[1]) == -1)
		abort();
}

/*
 * The next message that came out there: 1 if it is of that type and size, 0 if
 * it is another, -1 if there is none.
 */
static inline int
parts_told(struct channel *channel, struct imsgbuf *other, uint32_t type,
    void *data, size_t len)
{
	struct imsg imsg;
	int r;

	(void)channel_flush(channel);
	if (imsgbuf_get(other, &imsg) != 1 &&
	    (imsgbuf_read(other) != 1 || imsgbuf_get(other, &imsg) != 1))
		return (-1);
	r = imsg_get_type(&imsg) == type && imsg.peerid == 0 &&
	    imsg_get_len(&imsg) == len &&
	    (len == 0 || imsg_get_data(&imsg, data, len) == 0);
	imsg_free(&imsg);
	return (r);
}

#endif /* REGRESS_UNIT_WORKER_PARTS_H */
