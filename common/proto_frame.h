/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_FRAME_H
#define COMMON_PROTO_FRAME_H

#include <stdint.h>

#include "common/proto.h"

/*
 * What a router says and is told: a program of somebody else's that has the
 * frames of all peers in the place of our own relay.  Unlike all other messages
 * these are for strangers: beacond-frame(7) describes each, and they change
 * with FRAME_VERSION only.  On a channel, peerid is the node, and pid what is
 * called number there.
 */
#define FRAME_VERSION       2
#define FRAME_VERSION_PLAIN 1     /* for who wants no window */
#define FRAME_DATA_MAX      65536 /* bytes of a message either way */
#define FRAME_TEXT_MAX      123   /* of the reason in a FRAME_CLOSE */

/*
 * A window is memory that a worker and the router share: messages of peers lie
 * there, and are named by where they begin, in bytes since the first one,
 * modulo 2^32.  What is there anybody may write at any time.
 */
#define FRAME_WINDOW_BYTES     (4U << 20) /* a power of two */
#define FRAME_WINDOW_PLACE(at) ((at) & (FRAME_WINDOW_BYTES - 1))

/* ---- router -> parent ------------------------------------------------- */
enum router_to_parent {
	FRAME_HELLO = 0xc00, /* msg_frame_hello */
	FRAME_METRICS        /* empty; FRAME_METRICS_ARE is wanted */
};

struct msg_frame_hello {
	uint32_t version;
};
PROTO_STRUCT(msg_frame_hello, 4);

/* ---- parent -> router ------------------------------------------------- */
enum parent_to_router {
	FRAME_WELCOME = 0xd00, /* msg_frame_welcome + fd: the peer map */
	FRAME_ADDRESS,         /* msg_frame_address */
	FRAME_NOT_WELCOME,     /* msg_frame_not_welcome */
	FRAME_CHANNEL,         /* fd; peerid: the worker that it leads to */
	FRAME_METRICS_ARE,     /* msg_frame_metrics */
	FRAME_ATTACHED,        /* empty */
	FRAME_WINDOW           /* fd; peerid: the worker of the next CHANNEL */
};

struct msg_frame_welcome {
	uint32_t version;
	uint32_t max_in;  /* bytes of a message from a peer */
	uint32_t max_out; /* and of one to a peer */
	uint32_t drop;    /* boolean: without a router frames are dropped */
};
PROTO_STRUCT(msg_frame_welcome, 16);

struct msg_frame_address {
	uint8_t addr[16];
	uint32_t port;
};
PROTO_STRUCT(msg_frame_address, 20);

enum frame_not_welcome { FRAME_OTHER_VERSION = 1, FRAME_BUSY };

struct msg_frame_not_welcome {
	uint32_t reason; /* enum frame_not_welcome */
};
PROTO_STRUCT(msg_frame_not_welcome, 4);

struct msg_frame_metrics {
	uint64_t upgrade_ok;
	uint64_t upgrade_fail;
	uint64_t auth_ok;
	uint64_t auth_fail;
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t idle_disconns;
	uint64_t active_peers;
};
PROTO_STRUCT(msg_frame_metrics, 64);

/* ---- worker -> router ------------------------------------------------- */
enum worker_to_router {
	FRAME_FRAME = 0xe00, /* the message; its sender, its generation */
	FRAME_CAME,          /* empty; node, generation */
	FRAME_GONE,          /* empty; node, generation */
	FRAME_REFUSED,       /* the message; its destination, why */
	FRAME_JOINED,        /* empty */
	FRAME_LEFT,          /* empty */
	FRAME_FRAME_AT       /* msg_frame_at, in place of the message */
};

struct msg_frame_at {
	uint32_t at;
	uint32_t len; /* bytes */
};
PROTO_STRUCT(msg_frame_at, 8);

enum frame_refused {
	FRAME_NOT_CONNECTED = 1,
	FRAME_QUEUE_FULL,
	FRAME_TOO_LARGE
};

/* ---- router -> worker ------------------------------------------------- */
enum router_to_worker {
	FRAME_WRITE = 0xf00, /* the message; its destination */
	FRAME_CLOSE,         /* u32 code, text; node, generation */
	FRAME_LEAVE,         /* empty */
	FRAME_WRITE_AT,      /* msg_frame_at, in place of the message */
	FRAME_FREE           /* empty; number: up to there it wants nothing */
};

#endif /* COMMON_PROTO_FRAME_H */
