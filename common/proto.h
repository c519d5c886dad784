/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_H
#define COMMON_PROTO_H

#include <stdint.h>

#include "common/proto_metrics.h"
#include "common/proto_registry.h"
#include "common/proto_stat.h"

/*
 * Everything that the processes say to each other (doc/architecture.md 2), one
 * enum per direction; proto_ctl.h has what beaconctl says. The receiver's table
 * (struct channel_rule) holds sizes, states and handlers. All structs consist
 * of naturally aligned unsigned integers in host order without padding;
 * addresses are 16 bytes, IPv6 or v4-mapped, in network order; ports are host
 * order; times that beaconctl is told are unix seconds, all others of
 * common/clock.h unless said.
 *
 * A connection in a worker is named by (slot, serial): its place in the table,
 * and how often that was used.  epoch grows with each restart of a worker.
 */
#define BEACOND_VERSION "0.1"

#define PROTO_VERSION_LEN      16
#define PROTO_WORKERS_MAX      64
#define PROTO_PLACES_MAX       (2 * PROTO_WORKERS_MAX)
#define PROTO_LISTENERS_MAX    64 /* of a kind */
#define PROTO_LISTENER_NUMBERS 128
#define PROTO_NONCE_LEN        32
#define PROTO_KEY_LEN          32
#define PROTO_SIG_LEN          64
#define PROTO_NONCES_MAX       64 /* in one AW_NONCES */
#define PROTO_REASON_LEN       64
#define PROTO_BEACONS_MAX      4096  /* sources of gossip */
#define PROTO_SYNC_MAX         16374 /* ids in one Sync datagram */
#define PROTO_DELIVERY_MAX     32768 /* bytes of a message to a peer */
#define PROTO_SYNC_CHUNK       2048  /* ids in one WP_SYNC or PW_SYNC */

#define PROTO_PREFIX_NONE    0xffff     /* ends a list of networks */
#define PROTO_BEACON_DEFAULT UINT32_MAX /* PW_BEACON: the default beacon */
#define PROTO_LISTENER_ANY   UINT32_MAX /* whichever reaches the other end */

/* The programs of the daemon, as the control protocol numbers them too. */
enum role { ROLE_PARENT, ROLE_AUTH, ROLE_WORKER, ROLE_METRICS, ROLE_MAX };

