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
struct park_ahead;
struct park_file;
struct parking;
struct process;

enum park_stage {
	PARK_NOT,
	PARK_AHEAD,     /* sessions at rest are told to us, and all goes on */
	PARK_AWAY,      /* they are with another parent, which asks for more */
	PARK_ENTRUST,   /* our children come to rest, to be that one's */
	PARK_LISTENERS, /* nobody new is accepted; logins and moves end */
	PARK_STILL,     /* nothing moves; what is on its way arrives */
	PARK_TOLD,      /* all sessions are told to us */
	PARK_WHOLE,     /* they are, and wait for that one */
	PARK_ENTRUSTED  /* our children are at rest, and wait for that one */
};

/*
 * Called once: ok: boolean: park.file has what was to be told, until all goes
 * on; else it does so as if nothing had been.
 */
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
	struct parking *from;     /* who tells of its sessions; NULL: nobody */
	uint32_t next;            /* and the place that is next */
	struct park_ahead *ahead; /* told to another parent; NULL: none */
	uint32_t rounds;          /* in which they were, and */
	uint32_t before;          /* turns of the timer in all of these */
	park_fn done;
};

/* park.c */
int park_some(struct parent *, park_fn);
int park_begin(struct parent *, park_fn);
int park_children(struct parent *, park_fn);
void park_undo(struct parent *);
void park_fail(struct parent *, const char *reason);
void park_lost(struct process *);
const char *park_is_still(struct process *, const struct msg_still *);

/* entrust.c */
int entrust_rests(struct parent *);
int entrust_can_end(struct parent *);
void entrust_undo(struct parent *);
int entrust_write(struct parent *);
int entrust_give(struct parent *, struct channel *to);
void entrust_wait(struct parent *, int fd) __attribute__((noreturn));

/* park_told.c */
int park_told_begin(struct process *, uint32_t most);
int park_told_is_over(const struct parent *);
void park_told_end(struct parent *);

/* park_ahead.c */
uint32_t park_ahead_add(
    struct parent *, uint32_t place, const struct msg_move_session *);
int park_ahead_changed(struct parent *, uint32_t place, uint32_t slot);
int park_ahead_check(struct parent *);
void park_ahead_free(struct parent *);

/* park_map.c */
int park_map(struct parent *);

#endif /* PARENT_PARK_H */
