/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/log.h"
#include "worker/worker.h"

/*
 * A message that the parent must get: unsaid, the map would keep a ghost, or we
 * would count as hung.  Better no worker than that.
 */
void
tell_parent(
    struct worker *w, enum worker_to_parent type, const void *data, size_t len)
{
	if (channel_send(&w->parent, type, 0, -1, data, len) == -1)
		fatal("parent's channel");
}

/* WP_CLOSED: an open session has ended. */
void
tell_closed(struct worker *w, uint32_t node, uint32_t generation)
{
	struct msg_closed msg;

	msg.node = node;
	msg.generation = generation;
	tell_parent(w, WP_CLOSED, &msg, sizeof(msg));
}
