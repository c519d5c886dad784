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

/* Memory that is shared with the program, FRAME_WINDOW_BYTES. */
struct window {
	uint8_t *base;   /* NULL: there is none */
	uint32_t put;    /* where the next message begins */
	uint32_t got;    /* up to where the program is done */
	uint8_t *copies; /* of what the program sends from there */
	uint32_t copied; /* bytes of them in this burst */
};

/* Does the router know that this worker is about to end? */
enum router_parting { ROUTER_UNTOLD, ROUTER_TOLD, ROUTER_ANSWERED };

struct router {
	const struct upper *otherwise; /* while no router is there */
	struct sibling *channel;       /* NULL: there never was one */
	struct window window;          /* of this channel */
	struct window next;            /* and of the one that is to come */
	ev_idle dry;                   /* nothing else is to be read */
	uint32_t turns; /* in which what is gathered for it was kept */
	enum router_parting parting;
	uint32_t told; /* tick; when it was */
};

extern const struct upper router_drop;

/* router.c */
void router_otherwise(struct worker *, const struct upper *);
void router_share(struct worker *, int);
struct window *router_window(struct worker *);
void router_begin(struct worker *, struct sibling *);
struct sibling *router_channel(struct worker *);
int router_keeps(struct worker *);
void router_end(struct worker *, const char *);
void router_leave(struct worker *);
int router_stays(struct worker *);
void router_refuse(
    struct worker *, uint32_t, enum frame_refused, const uint8_t *, size_t);
void router_tick(struct worker *);

/* router_window.c */
void router_window_open(struct window *, int);
void router_window_close(struct window *);
int router_window_put(struct window *, const uint8_t *, size_t, uint32_t *);
int router_window_is_full(const struct window *, const struct msg_frame_at *);
void router_window_burst(struct window *);
uint8_t *router_window_take(struct window *, const struct msg_frame_at *);
int router_window_free(struct window *, uint32_t);

/* from_parent_router.c */
const char *from_parent_window(void *, const void *, size_t, int);
const char *from_parent_router(void *, const void *, size_t, int);
const char *from_parent_router_end(void *, const void *, size_t, int);

/* router_recv.c */
void router_recv_open(struct worker *, int);
void router_recv_last(struct worker *);

#endif /* WORKER_ROUTER_H */
