/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_CACHEFILE_H
#define AUTH_CACHEFILE_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/learned.h"

/*
 * What was learned, for the auth that comes after this one: memory that the
 * parent has written to a file, and the file.  Times are ages, as the monotonic
 * clock does not last.  Both directions go in steps.
 */
#define CACHEFILE_STEP 4096 /* keys, or as many bytes as they take */

struct cachefile_header {
	char magic[8];
	uint32_t version;
	uint32_t count; /* entries that follow */
	uint64_t wall;  /* unix seconds, when it was begun */
	uint8_t pad[8]; /* zero */
	uint8_t sum[crypto_generichash_BYTES]; /* of all, with this zero */
};
_Static_assert(sizeof(struct cachefile_header) == PROTO_CACHE_HEADER, "size");

struct cachefile_entry {
	uint32_t node;
	uint32_t age;   /* seconds since it was confirmed, at `wall` */
	uint32_t grace; /* seconds for which `previous` serves, likewise */
	uint32_t pad;   /* zero */
	uint8_t key[PROTO_KEY_LEN];
	uint8_t previous[PROTO_KEY_LEN];
};
_Static_assert(sizeof(struct cachefile_entry) == PROTO_CACHE_ENTRY, "size");

struct cachefile {
	int fd;         /* that is read; -1: none, or all of it is here */
	uint8_t *data;  /* NULL: nothing is under way */
	size_t size;    /* of the mapping */
	size_t len;     /* bytes that were read */
	uint32_t at;    /* next entry of the table or of the file */
	uint32_t began; /* clock_seconds() */
	int load;       /* boolean */
	int believed;   /* boolean: the sum is right */
	crypto_generichash_state sum;
	struct cachefile_header header;
};

int cachefile_save(struct cachefile *, int, uint64_t, uint32_t);
int cachefile_load(struct cachefile *, int, uint64_t, uint32_t);
int cachefile_step_save(struct cachefile *, const struct learned *);
int cachefile_step_load(
    struct cachefile *, struct learned *, uint32_t stale, uint32_t max);
size_t cachefile_bytes(const struct cachefile *);
void cachefile_close(struct cachefile *);

#endif /* AUTH_CACHEFILE_H */
