/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_FUZZ_FAMILY_H
#define REGRESS_FUZZ_FAMILY_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/imsg.h"
#include "common/proto_ctl.h"
#include "common/proto_move.h"
#include "regress/fuzz/fuzz.h"

/*
 * What a parent has around itself: children, whose parts are played at the
 * other ends of their channels, and operators.  In each run it is a new parent,
 * from its main() on, that starts and buries its children as it always does but
 * for the fork.
 */
#define WORKERS     2
#define CHILDREN    24 /* of one run */
#define OPERATORS   4  /* at once */
#define OPENED      64 /* sessions that are opened in one run */
#define NODES       8  /* ids 1 to NODES, where no others are meant */
#define ADDRESSES   6
#define MAX_SOCKETS 100 /* of a worker */
#define CONFS       4
#define FAKE_PID    1000000 /* and above: no process of any machine */

struct parent;

/* family.c: the parent. */
extern struct parent *family;
void family_start(void);
void family_run(uint8_t, void (*)(void));
void family_check(void);
void family_conf(uint8_t);
void family_address(uint32_t, uint8_t[16], uint16_t *);
int family_reaches(uint32_t, const uint8_t[16], uint32_t);
uint32_t family_keys_generation(void);
int family_has_session(uint32_t, uint32_t);
int family_owns(uint32_t, uint32_t, uint32_t);
int family_is_candidate(int);
int family_kills_all(void);

int family_takes_over(void);
void family_check_file(int, const int *, uint32_t, int);

/* family_acts.c: what happens to it. */
void family_settle(void);
void family_acts(struct input *);
void family_ends(void);

/* family_main.c: what its main() is kept from. */
void family_sockets(void);
void family_steered(int);
uint64_t family_sent(void);
void family_listener(uint8_t[16], uint32_t *);

/* family_kept.c: a service manager, and what it keeps for another parent. */
#define KEPT_FDS 40
void family_manager(int, int);
int family_keeps_nothing(void);
void family_keep(struct input *);
void family_keep_end(void);
int family_kept_gone(uint32_t first, uint32_t n);
int family_kept_take(int);
uint32_t family_kept_node(uint32_t);

/* family_old.c: a parent that runs, in the place of that. */
void family_old(struct input *);
int family_old_is_there(void);
int family_old_serves(void);
int family_old_is_silent(void);
int family_old_hears(void);
void family_old_ends(void);
void family_old_closed(int);
void family_old_end(void);

/* family_memory.c */
void family_memory_starting(int);
void family_memory_end(void);

/* A session of which a worker was told. */
struct opened {
	struct msg_open msg;
	uint32_t worker;
	uint32_t epoch; /* of the worker */
	int moves;      /* boolean: stands still, for another worker */
	int told;       /* boolean: the parent has ended it */
	int ahead;      /* boolean: it was told of, while all went on */
	int over;       /* boolean: whoever has */
};
extern struct opened opened[OPENED];
extern uint32_t nopened;

/* family_child.c: the children. */
struct child_play {
	pid_t pid;
	struct imsgbuf channel;
	int log;         /* as are the channel and words: -1: closed */
	int words;       /* standard error */
	int auth;        /* boolean; else a worker */
	uint32_t number; /* of the worker */
	uint32_t epoch;
	int started;   /* boolean: was told to begin */
	int ready;     /* boolean: has said that it is */
	int wild;      /* boolean: may be killed for what it says or does */
	int garbled;   /* boolean: what it says may be no message */
	int bad;       /* boolean: must be */
	int killed;    /* boolean */
	int dead;      /* boolean: and buried */
	uint32_t keys; /* PA_KEYS that it has not answered */
	struct msg_move coming;                  /* ticket 0: nothing */
	uint32_t generations[MOVE_SESSIONS_MAX]; /* of these */
	struct imsgbuf kept; /* the parent tells of these; fd -1: it does not */
	uint64_t here;       /* those that it has told of */
	struct imsgbuf parking; /* it is told by this one; fd -1: it is not */
	uint32_t still;         /* the ticket by which that stands still */
};
extern struct child_play children[CHILDREN];

void children_begin(void);
int children_born(int, int, int);
void child_killed(pid_t);
int children_hear(void);
void children_check(void);
void children_end(void);
struct child_play *child_alive(int, uint32_t);
void child_say(struct child_play *, uint32_t, int, const void *, size_t);
void child_die(struct child_play *, int);

/* family_words.c: what they say. */
void child_says_ready(struct child_play *);
void child_says_closed(struct child_play *, uint32_t, uint32_t);
void child_acts(struct input *);

/* Whether the children do by themselves what honest ones do. */
#define HABIT_KEYS  0x1  /* auth answers about keys */
#define HABIT_STAT  0x2  /* workers answer about sessions */
#define HABIT_BURY  0x4  /* who was killed is dead at once */
#define HABIT_READY 0x8  /* who was started is ready at once */
#define HABIT_MOVE  0x10 /* sessions that are to come are taken */
#define HABIT_STILL 0x20 /* who is to stand still does, and tells of all */
extern uint8_t habits;

/* family_move.c: how sessions go from one to another. */
void child_takes(struct child_play *, struct imsg *);
void child_gives(const struct imsg *);
void child_moved(struct child_play *, const struct imsg *);
void child_forgets(const struct child_play *, const struct imsg *);
int child_hears_kept(struct child_play *);
void child_says_moved(struct child_play *, struct input *);

/* family_still.c: how they go to another parent. */
void family_hang_up(struct imsgbuf *);
void family_open(struct imsgbuf *, struct imsg *);
void child_stands_still(struct child_play *, const struct imsg *);
void child_parks(struct child_play *, struct imsg *);
void child_says_still(struct child_play *, struct input *);
void child_says_parked(struct child_play *, struct input *);

/* family_operator.c: whoever may open the control socket. */
void operators_begin(void);
void operator_acts(struct input *);
int operators_hear(void);
int operators_wait(void);
void operators_stop_taking(void);
void operators_end(int);
int operator_accepted(void);
void operator_listener(int);
void operator_closed(int);
int operator_may_connect(void);

#endif /* REGRESS_FUZZ_FAMILY_H */
