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
