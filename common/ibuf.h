/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_IBUF_H
#define COMMON_IBUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * A buffer of bytes that is written at its end and read at its beginning, with
 * the names and the semantics of ibuf_add(3).  Nothing ever goes beyond what
 * is there: a getter that finds too little fails with EBADMSG and takes
 * nothing, a writer that finds no room fails with ERANGE and adds nothing.
 */
struct ibuf {
	unsigned char *buf;
	size_t size; /* bytes allocated */
	size_t max;  /* bytes it may grow to; 0: a view, see below */
	size_t wpos;
	size_t rpos;
};

struct ibuf *ibuf_open(size_t);
struct ibuf *ibuf_dynamic(size_t, size_t);
void ibuf_free(struct ibuf *);

/*
 * A view is a struct ibuf of the caller's that shows bytes of somebody else's:
 * it can only be read, and only as long as those bytes live.  It is not freed.
 */
void ibuf_from_buffer(struct ibuf *, void *, size_t);
int ibuf_get_ibuf(struct ibuf *, size_t, struct ibuf *);

int ibuf_add(struct ibuf *, const void *, size_t);
int ibuf_add_n8(struct ibuf *, uint64_t);
int ibuf_add_n16(struct ibuf *, uint64_t);
int ibuf_add_n32(struct ibuf *, uint64_t);
int ibuf_add_n64(struct ibuf *, uint64_t);
int ibuf_add_h16(struct ibuf *, uint64_t);
int ibuf_add_h32(struct ibuf *, uint64_t);
int ibuf_add_h64(struct ibuf *, uint64_t);
void *ibuf_reserve(struct ibuf *, size_t);
void *ibuf_seek(struct ibuf *, size_t, size_t);

int ibuf_get(struct ibuf *, void *, size_t);
int ibuf_get_n8(struct ibuf *, uint8_t *);
int ibuf_get_n16(struct ibuf *, uint16_t *);
int ibuf_get_n32(struct ibuf *, uint32_t *);
int ibuf_get_n64(struct ibuf *, uint64_t *);
int ibuf_get_h16(struct ibuf *, uint16_t *);
int ibuf_get_h32(struct ibuf *, uint32_t *);
int ibuf_get_h64(struct ibuf *, uint64_t *);
int ibuf_skip(struct ibuf *, size_t);

void *ibuf_data(const struct ibuf *);
size_t ibuf_size(const struct ibuf *);
size_t ibuf_left(const struct ibuf *);

#endif /* COMMON_IBUF_H */
