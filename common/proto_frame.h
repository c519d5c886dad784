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
#define FRAME_VERSION  1
#define FRAME_DATA_MAX 65536 /* bytes of a message either way */
#define FRAME_TEXT_MAX 123   /* of the reason in a FRAME_CLOSE */

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
	FRAME_ATTACHED         /* empty */
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
	FRAME_LEFT           /* empty */
};

enum frame_refused {
	FRAME_NOT_CONNECTED = 1,
	FRAME_QUEUE_FULL,
	FRAME_TOO_LARGE
};

/* ---- router -> worker ------------------------------------------------- */
enum router_to_worker {
	FRAME_WRITE = 0xf00, /* the message; its destination */
	FRAME_CLOSE,         /* u32 code, text; node, generation */
	FRAME_LEAVE          /* empty */
};

#endif /* COMMON_PROTO_FRAME_H */
