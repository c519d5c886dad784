/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/blocks.h"
#include "common/budget.h"
#include "common/channel.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/peermap.h"
#include "common/proto_drain.h"

#include "worker/drain.h"
#include "worker/endpoint.h"
#include "worker/gather.h"
#include "worker/headroom.h"
#include "worker/http.h"
#include "worker/login.h"
#include "worker/move.h"
#include "worker/networks.h"
#include "worker/punch.h"
#include "worker/route.h"
#include "worker/router.h"
#include "worker/session.h"
#include "worker/spent.h"
#include "worker/still.h"

#define RX_SIZE (256U << 10) /* most bytes of one read */

#define NO_SLOT UINT32_MAX

struct worker;

#define HINTS_SHIFT   12
#define WHEEL_BUCKETS 512 /* 128 s; a later deadline is looked at again */
#define LISTENERS_MAX (2 * PROTO_LISTENERS_MAX) /* old ones beside new ones */

/* How long turns of the loop take, measure.c. */
struct measure {
	ev_check begin;
	ev_prepare end;
	uint64_t began;   /* clock_ns() */
	uint64_t relayed; /* packets until then */
};

struct beacon_table;
struct source_table;
struct udp_socket;

#define UDP_SOCKETS_MAX 2560  /* twice what may be configured, at a reload */
#define ENDPOINT_FRESH  20    /* seconds in which a refresh is not told */
#define REPORTS_MAX     20000 /* WP_ENDPOINTs a second, of each kind */
#define NEWS_PER_SOURCE 4096  /* of these, of nodes that are new */
#define FIRST_KEYS_MAX  1024  /* that wait for the map */

/* A key that a Discover brought, until the map has the node there. */
struct first_key {
	struct endpoint at;
	struct msg_first_key msg;
};

/* States of the parent's channel. */
#define WORKER_NEW     0x1 /* nothing came yet */
#define WORKER_SETUP   0x2 /* between HELLO and START */
#define WORKER_RUNNING 0x4

#define BURST_OWN     256 /* small packets of our own */
#define BURST_OWN_MAX 24  /* bytes of one, and of what goes in front of it */

/* Small packets of our own that have not left yet. */
struct burst {
	uint8_t own[BURST_OWN][BURST_OWN_MAX];
	uint32_t nown;
};

struct accept_listener {
	ev_io io;
	uint32_t number;
	int proxy_protocol; /* boolean: connections begin with its header */
};

struct accept {
	struct accept_listener *listeners[LISTENERS_MAX];
	uint32_t nlisteners;
	ev_timer timer;
	int waited; /* boolean: stepped back for another worker just now */
};

/* What HTTP heads need. */
struct head {
	struct source_table *upgrades; /* per source */
	struct http_date date;
};

struct udp {
	struct udp_socket *sockets[UDP_SOCKETS_MAX];
	uint32_t nsockets;
	struct udp_in *in; /* where datagrams land, see udp_recv.c */
};

/* Syncs, in and out. */
struct gossip {
	struct source_table *sources;
	struct persecond told; /* WP_SYNCs */
	uint8_t *out;          /* the one that the parent is handing over */
	size_t out_len;
};

/*
 * A member that is a struct of a file's own is touched by that file alone; what
 * stands on its own is for all.
 */
struct worker {
	struct ev_loop *loop;
	struct channel parent;
	struct channel auth;
	struct msg_hello hello;
	struct msg_settings settings;
	struct peermap map;
	uint32_t tick;
	uint32_t now; /* clock_seconds() of this tick */
	int draining; /* boolean: to end with the last session */
	struct drain drain;

	/* The table of sessions: session.c, broken.c */
	struct session *sessions; /* settings.max_sockets of them */
	uint32_t nslots;          /* slots ever used */
	uint32_t slots_max;
	uint32_t free_slot; /* list through timer_next */
	uint32_t broken;    /* slot, list through timer_next */
	uint32_t nbroken;
	uint32_t load;      /* slots in use */
	uint32_t nupgraded; /* SESSION_NONCE to SESSION_CLOSING */

	size_t queued; /* bytes allocated for all outqs: outq.c */
	struct inbound inbound[INBOUND_KINDS];
	struct strangers strangers;
	struct spent spent[SPENT_SETS][SPENT_WAYS];
	struct networks proxies;      /* who is believed about its clients */
	struct log_limit disbelieved; /* proxies that named none */
	struct accept accept;
	struct head head;
	struct login login;
	struct pongs pongs;

