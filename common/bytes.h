/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes that wait: added at the end, taken at the front, in one piece of
 * memory.  All zero is an empty one that owns nothing.  The bound is the
 * caller's.
 */
struct bytes {
	uint8_t *data;
	size_t size; /* of the allocation */
	size_t head; /* where the first of them is */
	size_t len;
};

uint8_t *bytes_room(struct bytes *, size_t len, size_t least);
int bytes_add(struct bytes *, const void *data, size_t len, size_t least);
void bytes_take(struct bytes *, size_t len);
void bytes_free(struct bytes *);

static inline uint8_t *
bytes_first(const struct bytes *b)
{
	return (b->data + b->head);
}

#endif /* COMMON_BYTES_H */
