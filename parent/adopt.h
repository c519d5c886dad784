/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_ADOPT_H
#define PARENT_ADOPT_H

#include <stdint.h>

#include "common/channel.h"
#include "common/proto.h"

struct parent;
struct process;

/* A child of the parent that runs, on its way to us. */
struct ward {
	struct process *process;
	int log; /* its lines, and its standard error; -1: not here yet */
	int words;
};

/* What is asked for instead of its sessions, if it is like us. */
struct adopt {
	int likely; /* boolean: it is */
	uint32_t nwards; /* and of how many the end is still to come */
	struct ward wards[PROTO_PLACES_MAX + 1];
};

/* adopt.c */
uint64_t adopt_alike(const struct parent *);
void adopt_decide(struct parent *);
const char *adopt_read(struct parent *, int fd);
void adopt_over(struct parent *);

/* adopt_ward.c */
const char *adopt_ward(void *, const void *, size_t, int);
const char *adopt_ward_page(void *, const void *, size_t, int);
const char *adopt_ward_log(void *, const void *, size_t, int);
const char *adopt_ward_words(void *, const void *, size_t, int);

#endif /* PARENT_ADOPT_H */
