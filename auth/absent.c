/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>

#include "auth/absent.h"

/* Returns 0, or -1 with errno ENOMEM.  lifetime: nanoseconds. */
int
absent_init(struct absent *a, uint64_t lifetime)
{
	a->places = calloc(ABSENT_PLACES, sizeof(*a->places));
	if (a->places == NULL)
		return (-1);
	a->lifetime = lifetime;
	randombytes_buf(a->secret, sizeof(a->secret));
	return (0);
}

void
absent_free(struct absent *a)
{
	free(a->places);
	a->places = NULL;
}

static struct absent_place *
absent_set(const struct absent *a, uint32_t node)
{
	uint64_t sets;

	sets = ABSENT_PLACES / ABSENT_WAYS;
	return (&a->places[nodehash(a->secret, node) % sets * ABSENT_WAYS]);
}

static struct absent_place *
absent_place(const struct absent *a, uint32_t node)
{
	struct absent_place *set;
	uint32_t i;

	set = absent_set(a, node);
	for (i = 0; i < ABSENT_WAYS; i++)
		if (set[i].until != 0 && set[i].node == node)
			return (&set[i]);
	return (NULL);
}

/* Boolean: was node added less than a lifetime before now, clock_ns()? */
int
absent_has(const struct absent *a, uint32_t node, uint64_t now)
{
	const struct absent_place *place;

	place = absent_place(a, node);
	return (place != NULL && place->until > now);
}

/* Where node may stand: a place of a node that is over, or anybody's. */
static struct absent_place *
absent_room(struct absent *a, uint32_t node, uint64_t now)
{
	struct absent_place *set;
	uint32_t i;

	set = absent_set(a, node);
	for (i = 0; i < ABSENT_WAYS; i++)
		if (set[i].until <= now)
			return (&set[i]);
	return (&set[randombytes_uniform(ABSENT_WAYS)]);
}

/* Notes node, at now, clock_ns(), for another lifetime. */
void
absent_add(struct absent *a, uint32_t node, uint64_t now)
{
	struct absent_place *place;

	place = absent_place(a, node);
	if (place == NULL)
		place = absent_room(a, node, now);
	place->node = node;
	place->until = now + a->lifetime;
}

void
absent_remove(struct absent *a, uint32_t node)
{
	struct absent_place *place;

	place = absent_place(a, node);
	if (place != NULL)
		place->until = 0;
}
