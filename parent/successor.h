/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_SUCCESSOR_H
#define PARENT_SUCCESSOR_H

#include <stdint.h>

#include "common/channel.h"
#include "parent/adopt.h"
#include "parent/unpark.h"

struct parent;

/* States of the channel. */
#define SUCCESSOR_TAKES  0x1 /* sessions are to come */
#define SUCCESSOR_TAKEN  0x2 /* and it is to confirm that they are ours */
#define SUCCESSOR_QUIET  0x4 /* nothing is to come */
#define SUCCESSOR_ADOPTS 0x8 /* its children are to come */

/* We take over from another parent, doc/moving.md. */
struct successor {
	int pending; /* boolean: until we have all, or know that we don't */
	int asks;    /* boolean: it runs, and is asked for what it has */
	int begun;   /* boolean: our children were ready, once */
	int last; /* boolean: all stand still there; what comes is the last */
	uint32_t rounds;        /* in which some have come before */
	int fd;                 /* to it */
	struct channel channel; /* likewise, later */
	ev_prepare next;        /* fed when it has answered */
	/* What comes next. */
	void (*go)(struct parent *);      /* our children are ready */
	void (*kept)(struct parent *);    /* all that it had is here */
	void (*over)(struct parent *);    /* and it has ended */
	void (*next_is)(struct parent *); /* of these, when fed */
	int file;                         /* with the sessions; -1: none yet */
	struct unpark unpark;
	/* How it steered datagrams. */
	int steered;
	uint32_t steer_key;
	uint32_t nworkers;
	uint32_t keys; /* that it had */
	/* What of it may be ours as it is, see adopt.c. */
	uint64_t alike;
	uint64_t places[PROTO_PLACES_MAX / 64];
	struct adopt adopt;
	int nurse; /* to it, while it waits for its children */
};

/* Boolean: the other one still has all that we are about to take over. */
static inline int
successor_can_go_back(const struct successor *s)
{
	return (s->pending && s->asks && s->channel.state != SUCCESSOR_TAKEN);
}

/* Boolean: whoever comes is the other one's, as long as that serves. */
static inline int
successor_waits(const struct successor *s)
{
	return (s->pending && s->asks);
}

/* The place for our own worker of that part, which none of its workers has. */
static inline uint32_t
successor_place(const struct successor *s, uint32_t share)
{
	return (
	    s->adopt.likely && (s->places[share / 64] >> share % 64 & 1) != 0
		? share + PROTO_WORKERS_MAX
		: share);
}

/* successor.c */
void successor_init(struct parent *, int);

/* successor_ask.c */
void successor_ask_sockets(struct parent *);
void successor_open_channel(struct parent *, void (*kept)(struct parent *),
    void (*over)(struct parent *));
void successor_ask(struct parent *);
void successor_taken(struct parent *);
void successor_give_up(struct parent *, const char *why)
    __attribute__((noreturn));

#endif /* PARENT_SUCCESSOR_H */
