/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <ev.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/budget.h"
#include "common/bytes.h"
#include "common/channel.h"
#include "common/counters.h"
#include "common/peermap.h"
#include "common/proto.h"
#include "common/ws_frame.h"

#include "worker/http.h"
#include "worker/inbound.h"
#include "worker/outq.h"
#include "worker/stranger.h"

#define RX_SIZE     (256U << 10) /* most bytes of one read */
#define RX_HEADROOM 64           /* bytes before it that may be overwritten */

/* What goes in front of a packet when it leaves over a WebSocket. */
#define FRAME_HEADROOM   4      /* a server's header, doc/protocol.md 2 */
#define DELIVERY_MAX     32768U /* largest message to a peer */
#define MESSAGE_HEADROOM 16     /* before a reassembled message */

#define TICK_MS        250
#define TICKS(seconds) ((uint32_t)(seconds) * (1000 / TICK_MS))
#define CLOSE_TICKS    TICKS(3) /* for the other side of a close */
#define QUIET_TICKS    2        /* without a byte, where none counts any more */
#define LINGER_TICKS   TICKS(1) /* for the EOF after an HTTP answer */
#define STRANGER_TICKS TICKS(1) /* to log in, before a newer one is preferred */

#define NO_SLOT UINT32_MAX

/* Bytes of pongs in one write, 16 of the largest; one more has room behind. */
#define PONGS_FULL (15 * (WS_CONTROL_MAX + 2))

/* Where somebody is. */
struct endpoint {
	uint8_t addr[16]; /* IPv6 or v4-mapped */
	uint16_t port;    /* 0: none */
};

/*
 * The peer that hands in packets: all that the relay knows of its session.
 * slot and generation are where answers go, as in struct peermap_entry.
 */
struct origin {
	uint32_t node;
	uint32_t generation;
	uint32_t slot;
	uint32_t hint;      /* of its last destination, see lookup.h */
	struct endpoint at; /* as the proxy reported it; port 0: not known */
};

enum session_state {
	SESSION_FREE,
	SESSION_HEAD,    /* the HTTP head is coming in */
	SESSION_NONCE,   /* upgraded; auth owes us a nonce */
	SESSION_REPLY,   /* challenge sent */
	SESSION_VERIFY,  /* reply handed to auth */
	SESSION_OPEN,    /* in the peer map */
	SESSION_CLOSING, /* close frame sent */
	SESSION_LINGER,  /* HTTP answer sent; only the EOF is awaited */
	SESSION_BROKEN   /* it ended in this turn of the loop, see broken.c */
};

#define SESSION_STATE_BIT(state) (1U << (state))

#define SKIP_ALL UINT32_MAX /* as a session's skip: all that comes */

/*
 * One connection.  Flat, and with the descriptor the whole of what there is to
 * know of it, but for bytes under way (pending, message, outq: NULL at rest).
 * Other sessions are named by number, never by pointer.
 */
struct session {
	ev_io io;
	struct pending *pending;
	struct message *message;
	struct outq *outq;
	struct stranger *stranger; /* NULL once it has logged in */
	uint32_t serial;           /* grows with each use of the slot */
	struct origin peer;
	uint32_t map_number; /* of the node's entry in the peer map */
	uint32_t timer_next; /* slots in the same bucket of the wheel */
	uint32_t timer_prev;
	uint32_t due;      /* tick of the next look at this session */
	uint32_t deadline; /* tick; of the head, the login or the close */
	uint32_t heard;    /* tick of the last whole frame from the peer */
	uint32_t ping_due; /* tick */
	struct persecond packets;
	uint32_t skip; /* bytes to come that nobody wants: SESSION_CLOSING */
	uint64_t frames_in;
	uint64_t frames_out;
	uint8_t state;  /* enum session_state */
	uint8_t was;    /* its state before SESSION_BROKEN */
	uint8_t outlet; /* 1 + place in gather.outlets; 0: none */
};

/* Consecutive bytes that leave together: whole frames for one session. */
struct run {
	uint8_t *base;
	uint32_t len;
	uint32_t frames;
	uint32_t next; /* index; 0: last */
};

#define GATHER_RUNS    512
#define GATHER_OUTLETS 128

