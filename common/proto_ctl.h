/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_CTL_H
#define COMMON_PROTO_CTL_H

#include "common/counters.h"
#include "common/proto.h"

/* A request is answered by its rows, then by CTL_END. */
enum ctl_request {
	CTL_SHOW_SUMMARY = 0x800, /* empty -> CTL_SUMMARY, CTL_CHILD* */
	CTL_SHOW_METRICS,         /* empty -> CTL_METRICS */
	CTL_SHOW_PEER,            /* msg_ctl_node -> CTL_PEER if connected */
	CTL_SHOW_PEERS,           /* empty -> CTL_PEER* */
	CTL_SHOW_NODE,            /* msg_ctl_node -> CTL_NODE if known */
	CTL_SHOW_NODES,           /* empty -> CTL_NODE* */
	CTL_SHOW_BEACONS,         /* empty -> CTL_BEACON* */
	CTL_SHOW_REGISTRY,        /* empty -> CTL_REGISTRY */
	CTL_SHOW_BLOCKED,         /* empty -> CTL_BLOCKED* */
	CTL_SHOW_WORKERS,         /* empty -> CTL_WORKER* */
	CTL_DROP,                 /* msg_ctl_node */
	CTL_BLOCK,                /* msg_ctl_block */
	CTL_UNBLOCK,              /* msg_ctl_block */
	CTL_LOG_LEVEL,            /* msg_ctl_level */
	CTL_DRAIN,                /* msg_ctl_drain */
	CTL_UNDRAIN,              /* empty */
	CTL_RELOAD,               /* empty */
	CTL_STOP,                 /* empty */
	CTL_RENEW,                /* msg_ctl_renew */
	CTL_PARK,                 /* empty: all goes to the service manager's
				   * keeping, then all ends */
	/* Of a parent that takes over, in this order: */
	CTL_SOCKETS, /* empty -> CTL_SOCKET*, CTL_STEERED */
	CTL_AHEAD,   /* empty -> CTL_FILE, CTL_QUEUE*: all goes on; again and
		      * again, until little more comes */
	CTL_TAKE,    /* likewise: all stands still */
	CTL_TAKEN,   /* empty: it has them, the other one ends */
	/* Or, of one that is alike, after CTL_SOCKETS: */
	CTL_ADOPT /* empty -> (CTL_WARD, CTL_WARD_PAGE, CTL_WARD_LOG,
		   * CTL_WARD_WORDS)*, CTL_FILE: then CTL_TAKEN */
};

enum ctl_reply {
	CTL_SUMMARY = 0x900, /* msg_ctl_summary */
	CTL_CHILD,           /* msg_ctl_child */
	CTL_METRICS,         /* msg_ctl_metrics */
	CTL_PEER,            /* msg_ctl_peer */
	CTL_NODE,            /* msg_ctl_entry */
	CTL_BEACON,          /* msg_ctl_beacon */
	CTL_BLOCKED,         /* msg_ctl_blocked */
	CTL_WORKER,          /* msg_ctl_worker */
	CTL_REGISTRY,        /* msg_ctl_registry */
	CTL_SAID,            /* msg_ctl_said: while it is done */
	CTL_SOCKET,          /* fd: one that listens, or of UDP */
	CTL_STEERED,         /* msg_ctl_steered */
	CTL_FILE,            /* fd: common/proto_park.h */
	CTL_QUEUE,           /* fd: likewise */
	CTL_WARD,            /* msg_ctl_ward, fd: the channel to it */
	CTL_WARD_PAGE,       /* fd: of the last ward, its counters, */
	CTL_WARD_LOG,        /* fd: its lines */
	CTL_WARD_WORDS,      /* fd: and its standard error */
	CTL_END              /* msg_ctl_end */
};

/* A line of the log. */
struct msg_ctl_said {
	char text[512]; /* NUL-terminated */
};
PROTO_STRUCT(msg_ctl_said, 512);

struct msg_ctl_node {
	uint32_t node;
};
PROTO_STRUCT(msg_ctl_node, 4);

struct msg_ctl_level {
	uint32_t level; /* LOG_ERR to LOG_INFO, as in syslog(3) */
};
PROTO_STRUCT(msg_ctl_level, 4);

struct msg_ctl_summary {
	char version[PROTO_VERSION_LEN];
	uint64_t started; /* unix seconds */
	uint64_t now;     /* unix seconds */
	uint32_t peers;
	uint32_t max_peers;
	uint32_t keys;
	uint32_t key_lines_bad;
	uint32_t nodes;   /* entries of the peer map */
	uint32_t beacons; /* sources of gossip heard lately */
	uint32_t draining;
	uint32_t pad;
};
PROTO_STRUCT(msg_ctl_summary, 64);

enum ctl_child_state { CHILD_DOWN, CHILD_STARTING, CHILD_RUNNING };

struct msg_ctl_child {
	uint32_t role; /* enum role */
	uint32_t worker;
	uint32_t pid;
	uint32_t restarts;
	uint32_t state; /* enum ctl_child_state */
	uint32_t load;  /* open connections; 0 unless a worker */
	uint64_t since; /* unix seconds of its start */
};
PROTO_STRUCT(msg_ctl_child, 32);

struct msg_ctl_peer {
	uint32_t node;
	uint32_t worker;
	uint32_t slot;
	uint32_t generation;
	uint64_t since;
	struct msg_stat_row stat; /* not known: its worker does not answer */
};
PROTO_STRUCT(msg_ctl_peer, 88);

