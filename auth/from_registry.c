/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/counters.h"
#include "common/loop.h"

#include "auth/auth.h"

/* What the registry says (doc/protocol.md 6), none of which is trusted. */

/*
 * Lets go of the connection, if there is one, and tells the parent why.  Who
 * waits for an answer may be asked for once more, on the next one.
 */
void
from_registry_end(struct auth *auth, enum registry_end reason)
{
	struct msg_registry_end msg;
	struct registry *r;

	r = &auth->registry;
	if (r->fd == -1)
		return;
	counters_add(COUNTER_LOOKUP_LOST, auth->lookups.count[LOOKUP_SENT]);
	msg.serial = r->serial;
	msg.answered = (uint32_t)r->answered;
	msg.reason = registry_close(r, reason);
	lookup_lost(&auth->lookups);
	tell_parent(auth, AP_REGISTRY, &msg, sizeof(msg));
	turn_wake(auth);
}

/* What it said of a node.  Returns 0, or -1 if that was not asked. */
static int
from_registry_node(
    struct auth *auth, uint32_t node, const struct wire_answer *a)
{
	enum lookup_outcome outcome;
	uint64_t now;

	if (a->named && a->node != node)
		return (-1);
	now = clock_ns();
	outcome = LOOKUP_ANSWERED;
	if (a->kind == WIRE_FOUND && a->has == WIRE_KEY_GOOD) {
		counters_add(COUNTER_LOOKUP_FOUND, 1);
		keystore_confirm(&auth->store, node, a->key, now);
	} else if (a->kind == WIRE_FOUND && a->has == WIRE_KEY_UNFIT) {
		counters_add(COUNTER_LOOKUP_GONE, 1);
		keystore_unfit(&auth->store, node, now);
	} else if (a->kind == WIRE_FOUND || a->kind == WIRE_GONE) {
		counters_add(COUNTER_LOOKUP_GONE, 1);
		keystore_gone(&auth->store, node, now);
	} else if (a->kind == WIRE_ERROR) {
		/* It may be that there were too many. */
		registry_pause(&auth->registry);
		counters_add(COUNTER_LOOKUP_ERROR, 1);
		outcome = LOOKUP_UNANSWERED;
	} else
		return (-1);
	lookup_answered(&auth->lookups, node, outcome);
	if (outcome == LOOKUP_ANSWERED)
		walk_node(auth, node);
	return (0);
}

/* Returns 0, or -1 if this is no answer to that request. */
static int
from_registry_judge(struct auth *auth, const struct registry_request *request,
    const struct wire_answer *a)
{
	if (request->kind == REGISTRY_LOOKUP)
		return (from_registry_node(auth, request->node, a));
	if (a->kind == WIRE_FOUND ||
	    (a->kind == WIRE_ALIVE && request->kind != REGISTRY_PROBE))
		return (-1);
	enroll_answer(auth, request->kind, a);
	return (0);
}

/* The answer to what was asked first.  Returns 0, or -1 if it is none. */
static int
from_registry_answer(struct auth *auth, const struct wire_answer *a)
{
	const struct registry_request *oldest;

	oldest = registry_oldest(&auth->registry);
	if (oldest == NULL || a->kind == WIRE_BAD ||
	    from_registry_judge(auth, oldest, a) == -1)
		return (-1);
	registry_answer(&auth->registry);
	return (0);
}

/* How long the next answer may be. */
static size_t
from_registry_max(const struct registry *r)
{
	const struct registry_request *oldest;

	oldest = registry_oldest(r);
	if (oldest == NULL || oldest->kind == REGISTRY_LOOKUP)
		return (WIRE_ANSWER_MAX);
	return (WIRE_LIST_MAX);
}

/* All answers that are there in full.  Returns 0, or -1 if one is none. */
static int
from_registry_take(struct auth *auth)
{
	struct wire_answer a;
	struct registry *r;

	r = &auth->registry;
	while (r->in.len > 0) {
		wire_parse(r->framing, bytes_first(&r->in), r->in.len,
		    from_registry_max(r), &a);
		if (a.kind == WIRE_MORE)
			return (registry_oldest(r) == NULL ? -1 : 0);
		if (from_registry_answer(auth, &a) == -1)
			return (-1);
		bytes_take(&r->in, a.len);
	}
	return (0);
}

static void
from_registry_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct auth *auth;
	int more;

	if (loop_deaf(loop, watcher, revents))
		return;
	auth = watcher->data;
	more = registry_read(&auth->registry);
	if (from_registry_take(auth) == -1)
		from_registry_end(auth, REGISTRY_VIOLATION);
	else if (more == -1)
		from_registry_end(auth, REGISTRY_CLOSED);
	else
		registry_pump(&auth->registry, &auth->lookups);
	if (auth->lookups.nready > 0)
		turn_wake(auth);
}

void
from_registry_init(struct auth *auth)
{
	registry_init(
	    &auth->registry, auth->loop, from_registry_readable, auth);
}
