/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_LOAD_FLOOD_H
#define REGRESS_LOAD_FLOOD_H

#include <stddef.h>
#include <stdint.h>

#include "regress/bench/load.h"

/*
 * A flood of one kind.  init() is called once, tick() a thousand times a
 * second at least, event() for each of what epoll found.
 */
struct kind {
	const char *name;
	void (*init)(void);
	void (*tick)(void);
	void (*event)(void *, uint32_t);
};

/* The run.  One process, one thread, one of it. */
struct flood {
	const struct kind *kind;
	uint32_t held;    /* connections at a time */
	uint64_t most;    /* tries; 0: until it is stopped */
	uint64_t rate;    /* tries a second; 0: as many as can be */
	uint32_t sources; /* addresses that they come from; 0: the usual one */
	const char *said; /* by a PROXY header: the client's address, or NULL */
	uint64_t begin;   /* ns */
	uint64_t tried;
	uint64_t ended; /* connections, by the other side */
};

extern struct flood flood;

/* flood.c */
int flood_may(void);

/* flood_raw.c: connections that never log in, and datagrams */
extern const struct kind flood_connect, flood_head, flood_silent, flood_scrape;
extern const struct kind flood_datagrams;

/* flood_session.c: nodes that log in, and misbehave then */
extern const struct kind flood_deaf, flood_ping, flood_fragments;
extern const struct kind flood_replaced, flood_twins;

#endif /* REGRESS_LOAD_FLOOD_H */