	ev_prepare turn; /* turn.c */
	ev_timer ticker; /* timer.c */
	struct measure measure;
	uint32_t wheel[WHEEL_BUCKETS];

	uint8_t *rx; /* RX_SIZE bytes, RX_HEADROOM before them */
	struct gather gather;
	struct burst burst;
	struct routes routes;
	struct router router;
	struct upper upper; /* that there is now */
	struct udp udp;
	uint32_t hints[1U << HINTS_SHIFT]; /* lookup.h */

	struct blocks *blocks;        /* networks; NULL: none yet: blocked.c */
	struct source_table *packets; /* datagrams per source: datagram.c */
	struct source_table *news;    /* new nodes per source: discover.c */
	struct persecond reports[2];  /* WP_ENDPOINTs: discover.c */
	struct first_key first_keys[FIRST_KEYS_MAX]; /* discover.c */
	struct punch punch;
	struct gossip gossip;
	struct moves moves;
	struct still still;
	struct beacon_table *beacons;
};

/*
 * Seconds since `then`, as the parent's clock had it, which may be a moment
 * ahead of ours.
 */
static inline uint32_t
worker_age(const struct worker *w, uint32_t then)
{
	return ((int32_t)(w->now - then) < 0 ? 0 : w->now - then);
}

static inline uint32_t
session_slot(const struct worker *w, const struct session *s)
{
	return ((uint32_t)(s - w->sessions));
}

/* Where it is known what a node had used: spent.h */
static inline struct spent *
spent_set(struct worker *w, uint32_t node)
{
	return (w->spent[peermap_hash(w->map.header, node) % SPENT_SETS]);
}

/* The open session in slot of that generation, or NULL. */
static inline struct session *
session_open_at(struct worker *w, uint32_t slot, uint32_t generation)
{
	struct session *s;

	if (slot >= w->nslots)
		return (NULL);
	s = &w->sessions[slot];
	if (s->peer.generation != generation || s->state != SESSION_OPEN)
		return (NULL);
	return (s);
}

/* The channel to another worker; NULL: there is none just now. */
static inline struct sibling *
route_to(const struct worker *w, uint32_t place)
{
	struct sibling *sib;

	sib = place < PROTO_PLACES_MAX ? w->routes.siblings[place] : NULL;
	return (sib != NULL && sib->open ? sib : NULL);
}

/* Boolean: sessions are coming from other workers. */
static inline int
move_in_is_any(const struct worker *w)
{
	return (w->moves.nin > 0);
}

/* Boolean: nothing is accepted just now, and perhaps nothing read; still.c */
static inline int
still_holds(const struct worker *w, uint32_t stage)
{
	return (w->still.stage >= stage);
}

/* Boolean: it is neither read nor written, as all stand still. */
static inline int
session_stands_still(const struct worker *w, const struct session *s)
{
	return (still_holds(w, STILL_ALL) && !ev_is_active(&s->io));
}

/* As session_write_frame(), to a session that is known to be there. */
static inline void
session_write(struct worker *w, struct session *s, uint8_t *frame, size_t len)
{
	size_t header;

	header = ws_header_len(len);
	(void)ws_header_build(frame - header, WS_BINARY, len);
	gather_frame(w, s, frame - header, header + len);
}

/* Boolean: what /health says. */
static inline int
drain_is_healthy(const struct worker *w)
{
	return (w->drain.phase == DRAIN_NOT);
}

/* Boolean: somebody who wants to be a peer may try. */
static inline int
drain_takes_peers(const struct worker *w)
{
	return (w->drain.phase != DRAIN_CLOSING);
}

/* Where the node of an entry is by UDP. */
static inline void
path_to(const struct worker *w, struct path *path,
    const struct peermap_entry *entry)
{
	memcpy(path->far.addr, entry->addr, sizeof(path->far.addr));
	path->far.port = entry->port;
	peermap_near(&w->map, entry->near, path->near);
	path->listener = entry->flags >> PEERMAP_LISTENER_SHIFT;
}

/*
 * Bytes behind the last run are kept by others, who have gathered them for
 * somebody else: gather.c
 */
