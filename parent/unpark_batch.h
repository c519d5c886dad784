/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_UNPARK_BATCH_H
#define PARENT_UNPARK_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/channel.h"
#include "common/proto_park.h"

struct process;

/* Sessions that go to one of our workers together. */
struct unparking {
	struct process *to;
	struct channel channel;
	char name[48];
	int far; /* the worker's end of that, until it has it */
	uint32_t ticket;
	uint32_t count;
	uint32_t turns;
	int settled; /* boolean: the map has them */
	struct {
		struct park_session session;
		uint32_t generation;
		int fd;
		size_t begin, end; /* what follows the session in the file */
	} sessions[MOVE_SESSIONS_MAX];
};

struct unparking *unpark_new(struct process *);
void unpark_fill(struct unparking *);
void unpark_introduce(struct unparking *);
void unpark_tell(struct unparking *);

#endif /* PARENT_UNPARK_BATCH_H */