struct outlet {
	uint32_t slot;
	uint32_t first; /* run */
	uint32_t last;  /* run */
	uint32_t runs;
};

/*
 * Frames on their way out, still where they were read (doc/architecture.md 5).
 */
struct gather {
	struct run runs[GATHER_RUNS]; /* 0 is not used */
	struct outlet outlets[GATHER_OUTLETS];
	uint32_t nruns;
	uint32_t noutlets;
	int held; /* boolean: bytes after the last run are kept by others */
};

#define BURST_OWN     256 /* small packets of our own */
#define BURST_OWN_MAX 24  /* bytes of one, and of what goes in front of it */

struct worker;

/* What libev calls when a descriptor is ready. */
typedef void (*io_cb)(struct ev_loop *, ev_io *, int);

#define ROUTE_HEADER      sizeof(struct imsg_header)
#define ROUTE_MESSAGE_MAX (ROUTE_HEADER + DELIVERY_MAX)
#define ROUTE_QUEUE_MAX   (4U << 20) /* bytes that wait for one worker */
#define ROUTE_IOV         256
#define ROUTE_STAGE       (64U << 10)

/* Another worker, at the other end of a channel of WW_PACKETs. */
struct sibling {
	struct worker *worker;
	ev_io reader;
	ev_io writer;
	uint32_t number;
	int open;
	uint8_t *part; /* the start of a message whose rest is to come */
	uint32_t part_len;
	uint32_t niov; /* gathered, not sent yet */
	struct iovec iov[ROUTE_IOV];
	/* What the socket did not take: */
	uint8_t *rest; /* of a message that has begun to leave */
	uint32_t rest_head;
	uint32_t rest_len;
	struct bytes queue; /* whole messages after it */
};

struct nonce {
	uint32_t number;
	uint32_t fetched; /* tick */
	uint64_t wall;    /* see msg_nonces */
	uint8_t value[PROTO_NONCE_LEN];
};

#define NONCES_MAX      256       /* in hand */
#define NONCES_LOW      128       /* ask for more below this */
#define NONCE_TICKS_MAX TICKS(30) /* older ones are not handed to clients */
#define HINTS_SHIFT     12
#define WHEEL_BUCKETS   512 /* 128 s; a later deadline is looked at again */
#define LISTENERS_MAX   PROTO_LISTENERS_MAX

/* A session in line for a nonce. */
struct waiter {
	uint32_t slot;
	uint32_t serial;
};

struct beacon_table;
struct source_table;
struct udp_socket;

#define UDP_SOCKETS_MAX  1280 /* a service manager has 1024 at most */
#define UDP_LISTENER_ANY PROTO_LISTENER_ANY
#define EXEMPT_MAX       1024  /* networks */
#define GRANTS_MAX       256   /* PunchRequests that wait for auth */
#define ENDPOINT_FRESH   20    /* seconds in which a refresh is not told */
#define REPORTS_MAX      20000 /* WP_ENDPOINTs a second, of each kind */

/* By which way a datagram came, and what is sent back goes. */
struct path {
	struct endpoint far; /* the other end */
	uint8_t near[16];    /* ours; zero: as the socket is bound */
	uint32_t listener;   /* or UDP_LISTENER_ANY */
};

/* A PunchRequest whose grant auth looks at. */
struct grant {
	struct path path;
	uint32_t requester;
	uint32_t target;
	uint32_t request; /* grows; 0: free */
};

/* States of the parent's channel. */
#define WORKER_NEW     0x1 /* nothing came yet */
#define WORKER_SETUP   0x2 /* between HELLO and START */
#define WORKER_RUNNING 0x4

struct worker {
	struct ev_loop *loop;
	struct channel parent;
	struct channel auth;
	struct msg_hello hello;
	struct msg_settings settings;
	struct peermap map;
	uint32_t tick;
	uint32_t now; /* clock_seconds() of this tick */
	int draining;
	int started;

	ev_io listeners[LISTENERS_MAX];
	uint32_t nlisteners;
	ev_timer accept_timer;
	int accept_waited; /* stepped back for another worker just now */

