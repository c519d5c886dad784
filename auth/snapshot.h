/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_SNAPSHOT_H
#define AUTH_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "auth/keycache.h"

/*
 * The registry's snapshot (doc/protocol.md 6): one JSON object of some 100 MB,
 * of which only the keys are kept.  It is read in chunks, so that logins go on
 * meanwhile.  One that is cut, or holds no key at all, is not believed.
 */
#define SNAPSHOT_CHUNK 65536 /* bytes that one step reads */
#define SNAPSHOT_DEPTH 32    /* objects and lists within each other */

struct yajl_handle_t;

struct snapshot {
	struct keycache cache;
	struct yajl_handle_t *parser; /* NULL: closed */
	int fd;                       /* -1: all comes by snapshot_feed() */
	char path[PROTO_PATH_LEN];
	uint32_t written; /* see msg_snapshot */
	uint32_t bad;     /* entries skipped */
	uint32_t depth;
	uint32_t node; /* of the entry that is read; 0: it is none */
	int nodes;     /* boolean, as are the rest: "nodes" is read, or next */
	int key;       /* "public_key" is next */
	int has;       /* there is one: */
	uint8_t value[PROTO_KEY_LEN];
	uint8_t chunk[SNAPSHOT_CHUNK];
};

int snapshot_begin(struct snapshot *, int, const char *, uint32_t);
int snapshot_feed(struct snapshot *, const uint8_t *, size_t);
int snapshot_end(struct snapshot *);
int snapshot_step(struct snapshot *);
void snapshot_close(struct snapshot *);

#endif /* AUTH_SNAPSHOT_H */
