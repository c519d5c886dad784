/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>

#include "common/clock.h"
#include "common/counters.h"

#include "auth/lookup.h"

static void
lookup_enter(struct lookups *l, struct lookup *lookup, enum lookup_state state)
{
	lookup->state = state;
	TAILQ_INSERT_TAIL(&l->line[state], lookup, line);
	l->count[state]++;
}

static void
lookup_leave(struct lookups *l, struct lookup *lookup)
{
	TAILQ_REMOVE(&l->line[lookup->state], lookup, line);
	l->count[lookup->state]--;
}

static void
lookup_move(struct lookups *l, struct lookup *lookup, enum lookup_state state)
{
	lookup_leave(l, lookup);
	lookup_enter(l, lookup, state);
}

/* Returns 0, or -1 with errno ENOMEM. */
int
lookup_init(struct lookups *l)
{
	uint32_t i;

	memset(l, 0, sizeof(*l));
	randombytes_buf(l->secret, sizeof(l->secret));
	l->lookups = calloc(LOOKUP_MAX, sizeof(*l->lookups));
	l->waiters = calloc(LOOKUP_WAITERS, sizeof(*l->waiters));
	if (l->lookups == NULL || l->waiters == NULL) {
		lookup_free(l);
		return (-1);
	}
	for (i = 0; i <= LOOKUP_SENT; i++)
		TAILQ_INIT(&l->line[i]);
	TAILQ_INIT(&l->waiting);
	TAILQ_INIT(&l->ready);
	TAILQ_INIT(&l->unused);
	return (0);
}

void
lookup_free(struct lookups *l)
{
	free(l->lookups);
	free(l->waiters);
	memset(l, 0, sizeof(*l));
}

static struct lookup_chain *
lookup_chain(struct lookups *l, uint32_t node)
{
	return (&l->heads[nodehash(l->secret, node) % LOOKUP_HEADS]);
}

static struct lookup *
lookup_find(struct lookups *l, uint32_t node)
{
	struct lookup *lookup;

	LIST_FOREACH(lookup, lookup_chain(l, node), chain)
		if (lookup->node == node)
			return (lookup);
	return (NULL);
}

static struct lookup *
lookup_new(struct lookups *l, uint32_t node, enum lookup_state state)
{
	struct lookup *lookup;

	lookup = TAILQ_FIRST(&l->line[LOOKUP_FREE]);
	if (lookup != NULL)
		lookup_leave(l, lookup);
	else if (l->lookups_used < LOOKUP_MAX)
		lookup = &l->lookups[l->lookups_used++];
	else
		return (NULL);
	lookup->node = node;
	lookup->tries = 0;
	TAILQ_INIT(&lookup->waiters);
	LIST_INSERT_HEAD(lookup_chain(l, node), lookup, chain);
	lookup_enter(l, lookup, state);
	return (lookup);
}

/* It has no waiters (any more). */
static void
lookup_end(struct lookups *l, struct lookup *lookup)
{
	LIST_REMOVE(lookup, chain);
	lookup_move(l, lookup, LOOKUP_FREE);
}

static struct lookup *
lookup_for_waiter(struct lookups *l, uint32_t node)
{
	struct lookup *lookup;

	lookup = lookup_find(l, node);
	if (lookup == NULL)
		return (lookup_new(l, node, LOOKUP_URGENT));
	counters_add(COUNTER_LOOKUP_SHARED, 1);
	if (lookup->state == LOOKUP_REFRESH)
		lookup_move(l, lookup, LOOKUP_URGENT);
	return (lookup);
}

/*
 * The login waits for an answer from now on, clock_ns().  Returns 0, or -1 if
 * there is no room, which is counted.
 */
int
lookup_wait(struct lookups *l, const struct lookup_login *login, uint64_t now)
{
	struct lookup_waiter *waiter;
	struct lookup *lookup;

	lookup = NULL;
	if (l->nwaiting + l->nready < LOOKUP_WAITERS &&
	    l->of[login->worker] < LOOKUP_WORKER)
		lookup = lookup_for_waiter(l, login->msg.node);
	if (lookup == NULL) {
		counters_add(COUNTER_LOOKUP_FULL, 1);
		return (-1);
	}
	waiter = TAILQ_FIRST(&l->unused);
	if (waiter != NULL)
		TAILQ_REMOVE(&l->unused, waiter, line);
	else
		waiter = &l->waiters[l->waiters_used++];
	waiter->login = *login;
	waiter->deadline = now + LOOKUP_PATIENCE * CLOCK_SECOND;
	waiter->lookup = lookup;
	TAILQ_INSERT_TAIL(&lookup->waiters, waiter, same);
	TAILQ_INSERT_TAIL(&l->waiting, waiter, line);
	l->nwaiting++;
	l->of[login->worker]++;
	return (0);
}