	struct session *sessions; /* settings.max_sockets of them */
	uint32_t nslots;          /* slots ever used */
	uint32_t slots_max;
	uint32_t free_slot; /* list through timer_next */
	uint32_t broken;    /* slot, list through timer_next */
	uint32_t nbroken;
	uint32_t load;      /* slots in use */
	uint32_t nupgraded; /* SESSION_NONCE to SESSION_CLOSING */
	size_t queued;      /* bytes allocated for all outqs */
	struct inbound inbound[INBOUND_KINDS];
	struct strangers strangers;

	ev_timer ticker;
	uint32_t wheel[WHEEL_BUCKETS];

	struct nonce nonces[NONCES_MAX];
	uint32_t nnonces;
	uint32_t nonces_asked;
	struct waiter *waiters; /* ring of slots_max entries */
	uint32_t waiters_head;
	uint32_t nwaiters;

	uint8_t pongs[PONGS_FULL + WS_CONTROL_MAX + 2]; /* of this read */
	size_t pongs_len;
	size_t pong_last; /* where the last of them begins */
	struct gather gather;
	uint8_t own[BURST_OWN][BURST_OWN_MAX]; /* see burst_own() */
	uint32_t nown;
	uint32_t hints[1U << HINTS_SHIFT]; /* see lookup_hint() */
	uint8_t *rx; /* RX_SIZE bytes, RX_HEADROOM before them */
	struct sibling *siblings[PROTO_WORKERS_MAX];
	uint8_t *stage; /* small packets for other workers, ROUTE_STAGE */
	uint32_t stage_len;
	int route_in_place; /* boolean: some wait where they were read */
	ev_prepare turn;    /* sends what is left before the loop blocks */
	struct source_table *upgrades; /* upgrades per source */
	struct http_date date;

