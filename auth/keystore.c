/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/clock.h"

#include "auth/keystore.h"

/* Returns 0, or -1 with errno ENOMEM. */
int
keystore_init(struct keystore *ks)
{
	memset(ks, 0, sizeof(*ks));
	keycache_init(&ks->file);
	keycache_init(&ks->snapshot);
	ks->refresh = KEYSTORE_REFRESH;
	ks->stale = KEYSTORE_STALE;
	ks->grace = KEYSTORE_GRACE;
	if (learned_init(&ks->learned) == -1 ||
	    absent_init(&ks->absent, KEYSTORE_ABSENT_NS) == -1)
		return (-1);
	return (absent_init(&ks->forced, KEYSTORE_FORCE_NS));
}

/* Keys that may be learned beside those that are pinned. */
uint32_t
keystore_room(const struct keystore *ks)
{
	uint64_t pinned;

	pinned = (uint64_t)ks->file.count + ks->snapshot.count;
	if (pinned + KEYSTORE_ROOM_MIN > LEARNED_MAX)
		return (KEYSTORE_ROOM_MIN);
	return (LEARNED_MAX - (uint32_t)pinned);
}

/* Of an earlier second: how long ago; of a later one: not at all. */
static uint32_t
keystore_age(uint32_t then, uint32_t now)
{
	return (now > then ? now - then : 0);
}

static void
keystore_found(struct keystore_key *found, enum keystore_source source,
    const uint8_t *key, int old)
{
	found->source = source;
	found->key = key;
	found->previous = NULL;
	found->old = old;
}

/* What was learned of a node, unless that is too long ago. */
static const struct learned_entry *
keystore_learned(struct keystore *ks, uint32_t node, uint32_t now)
{
	const struct learned_entry *entry;

	if (ks->learned.count == 0)
		return (NULL);
	entry = learned_find(&ks->learned, node);
	if (entry == NULL || keystore_age(entry->confirmed, now) > ks->stale)
		return (NULL);
	return (entry);
}

/* The sources below the key file; see keystore_find(). */
static int
keystore_find_other(struct keystore *ks, uint32_t node, uint32_t now,
    struct keystore_key *found)
{
	const struct learned_entry *entry;
	const uint8_t *pinned;
	int old;

	entry = keystore_learned(ks, node, now);
	old = entry != NULL && ks->asks &&
	      keystore_age(entry->confirmed, now) > ks->refresh;
	pinned = keycache_find(&ks->snapshot, node);
	if (entry != NULL && entry->source == LEARNED_REGISTRY)
		keystore_found(found, KEYSTORE_REGISTRY, entry->key, old);
	else if (pinned != NULL)
		keystore_found(found, KEYSTORE_SNAPSHOT, pinned,
		    ks->asks && keystore_age(ks->written, now) > ks->refresh);
	else if (entry != NULL && entry->source == LEARNED_CACHE)
		keystore_found(found, KEYSTORE_CACHE, entry->key, old);
	else
		return (0);
	if (entry != NULL && entry->previous_until > now)
		found->previous = entry->previous;
	return (1);
}

/* Returns 1 if a key of node is known that can serve at now, else 0. */
int
keystore_find(struct keystore *ks, uint32_t node, uint32_t now,
    struct keystore_key *found)
{
	const uint8_t *pinned;

	pinned = keycache_find(&ks->file, node);
	if (pinned == NULL)
		return (keystore_find_other(ks, node, now, found));
	keystore_found(found, KEYSTORE_FILE, pinned, 0);
	return (1);
}

/* Somebody proved to be node. */
void
keystore_use(struct keystore *ks, uint32_t node)
{
	struct learned_entry *entry;

	entry = learned_find(&ks->learned, node);
	if (entry != NULL)
		learned_touch(&ks->learned, entry);
}

/* Boolean: did the registry say a moment ago that it has no key of node? */
int
keystore_absent(const struct keystore *ks, uint32_t node, uint64_t ns)
{
	return (absent_has(&ks->absent, node, ns));
}

/*
 * Boolean: a signature does not fit the key that is known of node.  Is the
 * registry to be asked?  It is then not to be for a while.
 */
int
keystore_force(struct keystore *ks, uint32_t node, uint64_t ns)
{
	if (!ks->asks || absent_has(&ks->forced, node, ns))
		return (0);
	absent_add(&ks->forced, node, ns);
	return (1);
}

/* It did not answer: what was not said is not remembered. */
void
keystore_unforce(struct keystore *ks, uint32_t node)
{
	absent_remove(&ks->forced, node);
}

/*
 * The entry of node, for a new key: with the one that served until now, if one
 * did, since that is what gets a grace; a key that was too old, or of less
 * account than the snapshot's (NULL: it has none), did not.
 */
static struct learned_entry *
keystore_renew(
    struct keystore *ks, uint32_t node, const uint8_t *pinned, uint32_t now)
{
	struct learned_entry *entry;

