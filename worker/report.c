/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <string.h>

#include "worker/report.h"

/* What happens to clients, as events for the log (common/event.h). */

/* How the end is told of a session, and of a login that was under way. */
static const struct {
	enum event_kind open;
	enum event_kind login;
	const char *what;
} report_ends[WHY_MAX] = {
#define END(why, open, login, what) \
	[WHY_##why] = { EVENT_END_##open, EVENT_LOGIN_##login, what }
/* Such an end there is only before login. */
#define REFUSED(why, login) END(why, LOST, login, NULL)
	END(LOST, LOST, ABANDONED, NULL),
	END(CLOSED, CLOSED, ABANDONED, NULL),
	END(PROXY, PROXY, ABANDONED,
	    "unmasked close frame: a proxy's own, no fault of the peer"),
	END(REPLACED, REPLACED, ABANDONED, NULL),
	END(REVOKED, REVOKED, ABANDONED, NULL),
	END(DROPPED, DROPPED, ABANDONED, NULL),
	END(ROUTER, ROUTER, ABANDONED, NULL),
	END(SHUTDOWN, SHUTDOWN, SHUTDOWN, NULL),
	END(IDLE, IDLE, TIMEOUT, NULL),
	END(SLOW, SLOW, TIMEOUT, NULL),
	END(BUSY, BUSY, BUSY, NULL),
	END(CROWDED, CROWDED, CROWDED, NULL),
	END(HALF_OPEN, CROWDED, CROWDED, NULL),
	END(MASK, PROTOCOL, PROTOCOL, "frame without a mask"),
	END(HEADER, PROTOCOL, PROTOCOL, "bad frame header"),
	END(FRAGMENT, PROTOCOL, PROTOCOL, "fragment out of turn"),
	END(UTF8, PROTOCOL, PROTOCOL, "text is not UTF-8"),
	END(CLOSE_FRAME, PROTOCOL, PROTOCOL, "bad close frame"),
	END(TOO_BIG, TOO_BIG, BAD, "message too big"),
	REFUSED(TIMEOUT, TIMEOUT),
	REFUSED(MALFORMED, BAD),
	REFUSED(NONCE, NONCE),
	REFUSED(AGE, AGE),
	REFUSED(UNKNOWN, UNKNOWN),
	REFUSED(SIGNATURE, SIGNATURE),
	REFUSED(UNANSWERED, UNANSWERED),
	REFUSED(CAPACITY, CAPACITY),
	REFUSED(FLAPPING, FLAPPING),
	REFUSED(BLOCKED, BLOCKED),
#undef REFUSED
#undef END
};

/* What is common to all. */
static void
report_begin(struct event *e, enum event_kind kind, uint32_t node,
    const uint8_t addr[16], uint32_t port)
{
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->node = node;
	memcpy(e->addr, addr, sizeof(e->addr));
	e->port = port;
}

static void
report_text(struct event *e, const void *text, size_t len)
{
	e->text_len = (uint32_t)MIN(len, sizeof(e->text));
	if (len > 0)
		memcpy(e->text, text, e->text_len);
}

/* The session has just become one. */
void
report_login(const struct session *s)
{
	struct event e;

	report_begin(
	    &e, EVENT_LOGIN, s->peer.node, s->peer.at.addr, s->peer.at.port);
	event_log(&e);
}

/* The session, or the login that is under way, ends for s->why. */
void
report_end(const struct session *s, uint32_t tick)
{
	struct event e;
	int open;

	open = s->state == SESSION_OPEN;
	report_begin(&e,
	    open ? report_ends[s->why].open : report_ends[s->why].login,
	    s->peer.node, s->peer.at.addr, s->peer.at.port);
	if (open) {
		e.number[0] = (tick - s->since) / TICKS(1);
		e.number[1] = s->frames_in;
		e.number[2] = s->frames_out;
		e.number[3] = s->bytes_in;
		e.number[4] = s->bytes_out;
	}
	if (report_ends[s->why].what != NULL)
		report_text(&e, report_ends[s->why].what,
		    strlen(report_ends[s->why].what));
	event_log(&e);
}

/* What a violation is called; the peer is told so, too. */
const char *
report_what(enum session_why why)
{
	return (report_ends[why].what);
}

/*
 * A request is refused with an HTTP status (0: without one).  The head, len
 * bytes of it, may be anything, and is logged up to the end of its first line.
 */
void
report_refused(const struct session *s, enum event_kind kind, int status,
    const uint8_t *head, size_t len)
{
	struct event e;
	size_t n;

	report_begin(&e, kind, 0, s->peer.at.addr, s->peer.at.port);
	e.number[0] = (uint64_t)status;
	for (n = 0; n < len && n < sizeof(e.text); n++)
		if (head[n] == '\r' || head[n] == '\n')
			break;
	report_text(&e, head, n);
	event_log(&e);
}

/* Who is at `at`, and is node (0: that is not known), speaks for another. */
void
report_spoofed(enum event_kind kind, const struct endpoint *at, uint32_t node,
    uint32_t claimed)
{
	struct event e;

	report_begin(&e, kind, node, at->addr, at->port);
	e.number[0] = claimed;
	event_log(&e);
}

/* Something of a source of datagrams is refused; port 0: not known. */
void
report_source(enum event_kind kind, const uint8_t addr[16], uint32_t port)
{
	struct event e;

	report_begin(&e, kind, 0, addr, port);
	event_log(&e);
}

/* Something that a few words explain; at: of whom, NULL: of nobody. */
void
report_noted(enum event_kind kind, const struct endpoint *at, const char *note)
{
	static const struct endpoint nobody;
	struct event e;

	if (at == NULL)
		at = &nobody;
	report_begin(&e, kind, 0, at->addr, at->port);
	report_text(&e, note, strlen(note));
	event_log(&e);
}