	struct udp_socket *udp[UDP_SOCKETS_MAX];
	uint32_t nudp;
	struct source_table *packets; /* datagrams per source */
	struct source_table *punches; /* PunchRequests per source */
	struct source_table *syncs;   /* Syncs per source */
	struct beacon_table *beacons;
	struct msg_address exempt[EXEMPT_MAX];
	uint32_t nexempt;
	struct grant grants[GRANTS_MAX];
	uint32_t last_grant;
	uint32_t punch_second;
	uint32_t punch_count;
	uint32_t report_second;
	uint32_t reports[2]; /* WP_ENDPOINTs of that second: news, refreshes */
	uint32_t sync_second;
	uint32_t sync_count; /* WP_SYNCs of that second */
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

/* Ticks go round. */
static inline int
tick_before(uint32_t a, uint32_t b)
{
	return ((int32_t)(a - b) < 0);
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

/* Has it got its 101, and not hung up yet? */
static inline int
session_is_upgraded(const struct session *s)
{
	return (s->state >= SESSION_NONCE && s->state <= SESSION_CLOSING);
}

static inline uint32_t
session_slot(const struct worker *w, const struct session *s)
{
	return ((uint32_t)(s - w->sessions));
}

/* accept.c */
const char *accept_listen(struct worker *, int);
void accept_start(struct worker *);

/* beacons.c */
const char *beacons_set(struct worker *, const struct msg_beacon *);
int beacons_known(const struct worker *, const struct endpoint *, int);
void beacons_sync(
    struct worker *, const struct path *, const uint8_t *, size_t);
const char *beacons_send_sync(
    struct worker *, const struct msg_sync *, const uint8_t *, size_t);

/* broken.c */
void broken_mark(struct worker *, struct session *);
struct session *broken_take(struct worker *);

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
enum noted discover_note(struct worker *, uint32_t, const struct path *,
    const struct peermap_entry *, uint32_t, int);
void discover_answer(struct worker *, const struct path *);
void discover_noted(struct worker *, const struct msg_endpoint *);
void discover(struct worker *, const struct path *,
    const struct peermap_entry *, const uint8_t *, size_t);

/* from_auth.c */
void from_auth_open(struct worker *, int);

/* from_parent.c */
void from_parent_init(struct worker *);

/* gather.c */
void gather_frame(struct worker *, struct session *, uint8_t *, size_t);
void gather_flush(struct worker *);

/* login.c */
int login_has_room(struct worker *);
void login_begin(struct worker *, struct session *, const char *, size_t);
void login_message(
    struct worker *, struct session *, int, const uint8_t *, size_t);
const char *login_nonces(
    struct worker *, const struct msg_nonces *, const uint8_t *);
void login_open(struct worker *, const struct msg_open *);
void login_fail(struct worker *, struct session *);
void login_refused(struct worker *, const struct msg_refused *);
void login_later(struct worker *, const struct msg_refused *);
void login_refuse(struct worker *, const struct msg_refuse *);
void login_auth_lost(struct worker *);
void login_top_up(struct worker *);

/* punch.c */
const char *punch_exempt(struct worker *, const struct msg_address *);
void punch_request(
    struct worker *, const struct path *, int, const uint8_t *, size_t);
void punch_granted(struct worker *, const struct msg_granted *);

/* relay.c */
enum relay_source { RELAY_FROM_WSS, RELAY_FROM_UDP, RELAY_FROM_BEACON };
void relay_packet(
    struct worker *, enum relay_source, uint32_t *, uint8_t *, size_t);
void relay_frame(struct worker *, struct origin *, uint8_t *, size_t);
void relay_delivery(
    struct worker *, uint32_t, uint32_t, uint32_t, uint8_t *, size_t);

/* route.c */
const char *route_open(struct worker *, uint32_t, int, io_cb);
void route_close(struct sibling *);
int route_packet(
    struct worker *, uint32_t, uint32_t, uint32_t, uint8_t *, size_t);
void route_flush(struct worker *);

/* route_recv.c */
const char *route_recv_open(struct worker *, uint32_t, int);

/* session.c */
void session_init(struct worker *);
struct session *session_new(
    struct worker *, int, io_cb, const uint8_t[16], uint16_t);
void session_reap(struct worker *);
int session_make_room(struct worker *, const struct stranger *);
int session_join_source(struct worker *, struct session *);
void session_drained(struct worker *);
void session_close(struct worker *, struct session *, int, const char *);
void session_fail(struct worker *, struct session *, int, const char *);
void session_violation(struct worker *, struct session *, int, const char *);
void session_send_pongs(struct worker *, struct session *);
void session_stop_listening(struct worker *, struct session *);
void session_close_all(struct worker *, int, const char *);
struct session *session_find(struct worker *, uint32_t, uint32_t, uint32_t);
int session_current(struct worker *, const struct session *);
void session_removed(struct worker *, struct session *, uint32_t);
void session_try_later(struct worker *, struct session *);
void session_crowded_out(struct worker *, struct session *);
void session_superseded(struct worker *, struct session *);
int session_write_frame(struct worker *, uint32_t, uint32_t, uint8_t *, size_t);

/* session_control.c */
void session_control(struct worker *, struct session *,
    const struct ws_header *, const uint8_t *);

/* session_frame.c */
size_t session_frames(
    struct worker *, struct session *, uint8_t *, size_t, size_t *);
void session_frame_grows(struct worker *, struct session *);

/* session_head.c */
size_t session_head(struct worker *, struct session *, const uint8_t *, size_t);
void session_answer(struct worker *, struct session *, int);

/* session_read.c */
void session_io(struct ev_loop *, ev_io *, int);

/* tell.c */
void tell_parent(struct worker *, enum worker_to_parent, const void *, size_t);
void tell_closed(struct worker *, uint32_t node, uint32_t generation);
int tell_may_have_heard(struct worker *, const uint8_t[16], uint32_t);

/* turn.c */
void turn_init(struct worker *);

/* udp.c */
const char *udp_open(struct worker *, const struct msg_udp *, int, io_cb);
void udp_start(struct worker *);
struct udp_socket *udp_share(struct worker *, uint32_t, const uint8_t[16]);

/* udp_recv.c */
const char *udp_recv_open(struct worker *, const struct msg_udp *, int);

/* udp_send.c */
void udp_send(struct worker *, const struct path *, uint8_t *, size_t);
void udp_send_from(struct udp_socket *, const struct path *, uint8_t *, size_t);
void udp_flush(struct worker *);

/* timer.c */
void timer_init(struct worker *);

/* wheel.c */
void wheel_init(struct worker *);
uint32_t wheel_due(const struct worker *, const struct session *);
void wheel_set(struct worker *, struct session *);
void wheel_clear(struct worker *, struct session *);
struct session *wheel_take(struct worker *);

#endif /* WORKER_WORKER_H */
