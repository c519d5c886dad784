/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "worker/worker.h"
#include "worker/ws_utf8.h"

/* Pings, pongs and the peer's close frame, RFC 6455 section 5.5. */

/*
 * Those beyond what has room are answered by the last of them (RFC 6455 section
 * 5.5.3 allows it): a flood of pings costs one write a read.
 */
static void
session_ping(struct worker *w, const uint8_t *payload, size_t len)
{
	if (w->pongs.len <= PONGS_FULL)
		w->pongs.last = w->pongs.len;
	w->pongs.len =
	    w->pongs.last +
	    ws_header_build(w->pongs.bytes + w->pongs.last, WS_PONG, len);
	memcpy(w->pongs.bytes + w->pongs.len, payload, len);
	w->pongs.len += len;
}

static void
session_peer_closes(
    struct worker *w, struct session *s, const uint8_t *payload, size_t len)
{
	uint32_t utf8;
	int code;

	if (s->state == SESSION_CLOSING) {
		broken_mark(w, s);
		return;
	}
	utf8 = 0;
	if (ws_close_parse(payload, len, &code) == -1 ||
	    (len > 2 && (ws_utf8_check(&utf8, payload + 2, len - 2) == -1 ||
			    !ws_utf8_done(utf8)))) {
		session_violation(w, s, WHY_CLOSE_FRAME);
	} else {
		s->why = WHY_CLOSED;
		/* A frame without a code cannot be answered with 1005. */
		session_fail(w, s, len == 0 ? WS_STATUS_NORMAL : code, "");
	}
	/* Both have closed, unless ours still waits to be sent: 7.1.1. */
	if (s->state == SESSION_CLOSING && s->outq == NULL)
		broken_mark(w, s);
}

/* One whole control frame, unmasked. */
void
session_control(struct worker *w, struct session *s, const struct ws_header *h,
    const uint8_t *payload)
{
	size_t len;

	len = (size_t)h->payload_len;
	switch (h->opcode) {
	case WS_PING:
		session_ping(w, payload, len);
		break;
	case WS_CLOSE:
		session_peer_closes(w, s, payload, len);
		break;
	default: /* a pong is life, nothing else */
		break;
	}
}