/*
 * The node is to be asked for when nothing else is to be done.  Returns 0, or
 * -1 if there is no room.
 */
int
lookup_refresh(struct lookups *l, uint32_t node)
{
	if (lookup_find(l, node) != NULL)
		return (0);
	if (l->count[LOOKUP_REFRESH] >= LOOKUP_REFRESHES ||
	    lookup_new(l, node, LOOKUP_REFRESH) == NULL)
		return (-1);
	return (0);
}

/* The node that is to be asked for next, and counts as asked now; or 0. */
uint32_t
lookup_next(struct lookups *l)
{
	struct lookup *lookup;

	lookup = TAILQ_FIRST(&l->line[LOOKUP_URGENT]);
	if (lookup == NULL)
		lookup = TAILQ_FIRST(&l->line[LOOKUP_REFRESH]);
	if (lookup == NULL)
		return (0);
	lookup->tries++;
	lookup_move(l, lookup, LOOKUP_SENT);
	return (lookup->node);
}

static void
lookup_release(struct lookups *l, struct lookup_waiter *waiter,
    enum lookup_outcome outcome)
{
	TAILQ_REMOVE(&waiter->lookup->waiters, waiter, same);
	TAILQ_REMOVE(&l->waiting, waiter, line);
	l->nwaiting--;
	waiter->lookup = NULL;
	waiter->outcome = outcome;
	TAILQ_INSERT_TAIL(&l->ready, waiter, line);
	l->nready++;
}

static void
lookup_settle(
    struct lookups *l, struct lookup *lookup, enum lookup_outcome outcome)
{
	struct lookup_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&lookup->waiters)) != NULL)
		lookup_release(l, waiter, outcome);
	lookup_end(l, lookup);
}

/* What was asked of node has that outcome: whoever waits for it is ready. */
void
lookup_answered(struct lookups *l, uint32_t node, enum lookup_outcome outcome)
{
	struct lookup *lookup;

	lookup = lookup_find(l, node);
	if (lookup != NULL)
		lookup_settle(l, lookup, outcome);
}

/*
 * The connection is gone, and with it the answers.  Who still waits is asked
 * for once more, before all others; after that there is no answer.
 */
void
lookup_lost(struct lookups *l)
{
	struct lookup *lookup;

	while (
	    (lookup = TAILQ_LAST(&l->line[LOOKUP_SENT], lookup_line)) != NULL) {
		if (TAILQ_EMPTY(&lookup->waiters) ||
		    lookup->tries >= LOOKUP_TRIES) {
			lookup_settle(l, lookup, LOOKUP_UNANSWERED);
			continue;
		}
		lookup_leave(l, lookup);
		lookup->state = LOOKUP_URGENT;
		TAILQ_INSERT_HEAD(&l->line[LOOKUP_URGENT], lookup, line);
		l->count[LOOKUP_URGENT]++;
	}
}

/*
 * Whose deadline has passed at now, clock_ns(), has no answer.  What nobody
 * waits for any more is not asked.
 */
void
lookup_expire(struct lookups *l, uint64_t now)
{
	struct lookup_waiter *waiter;
	struct lookup *lookup;

	while ((waiter = TAILQ_FIRST(&l->waiting)) != NULL &&
	       waiter->deadline <= now) {
		lookup = waiter->lookup;
		lookup_release(l, waiter, LOOKUP_UNANSWERED);
		if (TAILQ_EMPTY(&lookup->waiters) &&
		    lookup->state != LOOKUP_SENT)
			lookup_end(l, lookup);
	}
}

/* There is nobody left to be asked: everything ends without an answer. */
void
lookup_forget(struct lookups *l)
{
	struct lookup *lookup;
	uint32_t state;

	for (state = LOOKUP_URGENT; state <= LOOKUP_SENT; state++)
		while ((lookup = TAILQ_FIRST(&l->line[state])) != NULL)
			lookup_settle(l, lookup, LOOKUP_UNANSWERED);
}

/* Takes one of those that are ready.  Returns 1, or 0 if there is none. */
int
lookup_ready(
    struct lookups *l, struct lookup_login *login, enum lookup_outcome *outcome)
{
	struct lookup_waiter *waiter;

	waiter = TAILQ_FIRST(&l->ready);
	if (waiter == NULL)
		return (0);
	TAILQ_REMOVE(&l->ready, waiter, line);
	TAILQ_INSERT_HEAD(&l->unused, waiter, line);
	*login = waiter->login;
	*outcome = waiter->outcome;
	l->nready--;
	l->of[login->worker]--;
	return (1);
}
