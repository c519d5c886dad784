/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/budget.h"
#include "common/ws_frame.h"
#include "worker/endpoint.h"
#include "worker/inbound.h"
#include "worker/io.h"
#include "worker/outq.h"
#include "worker/stranger.h"
#include "worker/tick.h"

struct msg_move_session;
struct msg_move_state;
struct worker;

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

/*
 * Who has what peers send: the relay, or a router.  frame takes one binary
 * message of an authenticated peer, which is the caller's, may be written into,
 * and stays until burst_end(); peer is told that one has come (boolean) or is
 * gone.
 */
struct upper {
	void (*frame)(struct worker *, struct origin *, uint8_t *, size_t);
	void (*peer)(struct worker *, const struct origin *, int came);
};

enum session_state {
	SESSION_FREE,
	SESSION_PROXY,   /* the header of the PROXY protocol is coming in */
	SESSION_HEAD,    /* the HTTP head is coming in, up to here no frame */
	SESSION_NONCE,   /* upgraded; auth owes us a nonce */
	SESSION_REPLY,   /* challenge sent */
	SESSION_VERIFY,  /* reply handed to auth */
	SESSION_OPEN,    /* in the peer map */
	SESSION_CLOSING, /* close frame sent */
	SESSION_LINGER,  /* HTTP answer sent; only the EOF is awaited */
	SESSION_MOVED,   /* it is another worker's, see session_move.c */
	SESSION_BROKEN   /* it ended in this turn of the loop, see broken.c */
};

/* Why a connection ends, for the log (report.c); the first cause counts. */
enum session_why {
	WHY_LOST, /* TCP has ended */
	WHY_CLOSED,
	WHY_PROXY,
	WHY_REPLACED,
	WHY_REVOKED,
	WHY_DROPPED,
	WHY_ROUTER,
	WHY_SHUTDOWN,
	WHY_IDLE,
	WHY_SLOW,
	WHY_BUSY,
	WHY_CROWDED,   /* its incomplete messages */
	WHY_HALF_OPEN, /* it made room before it had logged in */
	/* What no peer may do. */
	WHY_MASK,
	WHY_HEADER,
	WHY_FRAGMENT,
	WHY_UTF8,
	WHY_CLOSE_FRAME,
	WHY_TOO_BIG,
	/* Only before login. */
	WHY_TIMEOUT,
	WHY_MALFORMED,
	WHY_NONCE,
	WHY_AGE,
	WHY_UNKNOWN,
	WHY_SIGNATURE,
	WHY_UNANSWERED,
	WHY_CAPACITY,
	WHY_FLAPPING,
	WHY_BLOCKED,
	WHY_MAX
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
	struct persecond bytes; /* of these packets */
	uint32_t skip; /* bytes to come that nobody wants: SESSION_CLOSING */
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t bytes_in;  /* of the connection, all there is to it */
	uint64_t bytes_out; /* that the kernel took, after the upgrade */
	uint8_t state;      /* enum session_state */
	uint8_t was;        /* its state before SESSION_BROKEN */
	uint8_t outlet;     /* 1 + place in gather.outlets; 0: none */
	uint8_t why;        /* enum session_why, when it ends */
	uint32_t since;     /* tick of the login */
};

/* Bytes of pongs in one write, 16 of the largest; one more has room behind. */
#define PONGS_FULL (15 * (WS_CONTROL_MAX + 2))

/* The pongs of one read leave together. */
struct pongs {
	uint8_t bytes[PONGS_FULL + WS_CONTROL_MAX + 2];
	size_t len;
	size_t last; /* where the last of them begins */
};

/* Has it got its 101, and not hung up yet? */
static inline int
session_is_upgraded(const struct session *s)
{
	return (s->state >= SESSION_NONCE && s->state <= SESSION_CLOSING);
}

/* broken.c */
void broken_mark(struct worker *, struct session *);
struct session *broken_take(struct worker *);

/* session.c */
void session_init(struct worker *);
struct session *session_place(struct worker *);
void session_leave_place(struct worker *, struct session *);
void session_count_load(struct worker *, int);
struct session *session_new(
    struct worker *, int, io_cb, const uint8_t[16], uint16_t);
void session_reap(struct worker *);
int session_make_room(struct worker *, const struct stranger *);
int session_join_source(struct worker *, struct session *);
void session_close(struct worker *, struct session *, int, const char *);
void session_fail(struct worker *, struct session *, int, const char *);
void session_violation(struct worker *, struct session *, enum session_why);
void session_send_pongs(struct worker *, struct session *);
void session_stop_listening(struct worker *, struct session *);
void session_goodbye(struct worker *, struct session *);
struct session *session_find(
    struct worker *, uint32_t slot, uint32_t serial, uint32_t states);
void session_find_all(struct worker *);
int session_current(struct worker *, const struct session *);
void session_removed(struct worker *, struct session *, uint32_t);
void session_try_later(struct worker *, struct session *);
void session_crowded_out(struct worker *, struct session *);
void session_superseded(struct worker *, struct session *);
int session_write_frame(
    struct worker *, uint32_t slot, uint32_t generation, uint8_t *, size_t);

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

/* session_move.c */
void session_stop(struct worker *, struct session *);
int session_freeze(struct worker *, struct session *);
void session_thaw(struct worker *, struct session *);
void session_gone(struct worker *, struct session *);
void session_forget(struct worker *, struct session *);
void session_pack(
    const struct worker *, const struct session *, struct msg_move_state *);
struct session *session_adopt(struct worker *, int, io_cb,
    const struct msg_move_session *, const struct msg_move_state *);
void session_begin(struct worker *, struct session *);
void session_return(struct worker *, struct session *);

/* session_proxy.c */
int session_is_proxy(const struct worker *, const struct session *);
void session_client_known(struct worker *, struct session *);
void session_proxy_expect(struct worker *, struct session *);
size_t session_proxy(
    struct worker *, struct session *, const uint8_t *, size_t);
void session_proxy_late(struct worker *, struct session *);

/* session_read.c */
void session_io(struct ev_loop *, ev_io *, int);

/* timer.c */
void timer_init(struct worker *);

/* wheel.c */
void wheel_init(struct worker *);
uint32_t wheel_due(const struct worker *, const struct session *);
void wheel_set(struct worker *, struct session *);
void wheel_clear(struct worker *, struct session *);
struct session *wheel_take(struct worker *);

#endif /* WORKER_SESSION_H */
