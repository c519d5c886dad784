/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_UNPARK_FILE_H
#define PARENT_UNPARK_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto_park.h"

/* What another parent has left, being read. */
struct unpark_file {
	const uint8_t *base; /* NULL: there is none */
	size_t bytes;
	size_t at;     /* the next record */
	uint32_t left; /* sessions that are to come */
	uint32_t nqueues;
	int queues[PARK_QUEUES_MAX];
	uint32_t queue; /* that is being read */
	int fds[PARK_BATCH];
	uint32_t nfds; /* read from there; */
	uint32_t next; /* of these, the next to be taken */
	int damaged;   /* boolean: some of what it should have is missing */
};

/* A record, where it lies. */
struct unpark_record {
	uint32_t type;
	uint32_t len;
	const void *data; /* aligned for any */
};

int unpark_file_head(int, struct park_header *);
int unpark_file_open(struct unpark_file *, int);
void unpark_file_close(struct unpark_file *);
int unpark_file_next(struct unpark_file *, struct unpark_record *);
int unpark_file_take_fd(struct unpark_file *);

#endif /* PARENT_UNPARK_FILE_H */
