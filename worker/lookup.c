/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/lookup.h"

/* As lookup_at(), by the index. */
int
lookup_anew(struct worker *w, uint32_t node, uint32_t *hint,
    struct peermap_entry *entry)
{
	*hint = peermap_find(&w->map, node);
	return (peermap_read(&w->map, *hint, node, entry));
}

/*
 * Where the hint for a node is kept that has no session here: nodes that share
 * a place cost each other a look into the index, nothing else.
 */
uint32_t *
lookup_hint(struct worker *w, uint32_t node)
{
	return (&w->hints[(node * 0x9e3779b1U) >> (32 - HINTS_SHIFT)]);
}

/* lookup_at() with such a hint. */
int
lookup(struct worker *w, uint32_t node, struct peermap_entry *entry)
{
	return (lookup_at(w, node, lookup_hint(w, node), entry));
}
