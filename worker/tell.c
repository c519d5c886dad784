/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/log.h"
#include "common/steer.h"
#include "worker/worker.h"

/*
 * A message that the parent must get: unsaid, the map would keep a ghost, or we
 * would count as hung.  Better no worker than that.  Strangers cannot bring it
 * about: what datagrams say goes by tell_has_room().
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

/*
 * May the parent be told that this source was heard?  port 0: by a Sync.  Not
 * if it is another worker's, where it was heard as well (a broadcast comes to
 * all): the parent would take us for a liar.
 */
int
tell_may_have_heard(struct worker *w, const uint8_t addr[16], uint32_t port)
{
	if (!w->settings.steered ||
	    steer_worker(w->settings.steer_key, w->settings.nworkers, addr,
		port) == w->hello.worker % PROTO_WORKERS_MAX)
		return (1);
	counters_add(COUNTER_MISDIRECTED, 1);
	return (0);
}
