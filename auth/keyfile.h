/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_KEYFILE_H
#define AUTH_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

#include "auth/keycache.h"

/*
 * The key file: lines "NODE_ID BASE64_KEY", blanks between, comments from "#".
 * It is read in chunks, so that logins go on meanwhile.  A bad line is named
 * in the log and skipped.
 */
#define KEYFILE_LINE_MAX  1024  /* bytes of a line, without its newline */
#define KEYFILE_CHUNK     65536 /* bytes that one step reads */
#define KEYFILE_NAMED_MAX 20    /* bad lines named; more are only counted */

struct keyfile {
	struct keycache cache;
	int fd; /* -1: closed */
	char path[PROTO_PATH_LEN];
	uint32_t line;                  /* number of the line being read */
	uint32_t bad;                   /* lines skipped */
	size_t len;                     /* bytes in partial */
	int too_long;                   /* boolean: so is the line being read */
	char partial[KEYFILE_LINE_MAX]; /* a line cut by the end of a chunk */
	char chunk[KEYFILE_CHUNK];
};

void keyfile_begin(struct keyfile *, int, const char *);
int keyfile_feed(struct keyfile *, const char *, size_t);
int keyfile_end(struct keyfile *);
int keyfile_step(struct keyfile *);
void keyfile_close(struct keyfile *);

#endif /* AUTH_KEYFILE_H */
