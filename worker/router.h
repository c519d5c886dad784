/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_ROUTER_H
#define WORKER_ROUTER_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/proto_frame.h"

struct sibling;
struct upper;
struct worker;

struct router {
	const struct upper *otherwise; /* while no router is there */
	struct sibling *channel;       /* NULL: there never was one */
	ev_idle dry;    /* nothing else is to be read */
	uint32_t turns; /* in which what is gathered for it was kept */
};

extern const struct upper router_drop;

/* router.c */
void router_otherwise(struct worker *, const struct upper *);
void router_begin(struct worker *, struct sibling *);
struct sibling *router_channel(struct worker *);
int router_keeps(struct worker *);
void router_end(struct worker *, const char *);
void router_leave(struct worker *);
void router_refuse(
    struct worker *, uint32_t, enum frame_refused, const uint8_t *, size_t);
void router_tick(struct worker *);

/* router_recv.c */
void router_recv_open(struct worker *, int);
void router_recv_last(struct worker *);

#endif /* WORKER_ROUTER_H */
