/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_PARK_FILE_H
#define PARENT_PARK_FILE_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#include "common/proto_park.h"

#define PARK_BUFFER (64U << 10)

/* Sessions that wait for another parent, common/proto_park.h; being written. */
struct park_file {
	int fd;
	uint64_t bytes;
	uint32_t sessions;
	uint32_t nqueues;
	int queues[PARK_QUEUES_MAX]; /* the ends that are read */
	int sender;                  /* to the last of them */
	int fds[PARK_BATCH];         /* that are to go there */
	uint32_t nfds;
	size_t len; /* not written yet */
	uint8_t buffer[PARK_BUFFER];
};

struct park_file *park_file_new(void);
void park_file_free(struct park_file *);
int park_file_add(
    struct park_file *, enum park_type, const struct iovec *, int);
int park_file_add_fd(struct park_file *, int);
int park_file_seal(struct park_file *, struct park_header *);

#endif /* PARENT_PARK_FILE_H */
