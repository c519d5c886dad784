/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_LOOKUP_H
#define WORKER_LOOKUP_H

#include "worker/worker.h"

/*
 * Where is a node?  The peer map's index is asked for that only if the entry in
 * which the node was last, the hint, is another's by now.  Every packet passes
 * here: only the rare case is a call.
 */

int lookup_anew(struct worker *, uint32_t, uint32_t *, struct peermap_entry *);

/* The entry of node; *hint is kept up to date.  Returns 1, or 0 without one. */
static inline int
lookup_at(struct worker *w, uint32_t node, uint32_t *hint,
    struct peermap_entry *entry)
{
	return (peermap_read(&w->map, *hint, node, entry) ||
		lookup_anew(w, node, hint, entry));
}

/*
 * Where the hint for a node is kept that has no session here: nodes that share
 * a place cost each other a look into the index, nothing else.
 */
static inline uint32_t *
lookup_hint(struct worker *w, uint32_t node)
{
	return (&w->hints[(node * 0x9e3779b1U) >> (32 - HINTS_SHIFT)]);
}

/* lookup_at() with such a hint. */
static inline int
lookup(struct worker *w, uint32_t node, struct peermap_entry *entry)
{
	return (lookup_at(w, node, lookup_hint(w, node), entry));
}

#endif /* WORKER_LOOKUP_H */