/* All that the peer map has of a node; zero means: not by that transport. */
struct msg_ctl_entry {
	uint32_t node;
	uint32_t worker;
	uint32_t generation;
	uint32_t flags; /* PEERMAP_UDP_* */
	uint8_t addr[16];
	uint32_t port;
	uint32_t beacon; /* beacon id */
	uint64_t since;
	uint64_t seen;
	uint8_t beacon_addr[16];
	uint32_t beacon_port;
	uint32_t pad;
};
PROTO_STRUCT(msg_ctl_entry, 80);

struct msg_ctl_beacon {
	uint8_t addr[16];
	uint32_t port;
	uint32_t beacon; /* id; 0 if never heard */
	uint32_t nodes;
	uint32_t configured; /* boolean, as is the next */
	uint32_t registered; /* it stands in the registry's list */
	uint32_t pad;
	uint64_t heard; /* unix seconds; 0: never */
};
PROTO_STRUCT(msg_ctl_beacon, 48);

#define CTL_BLOCK_SECONDS_MAX (10U * 365 * 86400)

/* A node or a network, as in struct block. */
struct msg_ctl_block {
	uint8_t addr[16];
	uint32_t prefix;
	uint32_t seconds; /* 0: for ever */
};
PROTO_STRUCT(msg_ctl_block, 24);

struct msg_ctl_blocked {
	uint8_t addr[16];
	uint32_t prefix;
	uint32_t pad;
	uint64_t until; /* unix seconds; 0: for ever */
};
PROTO_STRUCT(msg_ctl_blocked, 32);

/* What a worker is at; each but the first two is alive and ready. */
enum ctl_worker_state {
	CTL_WORKER_DOWN,
	CTL_WORKER_STARTING,
	CTL_WORKER_WAITING, /* until all that are to replace others are ready */
	CTL_WORKER_RUNNING,
	CTL_WORKER_SILENT,   /* it does not answer */
	CTL_WORKER_DRAINING, /* it lets its peers go, as all do */
	CTL_WORKER_LEAVING,  /* its sessions move to others */
	CTL_WORKER_LEFT, /* they have; who logs in there has a while for it */
	CTL_WORKER_ENDING,
	CTL_WORKER_STATES
};

struct msg_ctl_worker {
	uint32_t worker;   /* the number of its part */
	uint32_t place;    /* and of the place there, doc/moving.md */
	uint32_t pid;      /* 0: none */
	uint32_t state;    /* enum ctl_worker_state */
	uint32_t sessions; /* in the peer map */
	uint32_t all;      /* likewise, of all workers */
	uint32_t load;     /* open connections */
	uint32_t sockets;  /* UDP sockets that are its part */
	uint32_t out;      /* of its sessions, on their way to another place, */
	uint32_t to;       /* namely this */
	uint32_t in;       /* sessions on their way to it */
	uint32_t restarts;
	uint64_t since; /* unix seconds of its start */
};
PROTO_STRUCT(msg_ctl_worker, 56);

#define CTL_REGISTRY_NAME   272
#define CTL_REGISTRY_LISTED 60 /* seconds, doc/protocol.md 6 */

/* The registry's counters, in their order. */
#define CTL_REGISTRY_FIRST    COUNTER_LOOKUP_FOUND
#define CTL_REGISTRY_LAST     COUNTER_KEYS_EVICTED
#define CTL_REGISTRY_COUNTERS (CTL_REGISTRY_LAST - CTL_REGISTRY_FIRST + 1)

struct msg_ctl_registry {
	char name[CTL_REGISTRY_NAME]; /* NUL-terminated; empty: none */
	uint64_t written;             /* unix seconds; 0: no snapshot */
	uint64_t enrolled;            /* unix seconds; 0: not listed now */
	uint32_t failures;            /* to reach it, in a row */
	uint32_t snapshot_bad;        /* entries skipped */
	struct msg_registry_status status;
	uint64_t counter[CTL_REGISTRY_COUNTERS];
};
PROTO_STRUCT(
    msg_ctl_registry, CTL_REGISTRY_NAME + 24 + 64 + 8 * CTL_REGISTRY_COUNTERS);

struct msg_ctl_drain {
	uint32_t seconds; /* in which peers are closed */
};
PROTO_STRUCT(msg_ctl_drain, 4);

/* A worker is to be replaced by a new one, or all, by the programs of now. */
#define CTL_RENEW_ALL UINT32_MAX
struct msg_ctl_renew {
	uint32_t worker;
};
PROTO_STRUCT(msg_ctl_renew, 4);

/* How datagrams are steered, common/steer.h. */
struct msg_ctl_steered {
	uint32_t steered; /* boolean */
	uint32_t key;
	uint32_t nworkers;
	uint32_t keys;  /* of the key file */
	uint64_t alike; /* adopt_alike(): of a like one children can be had */
	uint64_t places[PROTO_PLACES_MAX / 64]; /* bits: its workers' */
};
PROTO_STRUCT(msg_ctl_steered, 40);

/* A child that is to be another parent's. */
struct msg_ctl_ward {
	uint32_t role;   /* ROLE_AUTH, ROLE_WORKER */
	uint32_t number; /* of its place */
	uint32_t epoch;
	uint32_t pid;
	uint32_t age; /* seconds */
};
PROTO_STRUCT(msg_ctl_ward, 20);

struct msg_ctl_end {
	/*
	 * 0, or an errno: ENOENT for a node not found, ERESTART for a reload
	 * that was done, but for what waits for a restart.
	 */
	uint32_t error;
};
PROTO_STRUCT(msg_ctl_end, 4);

#endif /* COMMON_PROTO_CTL_H */
