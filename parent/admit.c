/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/clock.h"
#include "parent/parent.h"

/* Tells a worker that the client in (slot, serial) is not let in. */
static void
admit_refuse(struct process *worker, const struct msg_admit *admit,
    enum refuse_reason reason)
{
	struct msg_refuse refuse;

	refuse.slot = admit->slot;
	refuse.serial = admit->serial;
	refuse.reason = reason;
	process_send(worker, PW_REFUSE, -1, &refuse, sizeof(refuse));
}

static void
admit_close(struct parent *parent, const struct peermap_entry *entry,
    enum close_reason reason)
{
	struct msg_close msg;

	move_keep(parent, entry);
	msg.slot = entry->slot;
	msg.generation = entry->generation;
	msg.reason = reason;
	process_send(parent->workers[entry->worker].child, PW_CLOSE, -1, &msg,
	    sizeof(msg));
}

/*
 * Two daemons with one identity replace each other for ever.  Counts in the
 * entry; returns 1 when this replacement is one too many.
 */
static int
admit_flapping(struct peermap_entry *entry, uint32_t now)
{
	if (now - entry->rwindow >= REPLACE_WINDOW) {
		entry->rwindow = now;
		entry->replaced = 0;
	}
	if (entry->replaced >= REPLACE_MAX)
		return (1);
	entry->replaced++;
	return (0);
}

static int
admit_full(struct parent *parent)
{
	uint32_t sessions;

	sessions = atomic_load_explicit(
	    &parent->map.header->sessions, memory_order_relaxed);
	return (parent->conf->max_peers != 0 &&
		sessions >= parent->conf->max_peers);
}

/* The owner of a session that leaves the map has one less. */
static void
admit_uncount(struct parent *parent, const struct peermap_entry *entry)
{
	struct process *owner;

	owner = parent->workers[entry->worker].child;
	if (owner != NULL)
		owner->sessions--;
}

/*
 * Writes the session to the map, ends the one that it replaces, and only then
 * lets the new one begin.
 */
static void
admit_open(struct process *worker, const struct msg_admit *admit,
    uint32_t number, struct peermap_entry *entry)
{
	struct parent *parent;
	struct peermap_entry old;
	struct msg_open msg;

	parent = worker->parent;
	old = *entry;
	entry->generation = pmap_next_generation(&parent->map);
	entry->worker = (uint8_t)worker->place->number;
	entry->slot = admit->slot;
	entry->since = clock_seconds();
	entry->keyid = admit->keyid;
	pmap_store(&parent->map, number, entry);
	if (old.generation != 0)
		admit_uncount(parent, &old);
	worker->sessions++;
	parent->loads_old = 1;

	/* A slot that was taken again has lost its session already. */
	if (old.generation != 0 &&
	    (old.worker != entry->worker || old.slot != entry->slot))
		admit_close(parent, &old, CLOSE_REPLACED);
	msg.slot = admit->slot;
	msg.serial = admit->serial;
	msg.node = admit->node;
	msg.generation = entry->generation;
	process_send(worker, PW_OPEN, -1, &msg, sizeof(msg));
}

/*
 * Auth says that a client has proved to be a node (doc/architecture.md 4).
 * Returns NULL, or in what way auth broke the rules.
 */
const char *
admit_login(struct parent *parent, const struct msg_admit *admit)
{
	struct peermap_entry entry;
	struct process *worker;
	struct place *place;
	uint32_t number;

	if (admit->worker >= PROTO_PLACES_MAX ||
	    parent->workers[admit->worker].epoch == 0)
		return ("admission to no worker");
	place = &parent->workers[admit->worker];
	if (admit->epoch > place->epoch)
		return ("admission to a worker yet to come");
	if (admit->node == 0 || admit->pad != 0)
		return ("admission of no node");
	/* The worker that asked may be gone by now. */
	worker = process_of(place, admit->epoch);
	if (worker == NULL)
		return (NULL);
	if (blocks_has_node(parent->blocks, admit->node)) {
		admit_refuse(worker, admit, REFUSE_BLOCKED);
		return (NULL);
	}
	number = pmap_find(&parent->map, admit->node);
	if ((number == PEERMAP_NONE ||
		pmap_entry(&parent->map, number)->generation == 0) &&
	    admit_full(parent)) {
		admit_refuse(worker, admit, REFUSE_CAPACITY);
		return (NULL);
	}
	number = pmap_add(&parent->map, admit->node, 0);
	if (number == PEERMAP_NONE) {
		admit_refuse(worker, admit, REFUSE_CAPACITY);
		return (NULL);
	}
	entry = *pmap_entry(&parent->map, number);
	if (entry.generation != 0 && admit_flapping(&entry, clock_seconds())) {
		admit_refuse(worker, admit, REFUSE_FLAPPING);
		return (NULL);
	}
	admit_open(worker, admit, number, &entry);
	return (NULL);
}