#define PROTO_STRUCT(name, size) \
	_Static_assert(sizeof(struct name) == (size), #name " has padding")

/* What a child finds open when it starts; LOG_CHILD_FD is 4. */
#define CHILD_PARENT_FD 3 /* the channel to the parent */

/* Seconds without a pong after which a child counts as hung. */
#define CHILD_HANG_TIMEOUT  10
#define CHILD_PING_INTERVAL 2

/* Where a node is by UDP (doc/protocol.md 4.2): parent and workers agree. */
#define ENDPOINT_EXPIRE 600 /* seconds without a Discover */
#define ENDPOINT_HOLD   30  /* seconds between two changes of address */

/*
 * First message to a child, and its answer: both ends of one build.  layout is
 * a checksum of the headers that the processes share (GNUmakefile), so that a
 * struct that changed in an unchanged version is noticed.
 */
struct msg_hello {
	char version[PROTO_VERSION_LEN];
	uint32_t layout;
	uint32_t worker; /* own place; 0 for all but workers */
	uint32_t epoch;
};
PROTO_STRUCT(msg_hello, 28);

/* What the configuration tells a child; sent again after a reload. */
struct msg_settings {
	uint32_t auth_timeout; /* seconds, as are the next four */
	uint32_t head_timeout;
	uint32_t idle_timeout;
	uint32_t ping_interval;
	uint32_t write_timeout;
	uint32_t nworkers;
	uint32_t max_peers;            /* 0: unlimited */
	uint32_t max_frame;            /* bytes of one message */
	uint32_t legacy_signatures;    /* boolean */
	uint32_t source_packet_limit;  /* packets/s; 0: off */
	uint32_t source_byte_limit;    /* bytes/s; 0: off */
	uint32_t source_upgrade_limit; /* upgrades/s, of this worker */
	uint32_t require_punch_grant;  /* boolean */
	uint32_t punch_source_limit;   /* per source ip per second; 0: off */
	uint32_t punch_total_limit;    /* per second, this worker's share */
	uint32_t gossip_from_any;      /* boolean */
	uint32_t forwarded;            /* boolean: by RFC 7239 */
	uint32_t max_sockets;          /* connections this worker may hold */
	uint32_t router_drop; /* boolean: without a router, nobody routes */
	uint32_t log_level;   /* as in syslog(3); none beyond it */
	uint32_t steered;     /* boolean: datagrams come by common/steer.h */
	uint32_t steer_key;
};
PROTO_STRUCT(msg_settings, 88);

struct msg_address {
	uint8_t addr[16];
	uint16_t port;
	uint16_t prefix; /* bits, for lists of networks; else 128 */
	uint32_t number; /* what it is depends on the message */
};
PROTO_STRUCT(msg_address, 24);

/* ---- parent -> worker ------------------------------------------------- */
/*
 * Start: HELLO SETTINGS MAP COUNTERS LISTENER* UDP* AUTH SIBLING* EXEMPT*
 * PROXY* START; the worker answers WP_READY.  After a restart of auth or of
 * another worker: AUTH or SIBLING once more, replacing the earlier channel.
 */
enum parent_to_worker {
	PW_HELLO = 0x100, /* msg_hello */
	PW_SETTINGS,      /* msg_settings */
	PW_MAP,           /* fd: the peer map */
	PW_COUNTERS,      /* fd: the worker's page */
	PW_LISTENER,      /* msg_listener + fd: a listening TCP socket */
	PW_UDP,           /* msg_udp + fd: this worker's socket */
	PW_UNLISTEN,      /* msg_unlisten: one of these is not used any more */
	PW_AUTH,          /* fd: channel to auth */
	PW_SIBLING,       /* msg_sibling + fd: channel to another worker */
	PW_EXEMPT,        /* msg_address: network exempt from punch limits;
			   * PROTO_PREFIX_NONE: those since the last such are
			   * the list from now on */
	PW_PROXY,         /* likewise: who is believed about its clients */
	PW_BEACON,        /* msg_beacon: where source number is, or
			   * PROTO_BEACON_DEFAULT; port 0: nobody */
	PW_ENDPOINT,      /* msg_endpoint: the map has it, answer the node */
	PW_WINDOW,        /* fd: memory for the next PW_ROUTER */
	PW_ROUTER,        /* fd: channel to the router, common/proto_frame.h */
	PW_ROUTER_END,    /* empty: it is gone */
	PW_DRAIN,         /* msg_drain, common/proto_drain.h */
	PW_START,         /* empty */
	PW_OPEN,          /* msg_open: the session is in the map */
	PW_REFUSE,        /* msg_refuse: it is not going to be */
	PW_CLOSE,         /* msg_close: replaced or revoked */
	PW_BLOCK,         /* msg_address: blocked (number 1), or no more (0) */
	PW_STAT,          /* msg_stat + msg_stat_session*: WP_STAT is wanted */
	PW_SYNC,          /* msg_sync + u32 ids: gossip to send */
	PW_MOVE_OUT,      /* msg_move, msg_move_session*, fd: they are to go */
	PW_MOVE_IN,       /* likewise: and to come */
	PW_MOVED,         /* msg_moved: what has become of it */
	PW_FENCE,         /* msg_moved: the map has it, common/proto_move.h */
	PW_STILL,         /* msg_still, common/proto_park.h */
	PW_PARK,          /* msg_park + fd: tell there of sessions, likewise */
	PW_FORGET,        /* msg_forget, likewise */
	PW_PING,          /* empty; WP_PONG is wanted at once */
	PW_SHUTDOWN       /* empty: say goodbye to all peers, then exit */
};

/*
 * A worker is named by its place: that number modulo PROTO_WORKERS_MAX says
 * which part of the work it has.
 *
 * A listener's number is its own among those of its kind, and another's once it
 * is gone; below PROTO_LISTENER_NUMBERS, as the map keeps it in seven bits.
 */
struct msg_listener {
	uint32_t number;
	uint32_t
	    proxy_protocol; /* boolean: connections begin with its header */
};
PROTO_STRUCT(msg_listener, 8);

/* kind of a msg_udp */
enum udp_kind {
	UDP_LISTENER, /* address from the configuration */
	UDP_SHARE     /* a further port for gossip */
};

struct msg_udp {
	uint32_t kind;
	uint32_t listener; /* its number */
	uint32_t share;    /* which port for gossip it is; 0: UDP_LISTENER */
};
PROTO_STRUCT(msg_udp, 12);

struct msg_unlisten {
	uint32_t udp; /* boolean */
	uint32_t number;
};
PROTO_STRUCT(msg_unlisten, 8);

struct msg_sibling {
	uint32_t worker; /* its place */
};
PROTO_STRUCT(msg_sibling, 4);

struct msg_open {
	uint32_t slot;
	uint32_t serial;
	uint32_t node;
	uint32_t generation;
};
PROTO_STRUCT(msg_open, 16);

enum refuse_reason { REFUSE_CAPACITY = 1, REFUSE_FLAPPING, REFUSE_BLOCKED };

struct msg_refuse {
	uint32_t slot;
	uint32_t serial;
	uint32_t reason; /* enum refuse_reason */
};
PROTO_STRUCT(msg_refuse, 12);

enum close_reason { CLOSE_REPLACED = 1, CLOSE_REVOKED, CLOSE_DROPPED };

struct msg_close {
	uint32_t slot;
	uint32_t generation;
	uint32_t reason; /* enum close_reason */
};
PROTO_STRUCT(msg_close, 12);

/* Another beacon, and where it knows us. */
struct msg_beacon {
	uint8_t addr[16];
	uint8_t near[16]; /* ours that it sends to; zero: not known */
	uint32_t port;
	uint32_t listener; /* by which it comes, or PROTO_LISTENER_ANY */
	uint32_t number;
};
PROTO_STRUCT(msg_beacon, 44);

/* One Sync in chunks of at most PROTO_SYNC_CHUNK ids. */
struct msg_sync {
	uint8_t addr[16]; /* of the beacon that sent it or is to get it */
	uint8_t near[16]; /* ours; zero: as the socket is bound */
	uint32_t listener;
	uint16_t port;
	uint16_t count;  /* ids that follow */
	uint32_t beacon; /* beacon id */
	uint32_t share;  /* PW: which of our ports sends it; WP: 0 */
	uint32_t first;  /* boolean: begins a Sync */
	uint32_t last;   /* boolean: ends it */
};
PROTO_STRUCT(msg_sync, 56);

/* ---- worker -> parent ------------------------------------------------- */
enum worker_to_parent {
	WP_READY = 0x200, /* msg_hello */
	WP_CLOSED,        /* msg_closed: an open session has ended */
	WP_STAT,          /* msg_stat + msg_stat_row* */
	WP_ENDPOINT,      /* msg_endpoint: a Discover was seen */
	WP_SYNC,          /* msg_sync + u32 ids: gossip received */
	WP_MOVE_READY,    /* msg_move_ready, common/proto_move.h */
	WP_MOVE_DONE,     /* msg_move_done */
	WP_STILL,         /* msg_still: nothing is on its way from here */
	WP_PONG           /* empty */
};

struct msg_closed {
	uint32_t node;
	uint32_t generation;
};
PROTO_STRUCT(msg_closed, 8);

struct msg_endpoint {
	uint32_t node;
	uint32_t flags; /* PEERMAP_UDP_* */
	uint8_t addr[16];
	uint8_t near[16]; /* ours that it sent to; zero: the socket's own */
	uint32_t port;
	uint32_t answer; /* boolean: PW_ENDPOINT is wanted */
};
PROTO_STRUCT(msg_endpoint, 48);

/* ---- parent -> auth --------------------------------------------------- */
/*
 * Start: HELLO SETTINGS MAP COUNTERS KEYS WORKER*, as configured REGISTRY_CONF
 * SNAPSHOT CACHE; START.  AP_READY when the keys are read; KEYS may come again.
 */
enum parent_to_auth {
	PA_HELLO = 0x300, /* msg_hello */
	PA_SETTINGS,      /* msg_settings */
	PA_MAP,           /* fd: the peer map */
	PA_COUNTERS,      /* fd: auth's page */
	PA_KEYS,          /* msg_keys + fd: the key file, open for reading */
	PA_WORKER,        /* msg_worker + fd: channel to that worker */
	PA_START,         /* empty */
	PA_PING,          /* empty; AP_PONG is wanted at once */
	PA_SHUTDOWN,      /* empty: exit */
	PA_REGISTRY_CONF, /* msg_registry_conf */
	PA_REGISTRY,      /* msg_registry + fd: a connection to it */
	PA_SNAPSHOT,      /* msg_snapshot + fd: the snapshot, for reading */
	PA_CACHE          /* msg_cache + fd: a cache to read or to fill */
};

#define PROTO_PATH_LEN 256

struct msg_keys {
	uint32_t before;           /* boolean: there were keys of a file */
	char path[PROTO_PATH_LEN]; /* for messages; NUL-terminated */
};
PROTO_STRUCT(msg_keys, 260);

struct msg_worker {
	uint32_t worker;
	uint32_t epoch;
};
PROTO_STRUCT(msg_worker, 8);

/* ---- auth -> parent --------------------------------------------------- */
enum auth_to_parent {
	AP_READY = 0x400, /* msg_hello */
	AP_ADMIT,         /* msg_admit: the client proved to be node */
	AP_REVOKE,        /* msg_closed: the session's key is gone */
	AP_KEYS,          /* msg_keys_read: what became of a PA_KEYS */
	AP_HOSTILE,       /* msg_hostile: a worker broke the rules */
	AP_PONG,          /* empty */
	AP_REGISTRY,      /* msg_registry_end: auth let go of a connection */
	AP_SNAPSHOT,      /* msg_snapshot_read: what became of one */
	AP_CACHE,         /* msg_cache_written */
	AP_BEACON,        /* msg_beacon_row */
	AP_STATUS         /* msg_registry_status */
};

struct msg_admit {
	uint32_t worker;
	uint32_t epoch;
	uint32_t slot;
	uint32_t serial;
	uint32_t node;
	uint32_t pad;   /* zero */
	uint64_t keyid; /* fingerprint of the key */
};
PROTO_STRUCT(msg_admit, 32);

enum keys_result {
	KEYS_READ,
	KEYS_KEPT,      /* unreadable, or empty: those from before stay */
	KEYS_SUPERSEDED /* another PA_KEYS came before it was read */
};

struct msg_keys_read {
	uint32_t result; /* enum keys_result; else than KEYS_READ: all zero */
	uint32_t keys;
	uint32_t bad; /* lines skipped */
};
PROTO_STRUCT(msg_keys_read, 12);

struct msg_hostile {
	uint32_t worker;
	uint32_t epoch;
	char reason[PROTO_REASON_LEN]; /* NUL-terminated */
};
PROTO_STRUCT(msg_hostile, 72);

/* ---- worker -> auth --------------------------------------------------- */
enum worker_to_auth {
	WA_NONCES = 0x500, /* msg_nonces_wanted: AW_NONCES is wanted */
	WA_VERIFY,         /* msg_verify */
	WA_FIRST_KEY,      /* msg_first_key: a Discover carried a key */
	WA_GRANT           /* msg_grant: AW_GRANTED is wanted */
};

struct msg_nonces_wanted {
	uint32_t count; /* 1 to PROTO_NONCES_MAX */
};
PROTO_STRUCT(msg_nonces_wanted, 4);

struct msg_verify {
	uint32_t slot;
	uint32_t serial;
	uint32_t nonce; /* its number, see msg_nonces */
	uint32_t node;
	uint64_t ts; /* as sent in the challenge: unix seconds */
	uint8_t sig[PROTO_SIG_LEN];
};
PROTO_STRUCT(msg_verify, 88);

struct msg_first_key {
	uint32_t node;
	uint8_t key[PROTO_KEY_LEN];
};
PROTO_STRUCT(msg_first_key, 36);

/* A PunchRequest that waits in the worker under `request`. */
struct msg_grant {
	uint32_t request;
	uint32_t requester;
	uint32_t target;
	uint32_t pad;    /* zero */
	uint64_t expiry; /* unix seconds */
	uint8_t sig[PROTO_SIG_LEN];
};
PROTO_STRUCT(msg_grant, 88);

/* ---- auth -> worker --------------------------------------------------- */
enum auth_to_worker {
	AW_NONCES = 0x600, /* msg_nonces + count * PROTO_NONCE_LEN bytes */
	AW_REFUSED,        /* msg_refused */
	AW_GRANTED         /* msg_granted */
};

/*
 * The nonces are numbered first, first + 1, ...  The ts of their challenges is
 * clock_ns() + wall, in seconds: auth tells their age from that, whenever the
 * wall clock is set.
 */
struct msg_nonces {
	uint32_t first;
	uint32_t count;
	uint64_t wall; /* clock_wall_offset() */
};
PROTO_STRUCT(msg_nonces, 16);

struct msg_refused {
	uint32_t slot;
	uint32_t serial;
	uint32_t reason; /* enum refused_reason, common/failures.h */
};
PROTO_STRUCT(msg_refused, 12);

struct msg_granted {
	uint32_t request;
	uint32_t ok; /* boolean */
};
PROTO_STRUCT(msg_granted, 8);

/* ---- worker -> worker ------------------------------------------------- */
enum worker_to_worker {
	/*
	 * One packet for a node whose session the receiver owns.  peerid: the
	 * destination node; pid: the sender node; data: the payload.
	 */
	WW_PACKET = 0x700,
	/*
	 * peerid: the ticket of a move.  All that sessions which leave the
	 * sender have said is before this; WW_MARKED is wanted.
	 */
	WW_MARK,
	WW_MARKED,
	/* All that is for sessions which leave the receiver is before this. */
	WW_FENCE
};

/* proto.c */
void proto_fill_hello(struct msg_hello *);
int proto_same_build(const struct msg_hello *);
void proto_check_hello(const struct msg_hello *, const char *program);

#endif /* COMMON_PROTO_H */
