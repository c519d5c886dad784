/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "parent/parent.h"
#include "parent/unpark.h"

/*
 * Sessions that have come ahead, while all went on where they were: by the
 * numbers that they have there (doc/moving.md).
 */

#define AHEAD_MAX (PARK_ROUND * PARK_ROUNDS_MAX)

/* Returns 0, or -1: there is no such number, or no memory. */
int
unpark_ahead_add(
    struct parent *parent, uint32_t number, uint32_t node, uint32_t generation)
{
	struct unpark_ahead *ahead;
	struct unpark *u;
	uint32_t n;

	u = &parent->successor.unpark;
	if (number > AHEAD_MAX)
		return (-1);
	if (number >= u->nahead) {
		n = (number / PARK_ROUND + 1) * PARK_ROUND;
		ahead = reallocarray(u->ahead, n, sizeof(*ahead));
		if (ahead == NULL)
			return (-1);
		memset(ahead + u->nahead, 0, (n - u->nahead) * sizeof(*ahead));
		u->ahead = ahead;
		u->nahead = n;
	}
	u->ahead[number].node = node;
	u->ahead[number].generation = generation;
	return (0);
}

/* It is not any more what it was; if it still is, it comes again. */
void
unpark_ahead_gone(struct parent *parent, uint32_t number)
{
	struct msg_closed session;
	struct unpark *u;

	u = &parent->successor.unpark;
	if (number >= u->nahead || u->ahead[number].generation == 0)
		return;
	session.node = u->ahead[number].node;
	session.generation = u->ahead[number].generation;
	u->ahead[number].generation = 0;
	if (admit_forget(parent, &session))
		u->taken--;
}

void
unpark_ahead_free(struct parent *parent)
{
	struct unpark *u;

	u = &parent->successor.unpark;
	free(u->ahead);
	u->ahead = NULL;
	u->nahead = 0;
}
