/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/peermap.h"
#include "parent/holders.h"

#define HOLDERS_BUCKETS (1U << 18)

struct holder;

/* An endpoint; its place in the table is the number of its entry. */
struct held {
	TAILQ_ENTRY(held) entry; /* of its holder: the last refreshed is last */
	struct holder *holder;   /* NULL: this entry is no endpoint */
};
TAILQ_HEAD(heldq, held);

struct holder {
	uint8_t net[16];
	LIST_ENTRY(holder) chain;  /* of the hash, or of those that are free */
	TAILQ_ENTRY(holder) equal; /* of one rank: the last active is last */
	struct heldq held;
	uint32_t count;
	int exempt; /* boolean */
};
LIST_HEAD(holder_chain, holder);
TAILQ_HEAD(holder_rank, holder);

struct holders {
	uint64_t key[2];
	uint32_t used;    /* of holders */
	uint32_t highest; /* rank that somebody has; 0: none */
	struct holder_chain unused;
	struct network *exempt;
	uint32_t nexempt;
	struct holder_chain buckets[HOLDERS_BUCKETS];
	struct holder_rank ranks[ENDPOINTS_MAX + 1];
	struct holder holders[ENDPOINTS_MAX];
	struct held held[PEERMAP_NODES_MAX];
};

/* Untouched pages cost nothing.  NULL: no memory, see errno. */
struct holders *
holders_new(void)
{
	struct holders *all;

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return (NULL);
	if (getrandom(all->key, sizeof(all->key), 0) !=
	    (ssize_t)sizeof(all->key)) {
		holders_free(all);
		return (NULL);
	}
	return (all);
}

void
holders_free(struct holders *all)
{
	free(all->exempt);
	(void)munmap(all, sizeof(*all));
}

static uint32_t
holders_rank(const struct holder *holder)
{
	return (holder->exempt ? 1 : holder->count);
}

static void
holders_leave_rank(struct holders *all, struct holder *holder)
{
	TAILQ_REMOVE(&all->ranks[holders_rank(holder)], holder, equal);
}

/* As the one that was active last. */
static void
holders_join_rank(struct holders *all, struct holder *holder)
{
	struct holder_rank *rank;
	uint32_t n;

	n = holders_rank(holder);
	rank = &all->ranks[n];
	if (rank->tqh_last == NULL)
		TAILQ_INIT(rank);
	TAILQ_INSERT_TAIL(rank, holder, equal);
	if (n > all->highest)
		all->highest = n;
}

/* Ranks change by one, so this is one step. */
static void
holders_lower(struct holders *all)
{
	while (all->highest > 0 && TAILQ_EMPTY(&all->ranks[all->highest]))
		all->highest--;
}

static int
holders_is_exempt(const struct holders *all, const uint8_t net[16])
{
	uint32_t i;

	for (i = 0; i < all->nexempt; i++)
		if (address_within(
			net, all->exempt[i].addr, all->exempt[i].prefix))
			return (1);
	return (0);
}

static struct holder_chain *
holders_bucket(const struct holders *all, const uint8_t net[16])
{
	return (
	    (struct holder_chain *)(uintptr_t)&all
		->buckets[address_hash(all->key, net, 0) % HOLDERS_BUCKETS]);
}

/* Who has this address; NULL: nobody who holds anything. */
static struct holder *
holders_find(const struct holders *all, const uint8_t addr[16])
{
	struct holder *holder;
	uint8_t net[16];

	address_customer(net, addr);
	LIST_FOREACH(holder, holders_bucket(all, net), chain)
		if (memcmp(holder->net, net, sizeof(net)) == 0)
			return (holder);
	return (NULL);
}

/* A new one, which is going to hold something at once. */
static struct holder *
holders_add(struct holders *all, const uint8_t addr[16])
{
	struct holder *holder;

	holder = LIST_FIRST(&all->unused);
	if (holder != NULL)
		LIST_REMOVE(holder, chain);
	else
		holder = &all->holders[all->used++];
	memset(holder, 0, sizeof(*holder));
	address_customer(holder->net, addr);
	TAILQ_INIT(&holder->held);
	holder->exempt = holders_is_exempt(all, holder->net);
	LIST_INSERT_HEAD(holders_bucket(all, holder->net), holder, chain);
	return (holder);
}

/*
 * The networks for which no limit holds; nets, from malloc(3), is taken over,
 * and replaces those from before.  A part of what one customer has stands for
 * the whole.
 */
void
holders_exempt(struct holders *all, struct network *nets, uint32_t n)
{
	struct holder *holder;
	uint32_t i;

	free(all->exempt);
	all->exempt = nets;
	all->nexempt = n;
	for (i = 0; i < n; i++)
		if (nets[i].prefix > 64 && !address_is_v4(nets[i].addr))
			nets[i].prefix = 64;
	for (i = 0; i < all->used; i++) {
		holder = &all->holders[i];
		if (holder->count == 0)
			continue;
		holders_leave_rank(all, holder);
		holder->exempt = holders_is_exempt(all, holder->net);
		holders_join_rank(all, holder);
	}
	holders_lower(all);
}

/*
 * May entry `number` (PEERMAP_NONE: a new one) be an endpoint at addr, if none
 * may hold more than limit (0: no limit)?
 */
int
holders_may_take(const struct holders *all, uint32_t number,
    const uint8_t addr[16], uint32_t limit)
{
	const struct holder *holder;

	holder = holders_find(all, addr);
	return (limit == 0 || holder == NULL || holder->exempt ||
		holder->count < limit ||
		(number != PEERMAP_NONE && all->held[number].holder == holder));
}

/*
 * Entry `number` is an endpoint at addr and was refreshed just now; it may have
 * been one elsewhere.  There are no more than ENDPOINTS_MAX.
 */
void
holders_take(struct holders *all, uint32_t number, const uint8_t addr[16])
{
	struct holder *holder;
	struct held *held;

	held = &all->held[number];
	holder = holders_find(all, addr);
	if (held->holder != NULL && held->holder == holder) {
		TAILQ_REMOVE(&holder->held, held, entry);
		TAILQ_INSERT_TAIL(&holder->held, held, entry);
		holders_leave_rank(all, holder);
		holders_join_rank(all, holder);
		return;
	}
	holders_drop(all, number);
	if (holder == NULL)
		holder = holders_add(all, addr);
	else
		holders_leave_rank(all, holder);
	held->holder = holder;
	TAILQ_INSERT_TAIL(&holder->held, held, entry);
	holder->count++;
	holders_join_rank(all, holder);
	holders_lower(all);
}

/* Entry `number` is no endpoint any more, if it was one. */
void
holders_drop(struct holders *all, uint32_t number)
{
	struct holder *holder;
	struct held *held;

	held = &all->held[number];
	holder = held->holder;
	if (holder == NULL)
		return;
	held->holder = NULL;
	holders_leave_rank(all, holder);
	TAILQ_REMOVE(&holder->held, held, entry);
	if (--holder->count > 0)
		holders_join_rank(all, holder);
	else {
		LIST_REMOVE(holder, chain);
		LIST_INSERT_HEAD(&all->unused, holder, chain);
	}
	holders_lower(all);
}

/* The number of the entry that makes room; PEERMAP_NONE: there is none. */
uint32_t
holders_next_to_go(const struct holders *all)
{
	const struct holder *holder;

	if (all->highest == 0)
		return (PEERMAP_NONE);
	holder = TAILQ_FIRST(&all->ranks[all->highest]);
	return ((uint32_t)(TAILQ_FIRST(&holder->held) - all->held));
}
