/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_PARK_H
#define PARENT_PARK_H

#include <ev.h>
#include <stdint.h>

#include "common/channel.h"
#include "common/proto_park.h"

struct parent;
struct park_file;
struct parking;
struct process;

enum park_stage {
	PARK_NOT,
	PARK_LISTENERS, /* nobody new is accepted; logins and moves end */
	PARK_STILL,     /* nothing moves; what is on its way arrives */
	PARK_TOLD,      /* all sessions are told to us */
	PARK_WHOLE      /* they are, and wait for another parent */
};

/* Called once: ok: boolean: park.file has all; else all goes on as it was. */
typedef void (*park_fn)(struct parent *, int ok);

/* All sessions go to another parent, doc/moving.md. */
struct park {
	enum park_stage stage;
	uint32_t ticket;
	uint32_t awaited; /* workers */
	uint32_t turns;   /* of the timer in this stage */
	ev_timer timer;
	const char *wrong; /* why it cannot be; NULL: nothing is */
	struct park_file *file;
	struct parking *from; /* who tells of its sessions; NULL: nobody */
	uint32_t next;        /* and the place that is next */
	park_fn done;
};

/* park.c */
int park_begin(struct parent *, park_fn);
void park_undo(struct parent *);
void park_fail(struct parent *, const char *reason);
void park_lost(struct process *);
const char *park_is_still(struct process *, const struct msg_still *);

/* park_told.c */
int park_told_begin(struct process *);
int park_told_is_over(const struct parent *);
void park_told_end(struct parent *);

/* park_map.c */
int park_map(struct parent *);

#endif /* PARENT_PARK_H */
