/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "parent/park.h"
#include "parent/park_file.h"
#include "parent/parent.h"

/*
 * Which sessions the other parent has been told of while all went on
 * (doc/moving.md).  Each has a number; when it is not any more what it was, or
 * not where it was, that number is called off.
 */

struct told {
	uint32_t ahead; /* the number; 0: none */
	uint32_t node;
	uint32_t generation;
};

struct park_ahead {
	uint32_t last;                       /* number */
	uint32_t nslots;                     /* of each worker */
	struct told *told[PROTO_PLACES_MAX]; /* of its slots; NULL: none */
	uint32_t used[PROTO_PLACES_MAX];     /* of these, from the first on */
};

void
park_ahead_free(struct parent *parent)
{
	struct park_ahead *ahead;
	uint32_t i;

	ahead = parent->park.ahead;
	if (ahead == NULL)
		return;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		free(ahead->told[i]);
	free(ahead);
	parent->park.ahead = NULL;
}

/* Of that worker's session in slot; NULL without memory. */
static struct told *
park_ahead_place(struct parent *parent, uint32_t place, uint32_t slot)
{
	struct park_ahead *ahead;

	if (parent->park.ahead == NULL) {
		parent->park.ahead = calloc(1, sizeof(*parent->park.ahead));
		if (parent->park.ahead == NULL)
			return (NULL);
		parent->park.ahead->nslots = parent->max_sockets;
	}
	ahead = parent->park.ahead;
	if (ahead->told[place] == NULL)
		ahead->told[place] =
		    calloc(ahead->nslots, sizeof(*ahead->told[place]));
	return (ahead->told[place] == NULL ? NULL : &ahead->told[place][slot]);
}

/* Returns 0, or -1 with the reason logged. */
static int
park_ahead_call_off(struct parent *parent, struct told *told)
{
	struct park_gone gone;
	struct iovec iov;

	memset(&gone, 0, sizeof(gone));
	gone.ahead = told->ahead;
	told->ahead = 0;
	iov.iov_base = &gone;
	iov.iov_len = sizeof(gone);
	return (park_file_add(parent->park.file, PARK_GONE, &iov, 1));
}

/*
 * A session that is about to be told of, below parent->max_sockets in its
 * worker.  Returns its number, or 0 with the reason logged.
 */
uint32_t
park_ahead_add(
    struct parent *parent, uint32_t place, const struct msg_move_session *row)
{
	struct park_ahead *ahead;
	struct told *told;

	told = park_ahead_place(parent, place, row->slot);
	if (told == NULL) {
		log_warn("sessions cannot be kept");
		return (0);
	}
	/* One that was there before it. */
	if (told->ahead != 0 && park_ahead_call_off(parent, told) == -1)
		return (0);
	ahead = parent->park.ahead;
	if (row->slot >= ahead->used[place])
		ahead->used[place] = row->slot + 1;
	told->ahead = ++ahead->last;
	told->node = row->node;
	told->generation = row->generation;
	return (told->ahead);
}

/*
 * A worker says that what it had there has changed or ended.  Returns 0, or -1
 * with the reason logged.
 */
int
park_ahead_changed(struct parent *parent, uint32_t place, uint32_t slot)
{
	struct park_ahead *ahead;

	ahead = parent->park.ahead;
	if (ahead == NULL || ahead->told[place] == NULL ||
	    slot >= ahead->nslots || ahead->told[place][slot].ahead == 0)
		return (0);
	return (park_ahead_call_off(parent, &ahead->told[place][slot]));
}

/*
 * When all stand still: those that have ended, been replaced or moved since.
 * Returns 0, or -1 with the reason logged.
 */
int
park_ahead_check(struct parent *parent)
{
	struct park_ahead *ahead;
	struct told *told;
	uint32_t i, slot;

	ahead = parent->park.ahead;
	for (i = 0; i < PROTO_PLACES_MAX && ahead != NULL; i++) {
		told = ahead->told[i];
		for (slot = 0; slot < ahead->used[i]; slot++)
			if (told[slot].ahead != 0 &&
			    pmap_session(&parent->map, told[slot].node,
				told[slot].generation, i, slot) == NULL &&
			    park_ahead_call_off(parent, &told[slot]) == -1)
				return (-1);
	}
	return (0);
}
