/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_EVENT_H
#define COMMON_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "common/failures.h"

/*
 * What happened to a client: one line each, in one form.  Who sees it fills in
 * a struct event; only the parent makes text of it, so that there is one place
 * that escapes, and a child can neither name another process nor forge a field.
 *
 * The list gives, in order: the identifier; the level; the family, which is the
 * event's name in a line and decides what its numbers mean; the reason.
 * beacond(8) has them all.
 */
/* clang-format off */
#define EVENT_FAILURE(X, id, stage, reason, level, help) \
	X(id, level, stage "-refused", reason)
#define EVENT_LIST(X) \
	X(LOGIN, INFO, "login", "") \
	X(END_CLOSED, INFO, "end", "closed") \
	X(END_LOST, INFO, "end", "lost") \
	X(END_PROXY, INFO, "end", "proxy") \
	X(END_REPLACED, INFO, "end", "replaced") \
	X(END_SHUTDOWN, INFO, "end", "shutdown") \
	X(END_IDLE, NOTICE, "end", "idle") \
	X(END_SLOW, NOTICE, "end", "slow") \
	X(END_DROPPED, NOTICE, "end", "dropped") \
	X(END_ROUTER, NOTICE, "end", "router") \
	X(END_REVOKED, NOTICE, "end", "revoked") \
	X(END_PROTOCOL, NOTICE, "end", "protocol") \
	X(END_TOO_BIG, NOTICE, "end", "too_big") \
	X(END_BUSY, WARNING, "end", "busy") \
	X(END_CROWDED, WARNING, "end", "crowded") \
	FAILURE_LIST(EVENT_FAILURE, X) \
	X(SPOOFED_PEER, NOTICE, "spoofed", "peer") \
	X(SPOOFED_DATAGRAM, NOTICE, "spoofed", "datagram") \
	X(PUNCH_RATE, NOTICE, "punch-refused", "rate") \
	X(PUNCH_GRANT, NOTICE, "punch-refused", "grant") \
	X(SYNC_STRANGER, NOTICE, "sync-refused", "stranger") \
	X(SYNC_MALFORMED, NOTICE, "sync-refused", "malformed") \
	X(DISCOVER_SOURCE, NOTICE, "discover-refused", "source") \
	X(DISCOVER_FULL, WARNING, "discover-refused", "full") \
	X(BEACON_LISTED, WARNING, "beacon-refused", "list") \
	X(BEACON_FULL, WARNING, "beacon-refused", "full") \
	X(ACCEPT_DESCRIPTORS, WARNING, "accept-paused", "descriptors") \
	X(ACCEPT_MACHINE, WARNING, "accept-paused", "machine") \
	X(ACCEPT_MEMORY, WARNING, "accept-paused", "memory") \
	X(ACCEPT_PLACES, WARNING, "accept-paused", "places") \
	X(KEPT_BACK, NOTICE, "kept-back", "")
/* clang-format on */

enum event_kind {
#define X(id, level, name, reason) EVENT_##id,
	EVENT_LIST(X)
#undef X
	    EVENT_MAX
};

#define EVENT_NUMBERS  5
#define EVENT_TEXT_MAX 64

struct event {
	uint32_t kind;    /* enum event_kind */
	uint32_t node;    /* 0: not known */
	uint8_t addr[16]; /* of the other end; zero: not known */
	uint32_t port;    /* of it; 0: not known */
	uint32_t text_len;
	uint64_t number[EVENT_NUMBERS]; /* see event_families */
	uint8_t text[EVENT_TEXT_MAX];   /* any bytes, perhaps a stranger's */
};

#define EVENT_NO_WORKER UINT32_MAX /* the parent's own */

/*
 * Lines of one kind in EVENT_PERIOD seconds, in all and of one source (an IPv6
 * customer is a /64).  The rest is counted and said in one line, so a flood of
 * one kind or one source hides no other.  What well-behaved peers cause comes
 * in thousands, and from one address perhaps.
 */
#define EVENT_PERIOD       10
#define EVENT_LINES        100
#define EVENT_SOURCE_LINES 10
#define EVENT_INFO_LINES   200
#define EVENT_INFO_SOURCE  100

/* event.c */
void event_log(const struct event *);
void event_flush(int all);

/* event_text.c */
int event_level(enum event_kind);
int event_valid(const struct event *);
void event_write(const char *procname, uint32_t worker, const struct event *);

#endif /* COMMON_EVENT_H */
