/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_BEACONS_H
#define PARENT_BEACONS_H

#include <ev.h>
#include <stdint.h>

#include "common/log.h"
#include "common/proto.h"

/* The registry's list of beacons (doc/protocol.md 6): they become peers. */
#define BEACONS_MAX    1024 /* as many as can be configured */
#define BEACONS_EVERY  10   /* seconds: a list that comes sooner is not taken */
#define BEACONS_AGAIN  300  /* seconds after which a name is looked up again */
#define BEACONS_FAILED 30   /* likewise, if it has no address yet */

struct parent;

struct beacon {
	char host[PROTO_HOST_LEN];
	uint16_t port;
	int known;       /* boolean: addr is */
	int name;        /* boolean: it was to be looked up */
	uint32_t looked; /* clock_seconds() of the answer; 0: none yet */
	uint8_t addr[16];
};

struct beacons {
	struct parent *parent;
	struct beacon *list; /* BEACONS_MAX of them; NULL: none yet */
	uint32_t count;
	struct beacon *coming; /* the list that has begun */
	uint32_t ncoming;
	uint32_t begun; /* clock_seconds() of the last list */
	int skip;       /* boolean: this one came too soon, or unasked */
	char asked[PROTO_HOST_LEN]; /* of the resolver */
	uint32_t turn;              /* whose name is looked up next */
	ev_timer tick;
};

void beacons_init(struct parent *);
void beacons_reload(struct parent *);
const char *beacons_row(struct parent *, const struct msg_beacon_row *);

#endif /* PARENT_BEACONS_H */
