/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_PARK_H
#define COMMON_PROTO_PARK_H

#include <stdint.h>

#include "common/proto_move.h"

/*
 * How all sessions go from one parent to the next, doc/moving.md: they stand
 * still, are told to the parent, and wait in a file and in the queues of a few
 * sockets for the workers of the next one.  Or they stay with their workers,
 * who go along: then the file has what the next parent is to know of them.
 */

/* PW_STILL */
enum still_stage {
	STILL_NOT,       /* all goes on */
	STILL_LISTENERS, /* nobody new is accepted */
	STILL_ALL        /* and nothing is read that could be passed on */
};

/* PW_STILL; WP_STILL: it is so, STILL_ALL. */
struct msg_still {
	uint32_t stage; /* enum still_stage */
	uint32_t ticket;
};
PROTO_STRUCT(msg_still, 8);

/* PW_PARK: */
struct msg_park {
	uint32_t most; /* sessions at rest, while all goes on; 0: all that stand
			* still but for those that are as they were told of */
};
PROTO_STRUCT(msg_park, 4);

/* PW_FORGET: another parent has it still or again; its peer does not notice. */
struct msg_forget {
	uint32_t slot;
	uint32_t generation;
};
PROTO_STRUCT(msg_forget, 8);

/* WM_GONE: it has been told of, and is not any more what it was. */
struct msg_park_gone {
	uint32_t slot;
};
PROTO_STRUCT(msg_park_gone, 4);

/*
 * ---- the file --------------------------------------------------------------
 * A header, then records, each with its length and padded to 8 bytes.  The
 * sessions come in the order of their descriptors in the sockets' queues.  A
 * later version adds records at the end and fields to the ends of records: what
 * is longer is read as far as it is known, an unknown record is passed over,
 * and what must not be passed over is a bit in `required`.
 */
#define PARK_MAGIC     0x62706b31U /* "bpk1" */
#define PARK_VERSION   1
#define PARK_REQUIRED  0U
#define PARK_BYTES_MAX (1ULL << 32)

/* Descriptors in one message of a queue; the kernel takes 253. */
#define PARK_BATCH      64
#define PARK_QUEUES_MAX 64

/* Sessions that are told of ahead at a time, and how often. */
#define PARK_ROUND      4096
#define PARK_ROUNDS_MAX 64

struct park_header {
	uint32_t magic;
	uint16_t version;
	uint16_t len; /* bytes of this struct */
	uint32_t required;
	uint32_t sessions; /* and as many descriptors */
	uint64_t bytes;    /* of the file */
	/* How datagrams are steered, common/steer.h. */
	uint32_t steered; /* boolean */
	uint32_t steer_key;
	uint32_t nworkers;
	uint32_t keys; /* of the key file */
	/* The last that it gave out. */
	uint32_t generation;
	uint32_t tickets;
};
PROTO_STRUCT(park_header, 48);
#define PARK_HEADER_LEAST 40 /* bytes, of an earlier version */

enum park_type {
	PARK_SESSION = 1, /* park_session; what follows is of it */
	PARK_STATE,       /* msg_move_state, as in WM_STATE */
	PARK_BYTES,       /* msg_move_bytes + bytes, as in WM_BYTES */
	PARK_NODE,        /* park_node */
	PARK_SYNC,        /* park_sync + u32 ids, sorted */
	PARK_GONE,        /* park_gone */
	PARK_HELD,        /* park_held */
	PARK_COUNTERS     /* struct counters */
};

struct park_record {
	uint32_t type; /* enum park_type */
	uint32_t len;  /* bytes that follow, without the padding */
};
PROTO_STRUCT(park_record, 8);

/* A session, as the peer map has it; times are in seconds ago. */
struct park_session {
	uint32_t node;
	uint32_t since;
	uint64_t keyid;
	uint32_t replaced;
	uint32_t rwindow;
	uint32_t ahead; /* its number among those told of ahead; or 0 */
	uint32_t pad;
};
PROTO_STRUCT(park_session, 32);
#define PARK_SESSION_LEAST 24 /* bytes, of an earlier version */

/* One that was told of ahead is not any more what it was, or has ended. */
struct park_gone {
	uint32_t ahead;
	uint32_t pad;
};
PROTO_STRUCT(park_gone, 8);

/* One that stays with its worker, who is to be the other parent's. */
struct park_held {
	struct park_session session;
	uint32_t generation;
	uint32_t worker; /* its place */
	uint32_t slot;
	uint32_t pad;
};
PROTO_STRUCT(park_held, 48);

/* An address of ours; port 0: none. */
struct park_address {
	uint8_t addr[16];
	uint32_t port;
};
PROTO_STRUCT(park_address, 20);

/* Where a node is by UDP, likewise. */
struct park_node {
	uint32_t node;
	uint32_t flags; /* PEERMAP_UDP_EX */
	uint32_t seen;
	uint32_t moved;
	uint8_t addr[16];
	uint8_t near[16];
	uint32_t port;
	struct park_address listener;
};
PROTO_STRUCT(park_node, 72);

/* What another beacon has said last. */
struct park_sync {
	uint8_t addr[16];
	uint8_t near[16];
	uint32_t port;
	uint32_t beacon; /* id */
	uint32_t heard;
	struct park_address listener;
	uint32_t count; /* ids that follow */
	uint32_t pad;
};
PROTO_STRUCT(park_sync, 72);

#endif /* COMMON_PROTO_PARK_H */
