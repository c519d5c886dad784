/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "worker/move_say.h"
#include "worker/move_told.h"

/* A router wants a session to end that is on its way, doc/moving.md. */

/* It is about to go from here, or has gone and its new owner may be told. */
static struct msg_move_close *
move_end_leaving(struct worker *w, uint32_t node, uint32_t generation)
{
	struct departure *d;
	uint32_t i;

	d = w->moves.out;
	if (d == NULL || d->last)
		return (NULL);
	for (i = 0; i < d->count; i++)
		if (d->sessions[i].node == node &&
		    d->sessions[i].generation == generation &&
		    d->sessions[i].state != LEAVING_NOT) {
			d->sessions[i].close.session = i;
			return (&d->sessions[i].close);
		}
	return (NULL);
}

/* It has come here, and the parent has not said yet that it is ours. */
static struct msg_move_close *
move_end_coming(struct worker *w, uint32_t node, uint32_t generation)
{
	struct arriving *c;
	struct arrival *a;
	uint32_t from, i;

	for (from = 0; from < PROTO_PLACES_MAX && w->moves.nin > 0; from++) {
		a = w->moves.in[from];
		for (i = 0; a != NULL && !a->settled && i < a->count; i++) {
			c = &a->sessions[i];
			if (c->row.node == node &&
			    c->row.generation == generation &&
			    c->state != COMING_NOT)
				return (&c->close);
		}
	}
	return (NULL);
}

/*
 * Boolean: that session of node is on its way, and whoever has it then ends it.
 * code and text have been checked.
 */
int
move_end(struct worker *w, uint32_t node, uint32_t generation, uint32_t code,
    const char *text)
{
	struct msg_move_close *close;

	close = move_end_leaving(w, node, generation);
	if (close == NULL)
		close = move_end_coming(w, node, generation);
	if (close == NULL)
		return (0);
	close->code = code;
	(void)strlcpy(close->text, text, sizeof(close->text));
	return (1);
}
