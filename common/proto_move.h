/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_MOVE_H
#define COMMON_PROTO_MOVE_H

#include <stdint.h>

#include "common/proto.h"
#include "common/ws_frame.h"

/*
 * How sessions move from one worker to another, doc/moving.md: in batches, each
 * with a ticket of its own and a channel from the old owner to the new one.  A
 * batch names its sessions by their place in it; masks have a bit for each.
 */
#define MOVE_SESSIONS_MAX 64          /* and as many descriptors on their way */
#define MOVE_CHUNK        16000       /* bytes of a session in one WM_BYTES */
#define MOVE_BATCH_BYTES  (2U << 20)  /* of all; one session may have more */
#define MOVE_QUEUE_MAX    (16U << 20) /* of a batch's channel */
#define MOVE_WAIT         2 /* seconds; then it is undone, or not waited for */

/* PW_MOVE_OUT and PW_MOVE_IN; so many rows follow. */
struct msg_move {
	uint32_t ticket;
	uint32_t worker; /* the place at the other end */
	uint32_t count;
};
PROTO_STRUCT(msg_move, 12);

struct msg_move_session {
	uint32_t node;
	uint32_t generation;
	uint32_t slot; /* PW_MOVE_OUT; else zero */
};
PROTO_STRUCT(msg_move_session, 12);

/* PW_MOVED: those of the mask have moved, the others have not. */
struct msg_moved {
	uint32_t ticket;
	uint32_t worker; /* PW_FENCE: the place where they were */
	uint64_t mask;
};
PROTO_STRUCT(msg_moved, 16);

/*
 * WP_MOVE_READY: those of the mask are here and whole; those that have ended
 * were reset by their peers before.
 */
struct msg_move_ready {
	uint64_t mask;
	uint64_t ended;
	uint32_t ticket;
	uint32_t slot[MOVE_SESSIONS_MAX];
	uint32_t pad;
};
PROTO_STRUCT(msg_move_ready, 280);

struct msg_move_done {
	uint32_t ticket;
};
PROTO_STRUCT(msg_move_done, 4);

/* ---- from the old owner to the new one ------------------------------- */
enum worker_moves {
	WM_STATE = 0x780, /* msg_move_state + fd: the connection */
	WM_BYTES,         /* msg_move_bytes + bytes */
	WM_END,           /* empty: they are all told, and the last of what
			   * they have said is delivered */
	WM_CLOSE,         /* msg_move_close: a router has wanted its end */
	WM_LAST,          /* empty: nothing more comes for them */
	/* To the parent, common/proto_park.h: */
	WM_PARK, /* msg_move_session: the next to be told of */
	WM_GONE  /* msg_park_gone */
};

#define MOVE_STATE_MAGIC   0x62736573U /* "bses" */
#define MOVE_STATE_VERSION 1
#define MOVE_STATE_MORE    1024 /* bytes that a later version may have more */

/* What a later version cannot do without, and what it can. */
#define MOVE_STATE_REQUIRED 0U
#define MOVE_STATE_OPTIONAL 0U

/*
 * All that there is to know of an open session but for bytes that wait, which
 * follow in WM_BYTES.  A later version adds to the end, and says in `required`
 * what must not be left out; whoever does not know a bit there refuses.  Times
 * are in milliseconds.
 */
struct msg_move_state {
	uint32_t magic;
	uint16_t version;
	uint16_t len; /* bytes of this struct */
	uint32_t required;
	uint32_t optional;
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t since;        /* ago: the login */
	uint32_t session;      /* which of the batch */
	uint32_t heard;        /* ago */
	uint32_t ping;         /* from now */
	uint32_t packets_used; /* in this second */
	uint32_t bytes_used;
	uint32_t port;
	uint8_t addr[16];
	/* The start of a frame; total 0: its length is not known yet. */
	uint32_t pending;
	uint32_t pending_total;
	uint32_t pending_checked;
	uint32_t pending_utf8;
	/* A fragmented message; opcode 0: none. */
	uint32_t message;
	uint32_t message_utf8;
	uint32_t message_opcode;
	/* What waits for the peer to read. */
	uint32_t queue;
	uint32_t frame_left; /* of the frame that it begins with */
	uint32_t progress;   /* ago */
	uint32_t acked;
	uint32_t control_len;
	uint32_t control_sent;
	uint8_t control[2 * (WS_CONTROL_MAX + 2)];
	uint8_t pad[6];
};
PROTO_STRUCT(msg_move_state, 408);

enum move_bytes { MOVE_PENDING, MOVE_MESSAGE, MOVE_QUEUE };

struct msg_move_bytes {
	uint32_t session;
	uint32_t kind; /* enum move_bytes */
};
PROTO_STRUCT(msg_move_bytes, 8);

struct msg_move_close {
	uint32_t session;
	uint32_t code;                 /* of the close frame */
	char text[WS_CONTROL_MAX - 1]; /* of its reason; NUL-terminated */
};
PROTO_STRUCT(msg_move_close, 132);

#endif /* COMMON_PROTO_MOVE_H */
