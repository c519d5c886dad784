/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include <sys/uio.h>

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/counters.h"
#include "common/proto_frame.h"
#include "worker/headroom.h"
#include "worker/io.h"

struct worker;

#define ROUTE_MESSAGE_MAX (ROUTE_HEADER + FRAME_DATA_MAX)
#define ROUTE_QUEUE_MAX   (4U << 20) /* bytes that wait for one of them */
#define ROUTE_EVENTS_MAX  (4U << 20) /* and of events besides */
#define ROUTE_IOV         256

/*
 * Bytes that leave at once.  Each write wakes whoever reads, which costs the
 * same for any length, and on one core costs a change of processes; so the most
 * that a socket takes with the buffer that it has if nobody says otherwise.
 */
#define ROUTE_STAGE (190U << 10)
_Static_assert(ROUTE_STAGE >= ROUTE_MESSAGE_MAX, "any message fits");

#define ROUTE_ROUTER PROTO_PLACES_MAX /* the router's number */

/*
 * Another worker, at the other end of a channel of WW_PACKETs; or the router,
 * and what it is told (common/proto_frame.h).
 */
struct sibling {
	struct worker *worker;
	ev_io reader;
	ev_io writer;
	uint32_t number;
	int open;
	enum counter lost; /* counts what its end has cost */
	enum counter full; /* and what it does not read */
	uint32_t took;     /* tick at which it last took something */
	uint8_t *part;     /* the start of a message whose rest is to come */
	uint32_t part_len;
	uint32_t niov; /* gathered, not sent yet */
	struct iovec iov[ROUTE_IOV];
	/* What the socket did not take: */
	uint8_t *rest; /* of a message that has begun to leave */
	uint32_t rest_head;
	uint32_t rest_len;
	struct bytes queue; /* whole messages after it */
};

/* All of them, and what is gathered for them. */
struct routes {
	struct sibling *siblings[PROTO_PLACES_MAX + 1];
	struct sibling *known[PROTO_PLACES_MAX + 1]; /* those that there are */
	uint32_t nknown;
	uint8_t *stage; /* small packets, ROUTE_STAGE bytes */
	uint32_t stage_len;
	int in_place; /* boolean: some wait where they were read */
};

/* route.c */
struct sibling *route_open(struct worker *, uint32_t, int, io_cb);
void route_close(struct sibling *);
int route_waits(const struct sibling *);
void route_message(struct worker *, struct sibling *, uint32_t type,
    uint32_t peerid, uint32_t pid, const uint8_t *, size_t);
int route_packet(struct worker *, uint32_t number, uint32_t dest,
    uint32_t sender, uint8_t *, size_t);
void route_flush(struct worker *);
uint64_t route_waiting(const struct worker *);
uint32_t route_descriptors(const struct worker *);

/* route_recv.c */
const char *route_recv_open(struct worker *, uint32_t, int);

#endif /* WORKER_ROUTE_H */
