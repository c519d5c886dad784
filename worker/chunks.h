/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_CHUNKS_H
#define WORKER_CHUNKS_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes that wait, added at the end and taken at the front, in a list of
 * pieces: however many there are, none is ever moved, and what has been taken
 * costs no memory.  All zero is an empty one.  The bound is the caller's.
 */
#define CHUNK_MIN 4096
#define CHUNK_MAX 65536

struct chunk {
	struct chunk *next;
	uint32_t size;  /* of the allocation */
	uint32_t first; /* of the bytes that wait, in data */
	uint32_t end;   /* behind the last of them */
	uint8_t data[];
};

struct chunks {
	struct chunk *head;
	struct chunk *tail;
	size_t len;
	size_t size; /* of all allocations */
};

int chunks_add(struct chunks *, const uint8_t *, size_t);
void chunks_take(struct chunks *, size_t);
void chunks_cut(struct chunks *, size_t);
void chunks_join(struct chunks *to, struct chunks *more);
size_t chunks_copy(const struct chunks *, uint8_t *, size_t);
int chunks_pieces(
    const struct chunks *, size_t from, size_t to, struct iovec *, int);

#endif /* WORKER_CHUNKS_H */