static void
admit_clear(struct parent *parent, uint32_t number)
{
	struct peermap_entry entry;

	entry = *pmap_entry(&parent->map, number);
	admit_uncount(parent, &entry);
	entry.generation = 0;
	entry.slot = 0;
	entry.worker = 0;
	entry.since = 0;
	entry.keyid = 0;
	pmap_store(&parent->map, number, &entry);
	parent->loads_old = 1;
}

/*
 * A worker says that a session has ended.  Only the present owner's word about
 * the present generation changes anything.  Returns NULL, or in what way the
 * worker broke the rules.
 */
const char *
admit_closed(struct process *worker, const struct msg_closed *closed)
{
	const struct peermap_entry *entry;
	struct parent *parent;
	uint32_t number;

	parent = worker->parent;
	if (closed->node == 0 || closed->generation == 0)
		return ("end of no session");
	number = pmap_find(&parent->map, closed->node);
	if (number == PEERMAP_NONE)
		return (NULL);
	entry = pmap_entry(&parent->map, number);
	if (entry->generation != closed->generation)
		return (NULL);
	if (entry->worker != worker->place->number)
		return ("end of another worker's session");
	admit_clear(parent, number);
	return (NULL);
}

/* The map's entry of a session; PEERMAP_NONE: there is none (any more). */
static uint32_t
admit_find(const struct parent *parent, const struct msg_closed *session)
{
	const struct peermap_entry *entry;
	uint32_t number;

	number = pmap_find(&parent->map, session->node);
	if (number == PEERMAP_NONE)
		return (PEERMAP_NONE);
	entry = pmap_entry(&parent->map, number);
	if (entry->generation == 0 || entry->generation != session->generation)
		return (PEERMAP_NONE);
	return (number);
}

/* Is it the present session of its node? */
int
admit_is_open(const struct parent *parent, const struct msg_closed *session)
{
	return (admit_find(parent, session) != PEERMAP_NONE);
}

/*
 * Auth says that the key which a session was admitted with is gone, or an
 * operator that its node is blocked.  Returns 1, or 0 if there is no such
 * session (any more).
 */
int
admit_revoke(struct parent *parent, const struct msg_closed *revoke)
{
	struct peermap_entry entry;
	uint32_t number;

	number = admit_find(parent, revoke);
	if (number == PEERMAP_NONE)
		return (0);
	entry = *pmap_entry(&parent->map, number);
	/* At once, so that no further packet finds the session. */
	admit_clear(parent, number);
	admit_close(parent, &entry, CLOSE_REVOKED);
	return (1);
}

/*
 * Another parent, from whom a session of ours has come, has it still or again.
 * Returns likewise.
 */
int
admit_forget(struct parent *parent, const struct msg_closed *session)
{
	const struct peermap_entry *entry;
	struct msg_forget msg;
	uint32_t number;

	number = admit_find(parent, session);
	if (number == PEERMAP_NONE)
		return (0);
	entry = pmap_entry(&parent->map, number);
	msg.slot = entry->slot;
	msg.generation = entry->generation;
	process_send(parent->workers[entry->worker].child, PW_FORGET, -1, &msg,
	    sizeof(msg));
	admit_clear(parent, number);
	return (1);
}

/*
 * An operator wants the session of node to end; it is in the map until its
 * worker has closed it.  Returns 1, or 0 if there is none.
 */
int
admit_drop(struct parent *parent, uint32_t node)
{
	const struct peermap_entry *entry;
	uint32_t number;

	number = pmap_find(&parent->map, node);
	if (number == PEERMAP_NONE)
		return (0);
	entry = pmap_entry(&parent->map, number);
	if (entry->generation == 0)
		return (0);
	admit_close(parent, entry, CLOSE_DROPPED);
	return (1);
}

/* A worker is lost, and its sessions with it. */
void
admit_worker_lost(struct process *worker)
{
	const struct peermap_entry *entry;
	struct parent *parent;
	uint32_t i, used;

	parent = worker->parent;
	pmap_load(&parent->map, worker->place->number, UINT32_MAX);
	used = pmap_used(&parent->map);
	for (i = 0; i < used; i++) {
		entry = pmap_entry(&parent->map, i);
		if (entry->generation != 0 &&
		    entry->worker == worker->place->number)
			admit_clear(parent, i);
	}
}
