/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_ROUTER_H
#define PARENT_ROUTER_H

#include <sys/types.h>

#include <ev.h>

#include "common/channel.h"
#include "common/proto_frame.h"
#include "parent/local_socket.h"

struct parent;
struct process;

#define ROUTER_HELLO_SECONDS 10.
#define ROUTER_BURST         100 /* messages from it at once */
#define ROUTER_RATE          20  /* and lasting, per second */

/* States of its channel. */
#define ROUTER_NEW      0x1 /* FRAME_HELLO is to come */
#define ROUTER_ATTACHED 0x2

/* The router socket, and the one program behind it. */
struct router {
	struct parent *parent;
	struct local_socket socket; /* what NULL: none is configured */
	uid_t uid; /* that may connect, besides root and ourselves */
	const struct channel_rule *rules;
	size_t nrules;
	ev_io listener;
	ev_timer pause; /* of accepting */
	ev_timer hello;
	int windows; /* boolean: it wants them */
	struct channel channel; /* open: somebody is there */
	struct budget budget;   /* messages that it may still send */
};

/* router.c */
void router_check(struct parent *);
void router_bind(struct parent *);
void router_start(struct parent *, const struct channel_rule *, size_t);
void router_attach(struct router *, uint32_t version);
int router_is_attached(const struct parent *);
void router_introduce(struct process *);
void router_resume(struct parent *);
void router_stop(struct parent *);

/* from_router.c */
extern const struct channel_rule from_router_rules[];
extern const size_t from_router_nrules;

#endif /* PARENT_ROUTER_H */
