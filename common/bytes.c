/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

static int
bytes_resize(struct bytes *b, size_t size)
{
	uint8_t *data;

	data = realloc(b->data, size);
	if (data == NULL)
		return (-1);
	b->data = data;
	b->size = size;
	return (0);
}

static void
bytes_compact(struct bytes *b)
{
	if (b->head == 0)
		return;
	memmove(b->data, b->data + b->head, b->len);
	b->head = 0;
}

/*
 * Where len (not 0) more bytes can be written behind the others; the caller
 * adds to b->len what it wrote.  The allocation doubles, from `least` on.
 * Returns NULL, with nothing changed, without memory.
 */
uint8_t *
bytes_room(struct bytes *b, size_t len, size_t least)
{
	size_t size;

	if (b->head + b->len + len > b->size)
		bytes_compact(b);
	if (b->len + len > b->size) {
		size = b->size == 0 ? least : b->size;
		while (size < b->len + len)
			size *= 2;
		if (bytes_resize(b, size) == -1)
			return (NULL);
	}
	return (b->data + b->head + b->len);
}

/* Adds the len bytes at data.  Returns 0, or -1 without memory. */
int
bytes_add(struct bytes *b, const void *data, size_t len, size_t least)
{
	uint8_t *to;

	if (len == 0)
		return (0);
	to = bytes_room(b, len, least);
	if (to == NULL)
		return (-1);
	memcpy(to, data, len);
	b->len += len;
	return (0);
}

/* The first len of them are gone. */
void
bytes_take(struct bytes *b, size_t len)
{
	b->head += len;
	b->len -= len;
	if (b->len == 0)
		b->head = 0;
}

/* It is empty and owns nothing. */
void
bytes_free(struct bytes *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}
