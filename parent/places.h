/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_PLACES_H
#define PARENT_PLACES_H

#include <ev.h>
#include <stdint.h>

struct parent;
struct place;
struct process;

/* A move of all sessions of some workers to new ones, renew.c. */
struct renewal {
	uint32_t awaited; /* new workers that are not ready yet; 0: none is */
	int upgrade;      /* boolean: they are of other programs, perhaps */
	int taking_over;  /* boolean: the old ones are just being told */
	ev_timer timer;
};

/* The workers that there are, and whose sessions go where. */
struct places {
	ev_timer timer; /* what there is to do, see places.c */
	uint32_t leaving;
	struct renewal renewal;
};

/* places.c */
void places_init(struct parent *);
void places_leave(struct place *);
void places_left(struct place *);
void places_moved(struct parent *);

/* beside.c */
void beside_begin(struct parent *);
int beside_is_busy(const struct parent *);
void beside_take_over(struct parent *);
void beside_end(struct parent *);

/* ping.c */
void ping_init(struct parent *);

/* renew.c */
int renew_worker(struct parent *, uint32_t share);
int renew_all(struct parent *);
int renew_is_busy(const struct parent *);
void renew_ready(struct process *);
void renew_failed(struct parent *, const char *reason);

#endif /* PARENT_PLACES_H */