	entry = learned_add(&ks->learned, node, keystore_room(ks));
	if (keystore_age(entry->confirmed, now) > ks->stale ||
	    (entry->source == LEARNED_SNAPSHOT && pinned == NULL))
		entry->confirmed = entry->previous_until = 0;
	if (pinned == NULL ||
	    (entry->confirmed != 0 && entry->source == LEARNED_REGISTRY))
		return (entry);
	entry->confirmed = 0;
	learned_set(entry, pinned, now, ks->grace);
	entry->source = LEARNED_SNAPSHOT;
	return (entry);
}

/* The registry says at ns that this is the key of node. */
void
keystore_confirm(struct keystore *ks, uint32_t node,
    const uint8_t key[PROTO_KEY_LEN], uint64_t ns)
{
	struct learned_entry *entry;
	uint32_t now;

	now = (uint32_t)(ns / CLOCK_SECOND);
	absent_remove(&ks->absent, node);
	entry =
	    keystore_renew(ks, node, keycache_find(&ks->snapshot, node), now);
	learned_set(entry, key, now, ks->grace);
	entry->source = LEARNED_REGISTRY;
}

/*
 * The registry says at ns that there is no node, or no key of it.  What key
 * file and snapshot have of it stays: it may be one that it does not show.
 */
void
keystore_gone(struct keystore *ks, uint32_t node, uint64_t ns)
{
	struct learned_entry *entry;

	absent_add(&ks->absent, node, ns);
	entry = learned_find(&ks->learned, node);
	if (entry != NULL && entry->source != LEARNED_SNAPSHOT)
		learned_remove(&ks->learned, node);
}

/* It has something that is no key: no reason to forget one that was. */
void
keystore_unfit(struct keystore *ks, uint32_t node, uint64_t ns)
{
	absent_add(&ks->absent, node, ns);
}

/* Of a session of node that was admitted with the key of that fingerprint. */
enum keystore_ground
keystore_ground(struct keystore *ks, uint32_t node, uint64_t keyid, uint64_t ns)
{
	struct keystore_key found;
	int asks;

	asks = ks->asks && !absent_has(&ks->absent, node, ns);
	if (!keystore_find(ks, node, (uint32_t)(ns / CLOCK_SECOND), &found))
		return (asks ? KEYSTORE_UNSURE : KEYSTORE_FALLEN);
	if (keycache_id(found.key) == keyid ||
	    (found.previous != NULL && keycache_id(found.previous) == keyid))
		return (found.old ? KEYSTORE_UNSURE : KEYSTORE_FIRM);
	/* The registry may know a newer one. */
	if (asks && found.source != KEYSTORE_FILE &&
	    found.source != KEYSTORE_REGISTRY)
		return (KEYSTORE_UNSURE);
	return (KEYSTORE_FALLEN);
}

/* Other settings; without a registry all that it said is forgotten. */
void
keystore_configure(struct keystore *ks, const struct msg_registry_conf *conf)
{
	ks->refresh = conf->refresh;
	ks->stale = conf->stale;
	ks->grace = conf->grace;
	if (ks->asks && conf->rate == 0)
		while (ks->learned.count > 0)
			learned_remove(&ks->learned,
			    ks->learned.entries[ks->learned.newest - 1].node);
	ks->asks = conf->rate != 0;
}

/* The keys of a new file, which are taken over, in place of the old ones. */
void
keystore_swap_file(struct keystore *ks, struct keycache *keys)
{
	keycache_free(&ks->file);
	ks->file = *keys;
	keycache_init(keys);
}

/* The snapshot has another key of a node than before: that one has a grace. */
static void
keystore_replaced(struct keystore *ks, const struct keycache_entry *was,
    const uint8_t *is, uint32_t now)
{
	struct learned_entry *entry;

	entry = keystore_renew(ks, was->node, was->key, now);
	if (entry->source == LEARNED_SNAPSHOT)
		learned_set(entry, is, now, ks->grace);
}

/*
 * Likewise of a new snapshot, written then.  Its keys may have replaced those
 * of the one before, which serve for their grace from now on.  Returns how many
 * were replaced or are not there any more.
 */
uint32_t
keystore_swap_snapshot(
    struct keystore *ks, struct keycache *keys, uint32_t written, uint32_t now)
{
	const struct keycache_entry *is, *was;
	struct keycache old;
	uint32_t changed, i, j;

	old = ks->snapshot;
	ks->snapshot = *keys;
	keycache_init(keys);
	ks->written = written;
	for (changed = i = j = 0; i < old.count; i++) {
		was = &old.entries[i];
		while (j < ks->snapshot.count &&
		       ks->snapshot.entries[j].node < was->node)
			j++;
		if (j < ks->snapshot.count &&
		    ks->snapshot.entries[j].node == was->node) {
			is = &ks->snapshot.entries[j];
			if (memcmp(was->key, is->key, PROTO_KEY_LEN) == 0)
				continue;
			keystore_replaced(ks, was, is->key, now);
		}
		changed++;
	}
	keycache_free(&old);
	return (changed);
}
