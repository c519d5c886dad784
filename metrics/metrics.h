/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <sys/queue.h>

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/channel.h"
#include "common/log.h"
#include "common/proto.h"
#include "common/sums.h"

#include "metrics/request.h"
#include "metrics/ring.h"

/* States of the parent's channel. */
enum metrics_state {
	METRICS_HELLO = 1 << 0,
	METRICS_SETUP = 1 << 1,
	METRICS_RUNNING = 1 << 2
};

#define CONNS_MAX    64 /* the oldest makes room for one more */
#define CONN_SECONDS 5. /* from its beginning to its end */
#define ACCEPT_BATCH 16
#define ACCEPT_PAUSE 1.          /* seconds, without memory or descriptors */
#define RESPONSE_MAX (256 << 10) /* bytes of a body */

struct metrics;

struct conn {
	TAILQ_ENTRY(conn) entry;
	struct metrics *metrics;
	ev_io io;
	ev_timer deadline;
	char head[REQUEST_MAX];
	size_t head_len;
	char *answer; /* NULL: the request is not there yet */
	size_t answer_len;
	size_t sent;
};

#define DOORS_MAX (2 * PROTO_LISTENERS_MAX) /* old ones beside new ones */

/* A listener. */
struct door {
	ev_io io;
	uint32_t number;
};

struct metrics {
	struct ev_loop *loop;
	struct channel parent;
	struct msg_hello hello; /* who we are; comes back in MP_READY */
	const struct sums *sums;
	int has_counters; /* boolean */
	struct ring ring;
	ev_timer sample;
	struct door *doors[DOORS_MAX];
	uint32_t ndoors;
	ev_timer pause;           /* of accepting */
	TAILQ_HEAD(, conn) conns; /* oldest first */
	uint32_t nconns;
};

/* from_parent.c */
void from_parent_open(struct metrics *, int);

/* sample.c */
void sample_start(struct metrics *);

/* serve.c */
void serve_init(struct metrics *);
const char *serve_listen(struct metrics *, const struct msg_listener *, int);
const char *serve_unlisten(struct metrics *, const struct msg_unlisten *);
void serve_start(struct metrics *);

/* answer.c */
char *answer(const struct metrics *, const struct request *, size_t *);

#endif /* METRICS_METRICS_H */
