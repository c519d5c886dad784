/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_REGISTRY_H
#define PARENT_REGISTRY_H

#include <ev.h>
#include <stdint.h>

#include "common/proto.h"
#include "parent/conf.h"
#include "parent/dial.h"
#include "parent/resolve.h"

/*
 * The registry (doc/protocol.md 6), as far as the parent has to do with it: it
 * finds, dials, and hands auth what is connected, and dials again when auth has
 * let go of that.  It does not hear a word of what is said there.
 */
#define REGISTRY_WAIT_MAX 30 /* seconds between two tries, at most */
#define REGISTRY_LOST     5  /* failures in a row that are worth a line */

struct parent;
struct process;

struct registry {
	struct parent *parent;
	struct conf_host target; /* as configured; name "": none */
	char text[CONF_HOST_MAX + 16];
	int told;   /* boolean: auth knows of a registry */
	int warned; /* boolean: that it is another machine */
	struct dial dial;
	ev_timer redial;
	uint8_t addr[RESOLVE_ADDRESSES][16]; /* of the target */
	uint32_t naddr;
	uint32_t next;     /* of these, to be tried */
	uint64_t dialed;   /* msg_registry.address of what is being dialed */
	uint32_t given;    /* connections that auth was given, and ... */
	uint32_t ended;    /* ... that it has let go of */
	uint32_t failures; /* in a row */
	int framing;       /* boolean: the last one ended for its framing */
	struct msg_registry_status status; /* as auth says */
	uint32_t status_time;              /* clock_seconds(); 0: never */
};

void registry_init(struct parent *);
void registry_introduce(struct process *);
void registry_show(struct process *);
void registry_lost(struct process *);
void registry_reload(struct parent *);
const char *registry_ended(struct parent *, const struct msg_registry_end *);
const char *registry_status(
    struct parent *, const struct msg_registry_status *);
double registry_delay(uint32_t failures);

#endif /* PARENT_REGISTRY_H */
