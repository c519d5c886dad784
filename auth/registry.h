/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_REGISTRY_H
#define AUTH_REGISTRY_H

#include <ev.h>
#include <stdint.h>

#include "common/budget.h"
#include "common/bytes.h"
#include "common/proto.h"

#include "auth/lookup.h"
#include "auth/registry_wire.h"

/*
 * A connection to the registry (doc/protocol.md 6), that the parent has made:
 * which requests are under way, and how many may be.  Answers come in the order
 * of the requests; auth/from_registry.c reads them.
 *
 * The first request is a probe, and there is no other until it is answered.
 */
#define REGISTRY_PIPELINE 256U   /* requests under way */
#define REGISTRY_PATIENCE 5U     /* seconds for an answer */
#define REGISTRY_IDLE     60U    /* seconds without a request: a heartbeat */
#define REGISTRY_READ     65536U /* bytes at once */

/*
 * The registry counts an average over the connection's age, from 5 s on, and
 * slows down whoever is above 100 a second.
 */
#define REGISTRY_RATE   100U
#define REGISTRY_WINDOW 5U

enum registry_kind {
	REGISTRY_PROBE, /* is it alive? */
	REGISTRY_LOOKUP,
	REGISTRY_ENROLL,
	REGISTRY_LIST
};

struct registry_request {
	enum registry_kind kind;
	uint32_t node; /* of a lookup */
	uint64_t sent; /* clock_ns() */
};

/* How long answers took, in this minute or the one before; microseconds. */
struct registry_latency {
	uint32_t minute;
	uint32_t count;
	uint32_t max;
	uint64_t sum;
};

struct registry {
	struct ev_loop *loop;
	ev_io reader;
	ev_io writer;
	int fd;       /* -1: no connection */
	int broken;   /* boolean: it only waits to be reaped */
	int answered; /* boolean: there was a good answer on it */
	uint32_t serial;
	enum wire_framing framing;
	uint64_t address;  /* of the last connection; what follows is of it: */
	int json;          /* boolean: the binary framing got no answer */
	int json_answered; /* boolean: the other did */
	struct bytes in;
	struct bytes out;
	struct registry_request ring[REGISTRY_PIPELINE];
	uint32_t first;
	uint32_t count;
	uint64_t last; /* clock_ns() of the last request */
	struct budget budget;
	uint32_t latency; /* of the last answer, microseconds */
	struct registry_latency now;
	struct registry_latency before;
};

void registry_init(struct registry *, struct ev_loop *,
    void (*)(struct ev_loop *, ev_io *, int), void *);
void registry_limits(struct registry *, uint32_t rate, uint32_t burst);
void registry_pause(struct registry *);
void registry_open(struct registry *, const struct msg_registry *, int);
enum registry_end registry_close(struct registry *, enum registry_end);
int registry_up(const struct registry *);
int registry_may_ask(const struct registry *);
int registry_object(
    struct registry *, enum registry_kind, const char *, size_t);
void registry_pump(struct registry *, struct lookups *);
void registry_idle(struct registry *);
const struct registry_request *registry_oldest(const struct registry *);
void registry_answer(struct registry *);
int registry_late(const struct registry *);
int registry_read(struct registry *);

#endif /* AUTH_REGISTRY_H */
