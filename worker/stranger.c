/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "worker/stranger.h"

/*
 * Who has connected and not logged in, in the order of age: of all, and of each
 * source.  When there are too many, the oldest make room: honest ones are done
 * within a second, so they are among the young.
 */

void
stranger_init(struct strangers *all)
{
	size_t i;

	TAILQ_INIT(&all->all);
	for (i = 0; i < STRANGER_BUCKETS; i++)
		LIST_INIT(&all->sources[i]);
	randombytes_buf(all->key, sizeof(all->key));
}

/* The session in `slot` has just begun.  NULL: no memory. */
struct stranger *
stranger_new(struct strangers *all, uint32_t slot, uint32_t tick)
{
	struct stranger *x;

	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return (NULL);
	x->slot = slot;
	x->since = tick;
	TAILQ_INSERT_TAIL(&all->all, x, all);
	all->count++;
	return (x);
}

/* The source of addr; NULL: no memory for one that is not there yet. */
static struct stranger_source *
stranger_source(struct strangers *all, const uint8_t addr[16])
{
	struct stranger_bucket *bucket;
	struct stranger_source *source;
	uint8_t net[16];

	address_customer(net, addr);
	bucket =
	    &all->sources[address_hash(all->key, net, 0) % STRANGER_BUCKETS];
	LIST_FOREACH(source, bucket, entry)
		if (memcmp(source->net, net, sizeof(net)) == 0)
			return (source);
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return (NULL);
	memcpy(source->net, net, sizeof(net));
	TAILQ_INIT(&source->strangers);
	LIST_INSERT_HEAD(bucket, source, entry);
	return (source);
}

/* x comes from addr, which was not known before.  Returns 0, or -1 (memory). */
int
stranger_join(struct strangers *all, struct stranger *x, const uint8_t addr[16])
{
	struct stranger_source *source;

	source = stranger_source(all, addr);
	if (source == NULL)
		return (-1);
	TAILQ_INSERT_TAIL(&source->strangers, x, same);
	source->count++;
	x->source = source;
	return (0);
}

/* x has been answered for good, and is the next to go. */
void
stranger_done(struct strangers *all, struct stranger *x)
{
	x->done = 1;
	TAILQ_REMOVE(&all->all, x, all);
	TAILQ_INSERT_HEAD(&all->all, x, all);
	if (x->source == NULL)
		return;
	TAILQ_REMOVE(&x->source->strangers, x, same);
	TAILQ_INSERT_HEAD(&x->source->strangers, x, same);
}

/* It has logged in or gone.  x may be NULL. */
void
stranger_free(struct strangers *all, struct stranger *x)
{
	struct stranger_source *source;

	if (x == NULL)
		return;
	TAILQ_REMOVE(&all->all, x, all);
	all->count--;
	source = x->source;
	if (source != NULL) {
		TAILQ_REMOVE(&source->strangers, x, same);
		if (--source->count == 0) {
			LIST_REMOVE(source, entry);
			free(source);
		}
	}
	free(x);
}
