/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_RESOLVE_H
#define PARENT_RESOLVE_H

#include <ev.h>
#include <stdint.h>

#include "parent/conf.h"

/*
 * Names are looked up by a process of its own, the resolver: getaddrinfo(3)
 * blocks, reads what comes from the network, and loads what it likes.  The
 * resolver itself does none of that: for each name it starts a process that
 * may read what the library reads and use the network, and that is killed when
 * it takes too long.  It ends with the parent.
 */
#define RESOLVE_ADDRESSES 8  /* of one name, that are told */
#define RESOLVE_SECONDS   10 /* for one name */

/* Who asks: one name each at a time. */
enum resolve_user { RESOLVE_REGISTRY, RESOLVE_BEACONS, RESOLVE_USERS };

struct resolve_request {
	uint32_t user;   /* enum resolve_user */
	uint32_t serial; /* comes back in the answer */
	char name[CONF_HOST_MAX];
};

struct resolve_answer {
	uint32_t user;
	uint32_t serial;
	int32_t error;  /* EAI_*; 0: there are addresses */
	uint32_t count; /* at most RESOLVE_ADDRESSES */
	/* IPv6 or v4-mapped, network order, the best one first */
	uint8_t addr[RESOLVE_ADDRESSES][16];
};

/* answer->error != 0: the rest of it is zero. */
typedef void (*resolve_done_fn)(void *owner, const struct resolve_answer *);

struct resolve {
	struct ev_loop *loop; /* NULL: not watched yet */
	int fd;               /* to the resolver; -1: there is none */
	ev_io readable;
	uint32_t serial;
	struct {
		resolve_done_fn done; /* NULL: nothing is asked */
		void *owner;
		uint32_t serial;
	} users[RESOLVE_USERS];
};

void resolve_init(struct resolve *);
void resolve_watch(struct resolve *, struct ev_loop *);
int resolve_ask(
    struct resolve *, enum resolve_user, const char *, resolve_done_fn, void *);
void resolve_cancel(struct resolve *, enum resolve_user);
int resolve_busy(const struct resolve *, enum resolve_user);

#endif /* PARENT_RESOLVE_H */
