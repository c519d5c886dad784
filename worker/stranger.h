/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_STRANGER_H
#define WORKER_STRANGER_H

#include <sys/queue.h>

#include <stdint.h>

/* What a session has until it has logged in. */
struct stranger {
	TAILQ_ENTRY(stranger) all;
	TAILQ_ENTRY(stranger) same;     /* of one source */
	struct stranger_source *source; /* NULL: not known yet */
	uint32_t slot;
	uint32_t since;   /* tick */
	int done;         /* boolean: answered for good */
	uint32_t nonce;   /* number of the challenge's */
	uint32_t ts;      /* of the challenge, unix seconds */
	uint64_t replied; /* clock_ns() */
};
TAILQ_HEAD(stranger_list, stranger);

/* A customer of a network from whom there are some. */
struct stranger_source {
	LIST_ENTRY(stranger_source) entry; /* of its bucket */
	uint8_t net[16];
	uint32_t count;
	struct stranger_list strangers; /* the first to go first */
};
LIST_HEAD(stranger_bucket, stranger_source);

#define STRANGER_BUCKETS 4096

struct strangers {
	struct stranger_list all; /* the first to go first */
	uint32_t count;
	uint64_t key[2];
	struct stranger_bucket sources[STRANGER_BUCKETS];
};

/* Who is to make room first; NULL: there is nobody. */
static inline struct stranger *
stranger_oldest(const struct strangers *strangers)
{
	return (TAILQ_FIRST(&strangers->all));
}

static inline uint32_t
stranger_count(const struct strangers *all)
{
	return (all->count);
}

void stranger_init(struct strangers *);
struct stranger *stranger_new(struct strangers *, uint32_t slot, uint32_t tick);
int stranger_join(struct strangers *, struct stranger *, const uint8_t[16]);
void stranger_done(struct strangers *, struct stranger *);
void stranger_free(struct strangers *, struct stranger *);

#endif /* WORKER_STRANGER_H */
