/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_KEYS_STORE_H
#define PARENT_KEYS_STORE_H

#include <sys/stat.h>

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

/*
 * Two files besides the key file, for auth, which opens none: the registry's
 * snapshot, and the cache of what the registry has said.
 */
struct parent;
struct process;

#define SNAPSHOT_LOOK 5. /* seconds from one look at the file to the next */
/*
 * As many times as long as a reading took, the next one waits: a large one that
 * changes all the time must not take auth's time away from logins.
 */
#define SNAPSHOT_PAUSE 10

struct keys_snapshot {
	struct parent *parent;
	ev_timer look;
	struct stat
	    read;       /* the file that auth was given last; no mtime: none */
	int asked;      /* boolean: auth has not answered yet */
	int said;       /* boolean: it was logged that it can't be had */
	uint64_t began; /* clock_ns() */
	uint64_t next;  /* likewise: not before that */
	uint32_t keys;
	uint32_t bad;
};

/* keys_snapshot.c */
void keys_snapshot_init(struct parent *);
void keys_snapshot_introduce(struct process *);
void keys_snapshot_show(struct process *);
const char *keys_snapshot_answer(
    struct parent *, const struct msg_snapshot_read *);

#define CACHE_EVERY 60.         /* seconds from one writing to the next, ... */
#define CACHE_RATE  (256 << 10) /* ... and bytes in each of them, at most */
#define CACHE_TURN  (4 << 20)   /* bytes written in one turn of the loop */

struct keys_cache {
	struct parent *parent;
	ev_timer due;
	ev_timer writer;
	int memory; /* that auth is to fill; -1: none */
	int asked;  /* boolean: it has not answered yet */
	int file;   /* that is being written; -1: none */
	uint8_t *data;
	size_t size;
	size_t done;
	void (*last)(struct parent *); /* called after it; NULL: go on */
};

/* keys_cache.c */
void keys_cache_init(struct parent *);
void keys_cache_introduce(struct process *);
void keys_cache_lost(struct process *);
const char *keys_cache_answer(
    struct parent *, const struct msg_cache_written *);
void keys_cache_ask(struct parent *);
void keys_cache_last(struct parent *, void (*)(struct parent *));
int keys_cache_busy(const struct parent *);

#endif /* PARENT_KEYS_STORE_H */
