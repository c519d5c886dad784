/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_LOOKUP_H
#define AUTH_LOOKUP_H

#include <sys/queue.h>

#include <stdint.h>

#include "common/proto.h"

#include "auth/nodehash.h"

/*
 * The nodes that the registry is to be asked for, and the logins that wait for
 * it: one request a node, however many wait.  Who waits comes before what is
 * only to be refreshed; all who wait have the same time for it, so that they
 * stand in the order of their deadlines.
 *
 * A login waits in a lookup, and then, with its outcome, in the line of those
 * that are ready: it is for the caller to take a few in each turn.
 */
#define LOOKUP_MAX       16384U /* nodes */
#define LOOKUP_WAITERS   65536U
#define LOOKUP_WORKER    12288U /* waiters of one worker: not all lookups */
#define LOOKUP_REFRESHES 1024U  /* of the nodes */
#define LOOKUP_PATIENCE  3U     /* seconds that a login waits */
#define LOOKUP_TRIES     2U     /* connections on which a node is asked for */
#define LOOKUP_HEADS     16384U

enum lookup_outcome {
	LOOKUP_ANSWERED, /* what is known of the node is known now */
	LOOKUP_UNANSWERED
};

/* A login, as it is judged once the answer is there. */
struct lookup_login {
	uint32_t worker; /* below PROTO_PLACES_MAX */
	uint32_t epoch;
	struct msg_verify msg;
	uint8_t nonce[PROTO_NONCE_LEN];
};

struct lookup_waiter {
	struct lookup_login login;
	uint64_t deadline;     /* clock_ns() */
	struct lookup *lookup; /* NULL: ready */
	enum lookup_outcome outcome;
	TAILQ_ENTRY(lookup_waiter)
	line; /* of all that wait, or are ready, or are free */
	TAILQ_ENTRY(lookup_waiter)
	same; /* of the same node */
};
TAILQ_HEAD(lookup_waiters, lookup_waiter);

enum lookup_state { LOOKUP_FREE, LOOKUP_URGENT, LOOKUP_REFRESH, LOOKUP_SENT };

struct lookup {
	uint32_t node;
	enum lookup_state state;
	uint32_t tries;
	struct lookup_waiters waiters;
	TAILQ_ENTRY(lookup)
	line; /* of its state */
	LIST_ENTRY(lookup)
	chain; /* of its hash */
};
TAILQ_HEAD(lookup_line, lookup);
LIST_HEAD(lookup_chain, lookup);

struct lookups {
	struct lookup *lookups;
	struct lookup_waiter *waiters;
	struct lookup_line line[LOOKUP_SENT + 1];
	uint32_t count[LOOKUP_SENT + 1];
	struct lookup_waiters waiting;
	struct lookup_waiters ready;
	struct lookup_waiters unused;
	uint32_t lookups_used; /* that were ever in use */
	uint32_t waiters_used; /* likewise */
	uint32_t nwaiting;
	uint32_t nready;
	uint32_t of[PROTO_PLACES_MAX]; /* both, of each worker */
	struct lookup_chain heads[LOOKUP_HEADS];
	uint8_t secret[NODEHASH_KEY];
};

int lookup_init(struct lookups *);
void lookup_free(struct lookups *);
int lookup_wait(struct lookups *, const struct lookup_login *, uint64_t);
int lookup_refresh(struct lookups *, uint32_t);
uint32_t lookup_next(struct lookups *);
void lookup_answered(struct lookups *, uint32_t, enum lookup_outcome);
void lookup_lost(struct lookups *);
void lookup_expire(struct lookups *, uint64_t);
void lookup_forget(struct lookups *);
int lookup_ready(
    struct lookups *, struct lookup_login *, enum lookup_outcome *);

/* Lookups that are not sent yet. */
static inline uint32_t
lookup_queued(const struct lookups *l)
{
	return (l->count[LOOKUP_URGENT] + l->count[LOOKUP_REFRESH]);
}

/* Boolean: is there nothing that time could change? */
static inline int
lookup_idle(const struct lookups *l)
{
	return (l->nwaiting == 0 && lookup_queued(l) == 0);
}

#endif /* AUTH_LOOKUP_H */