static inline void
gather_hold(struct worker *w)
{
	w->gather.held = 1;
}

/* Does a message wait where it was read?  route.c */
static inline int
route_is_in_place(const struct worker *w)
{
	return (w->routes.in_place);
}

/* Do small packets wait for other workers?  route.c */
static inline int
route_is_staged(const struct worker *w)
{
	return (w->routes.stage_len > 0);
}

/* Do packets of our own wait?  burst.c */
static inline int
burst_is_begun(const struct worker *w)
{
	return (w->burst.nown > 0);
}

/*
 * Boolean: may the parent be told what need not reach it?  The other half of
 * its queue is for what must: tell.c
 */
static inline int
tell_has_room(const struct worker *w)
{
	return (channel_queued(&w->parent) <= CHANNEL_LIMIT / 2);
}

/* accept.c */
const char *accept_listen(struct worker *, const struct msg_listener *, int);
const char *accept_unlisten(struct worker *, uint32_t);
void accept_start(struct worker *);
void accept_stop(struct worker *);
uint32_t accept_descriptors(const struct worker *);

/* beacons.c */
const char *beacons_set(struct worker *, const struct msg_beacon *);
uint32_t beacons_known(const struct worker *, const struct endpoint *, int);
void beacons_sync(
    struct worker *, const struct path *, const uint8_t *, size_t);
const char *beacons_send_sync(
    struct worker *, const struct msg_sync *, const uint8_t *, size_t);

/* blocked.c */
const char *blocked_set(struct worker *, const struct msg_address *);

/* May nothing come from there?  Asked for each datagram. */
static inline int
blocked(const struct worker *w, const uint8_t addr[16])
{
	return (w->blocks != NULL && blocks_cover(w->blocks, addr));
}

/* burst.c */
void burst_end(struct worker *);
uint8_t *burst_own(struct worker *);

/* datagram.c */
void datagram(struct worker *, const struct path *, uint8_t *, size_t);

/* discover.c */
/* What became of the word that a node is at some address. */
enum noted {
	NOTED,      /* the map has it */
	NOTED_HELD, /* the map keeps the address of a moment ago */
	NOTED_SOON, /* the parent was told */
	NOTED_NOT
};
enum noted discover_note(struct worker *, uint32_t node, const struct path *,
    const struct peermap_entry *, uint32_t ex, int);
void discover_answer(struct worker *, const struct path *);
void discover_noted(struct worker *, const struct msg_endpoint *);
void discover(struct worker *, const struct path *,
    const struct peermap_entry *, const uint8_t *, size_t);

/* from_auth.c */
void from_auth_open(struct worker *, int);

/* from_parent.c */
void from_parent_init(struct worker *);

/* measure.c */
void measure_init(struct worker *);
void measure_next(struct worker *);

/* relay.c */
enum relay_source { RELAY_FROM_WSS, RELAY_FROM_UDP, RELAY_FROM_BEACON };
void relay_packet(
    struct worker *, enum relay_source, uint32_t *, uint8_t *, size_t);
extern const struct upper relay_upper;
void relay_delivery(struct worker *, uint32_t worker, uint32_t dest,
    uint32_t sender, uint8_t *, size_t);

/* tell.c */
void tell_parent(struct worker *, enum worker_to_parent, const void *, size_t);
void tell_closed(struct worker *, uint32_t node, uint32_t generation);
int tell_may_have_heard(struct worker *, const uint8_t[16], uint32_t);

/* turn.c */
void turn_init(struct worker *);

/* udp.c */
const char *udp_open(struct worker *, const struct msg_udp *, int, io_cb);
void udp_start(struct worker *);
void udp_stop(struct worker *);
uint64_t udp_waiting(const struct worker *);
uint32_t udp_descriptors(const struct worker *);
void udp_close(struct worker *, uint32_t);
struct udp_socket *udp_share(struct worker *, uint32_t, const uint8_t[16]);

/* udp_recv.c */
const char *udp_recv_open(struct worker *, const struct msg_udp *, int);

/* udp_send.c */
void udp_send(struct worker *, const struct path *, uint8_t *, size_t);
void udp_send_from(struct udp_socket *, const struct path *, uint8_t *, size_t);
void udp_flush(struct worker *);

#endif /* WORKER_WORKER_H */
