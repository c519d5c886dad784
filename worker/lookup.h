/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_LOOKUP_H
#define WORKER_LOOKUP_H

#include "worker/worker.h"

/*
 * Where is a node?  The peer map's index is asked for that only if the entry in
 * which the node was last, the hint, is another's by now.
 */

uint32_t *lookup_hint(struct worker *, uint32_t);
int lookup(struct worker *, uint32_t, struct peermap_entry *);
int lookup_anew(struct worker *, uint32_t, uint32_t *, struct peermap_entry *);

/* The entry of node; *hint is kept up to date.  Returns 1, or 0 without one. */
static inline int
lookup_at(struct worker *w, uint32_t node, uint32_t *hint,
    struct peermap_entry *entry)
{
	return (peermap_read(&w->map, *hint, node, entry) ||
		lookup_anew(w, node, hint, entry));
}

#endif /* WORKER_LOOKUP_H */
