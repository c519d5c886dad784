/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "common/log.h"
#include "worker/worker.h"

/*
 * Networks that an operator has blocked: what comes from them is refused where
 * it comes in, so a session that is open is never looked at again.
 */

static void
blocked_end_one(struct worker *w, struct session *s)
{
	if (s->state == SESSION_OPEN) {
		session_removed(w, s, CLOSE_REVOKED);
		return;
	}
	counters_add(COUNTER_REFUSED_BLOCKED, 1);
	if (session_is_upgraded(s)) {
		login_fail(w, s, WHY_BLOCKED);
		return;
	}
	s->why = WHY_BLOCKED;
	broken_mark(w, s);
}

/* The connections from a network that is blocked from now on end. */
static void
blocked_end(struct worker *w, const struct msg_address *net)
{
	struct session *s;
	uint32_t i;

	for (i = 0; i < w->nslots; i++) {
		s = &w->sessions[i];
		if (s->state == SESSION_FREE || s->state >= SESSION_CLOSING ||
		    !address_within(s->peer.at.addr, net->addr, net->prefix))
			continue;
		/* A proxy may not have said yet for whom it speaks. */
		if (session_is_upgraded(s) || !session_is_proxy(w, s))
			blocked_end_one(w, s);
	}
}

static int
blocked_add(struct worker *w, const struct msg_address *net)
{
	if (w->blocks == NULL && (w->blocks = blocks_new()) == NULL)
		fatal(NULL);
	if (blocks_find(w->blocks, net->addr, net->prefix) == NULL &&
	    blocks_add(w->blocks, net->addr, net->prefix) == NULL)
		return (-1);
	blocked_end(w, net);
	return (0);
}

/* PW_BLOCK.  Returns NULL, or what is wrong with it. */
const char *
blocked_set(struct worker *w, const struct msg_address *net)
{
	struct block *block;

	if (net->prefix > 128)
		return ("block of no network");
	if (net->number)
		return (blocked_add(w, net) == -1 ? "too many blocks" : NULL);
	if (w->blocks == NULL)
		return (NULL);
	/* Another parent, which has taken over, may say it once more. */
	block = blocks_find(w->blocks, net->addr, net->prefix);
	if (block != NULL)
		blocks_remove(w->blocks, block);
	return (NULL);
}
