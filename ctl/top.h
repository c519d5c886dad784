/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef CTL_TOP_H
#define CTL_TOP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/ctl.h"

#define TOP_CHILDREN (PROTO_WORKERS_MAX + 3)
#define TOP_PEERS    20 /* the busiest, which are shown */

struct top_peer {
	struct msg_ctl_peer row;
	double rate; /* frames a second, both ways */
};

/* What a peer had done at a sample. */
struct top_done {
	uint32_t node;
	uint32_t generation;
	uint64_t frames;
};

/* How things are, and how they were. */
struct top {
	struct client client;
	uint64_t when;  /* clock_ns() */
	double seconds; /* since the sample before; the first: since start */
	int first;      /* boolean */
	struct msg_ctl_summary summary;
	struct msg_ctl_child children[TOP_CHILDREN];
	uint32_t nchildren;
	uint64_t before[COUNTER_MAX + 1];
	uint64_t now[COUNTER_MAX + 1];
	struct top_peer peers[TOP_PEERS]; /* the busiest first */
	uint32_t npeers;
	struct top_done *last; /* of all, at the sample before; by node */
	uint32_t nlast;
	struct top_done *done; /* now */
	uint32_t ndone;
	uint32_t room; /* of both */
};

/* top.c */
int top(int, char **, const char *path);

/* top_screen.c */
void top_screen_open(void);
void top_screen_show(const char *text, size_t len);
int top_screen_wait(int ms);

/* top_sample.c */
void top_sample(struct top *);

/* top_text.c */
void top_text(const struct top *, FILE *);

#endif /* CTL_TOP_H */
