/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_WORKER_FRAME_PARTS_H
#define REGRESS_UNIT_WORKER_FRAME_PARTS_H

#include "regress/unit/counted.h"
#include "regress/unit/worker/parts.h"
#include "worker/login_reply.h"

/* What frames are handed to, and a peer that sends them. */

static struct session *s;
static int logins, relayed, controls, bursts, crowded, later;
static size_t last_len;
static uint8_t last[300];
static int violations;
static enum session_why violation; /* the last; WHY_MAX: none */
static int failed;                 /* session_fail() */

void
login_message(struct worker *of, struct session *x, int opcode,
    const uint8_t *payload, size_t len)
{
	logins++;
	last_len = len;
}

static inline void
upper_frame(struct worker *of, struct origin *from, uint8_t *frame, size_t len)
{
	relayed++;
	last_len = len;
	memcpy(last, frame, len < sizeof(last) ? len : sizeof(last));
	/* The header before it is written into, wherever it lies. */
	memset(frame - 8, 0xee, 8);
}

void
session_control(struct worker *of, struct session *x, const struct ws_header *h,
    const uint8_t *payload)
{
	controls++;
}

void
session_violation(struct worker *of, struct session *x, enum session_why why)
{
	violations++;
	violation = why;
	x->state = SESSION_CLOSING;
	x->skip = SKIP_ALL;
	free(inbound_take_message(of, x));
}

void
session_fail(struct worker *of, struct session *x, int code, const char *why)
{
	failed = code;
	x->state = SESSION_CLOSING;
	x->skip = SKIP_ALL;
}

void
session_stop_listening(struct worker *of, struct session *x)
{
	x->skip = SKIP_ALL;
}

void
session_send_pongs(struct worker *of, struct session *x)
{
}

void
session_try_later(struct worker *of, struct session *x)
{
	later++;
	x->state = SESSION_CLOSING;
	x->skip = SKIP_ALL;
}

void
session_crowded_out(struct worker *of, struct session *x)
{
	crowded++;
	free(inbound_take_message(of, x));
}

void
burst_end(struct worker *of)
{
	bursts++;
}

static uint8_t room[RX_SIZE];
static size_t used;

static inline void
begin(enum session_state state)
{
	if (s != NULL) {
		free(inbound_take_message(&w, s));
		free(inbound_take_pending(&w, s));
	}
	s = parts_session(0, state);
	used = RX_HEADROOM;
	logins = relayed = controls = bursts = crowded = later = 0;
	violations = failed = 0;
	violation = WHY_MAX;
	w.now++;
	(void)counted_all();
}

/* One more frame, masked; n bytes of `fill`. */
static inline void
frame(int opcode, int fin, size_t n, int fill)
{
	static const uint8_t mask[WS_MASK_LEN] = { 1, 2, 3, 4 };
	size_t i;

	used += ws_header_build_masked(room + used, opcode, n, mask);
	if (!fin)
		room[used - (n < 126 ? 6 : 8)] &= 0x7f;
	for (i = 0; i < n; i++)
		room[used + i] = (uint8_t)fill ^ mask[i % 4];
	used += n;
}

/* What was put together comes in; returns the bytes dealt with. */
static inline size_t
come(size_t *total)
{
	return (session_frames(
	    &w, s, room + RX_HEADROOM, used - RX_HEADROOM, total));
}

static inline int
all_come(void)
{
	size_t total;

	return (come(&total) == used - RX_HEADROOM && total == 0);
}

static inline void
frame_parts_init(void)
{
	static uint8_t rx[RX_SIZE];

	(void)parts_sessions();
	w.upper.frame = upper_frame;
	w.rx = rx;
	w.settings.max_frame = 32768;
}

#endif /* REGRESS_UNIT_WORKER_FRAME_PARTS_H */
