/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/fdstat.h"

#include "auth/auth.h"

#define KEYS_WALK_STEP 1024 /* entries of the map a turn */

/*
 * A login that was admitted by the old keys may reach the map only after the
 * walk passed its place, and the parent ends only so many sessions at once: so
 * there is another walk, this many seconds later, until one finds nothing.
 */
#define KEYS_WALK_AGAIN CHILD_HANG_TIMEOUT

static void
keys_walk_begin(struct auth *auth)
{
	auth->walk = 0;
	auth->walking = 1;
	auth->revoked = 0;
	turn_wake(auth);
}

static void
keys_walk_later(struct auth *auth)
{
	ev_timer_stop(auth->loop, &auth->again);
	ev_timer_set(&auth->again, KEYS_WALK_AGAIN, 0.);
	ev_timer_start(auth->loop, &auth->again);
}

static void
keys_walk_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	keys_walk_begin(timer->data);
}

void
keys_init(struct auth *auth)
{
	keycache_init(&auth->keys);
	if (firstkey_init(&auth->first) == -1)
		fatal("firstkey_init");
	auth->file.fd = -1;
	ev_timer_init(&auth->again, keys_walk_again, KEYS_WALK_AGAIN, 0.);
	auth->again.data = auth;
}

/* Each PA_KEYS gets one answer. */
static void
keys_answer(struct auth *auth, enum keys_result result)
{
	struct msg_keys_read msg;

	memset(&msg, 0, sizeof(msg));
	msg.result = result;
	if (result == KEYS_READ) {
		msg.keys = auth->keys.count;
		msg.bad = auth->file.bad;
	}
	tell_parent(auth, AP_KEYS, &msg, sizeof(msg));
}

/*
 * Begins to read the key file behind fd, which is taken over; path is for
 * messages.  A file that is being read already is forgotten.
 */
void
keys_load(struct auth *auth, int fd, const char *path)
{
	struct stat st;

	if (auth->file.fd != -1)
		keys_answer(auth, KEYS_SUPERSEDED);
	keyfile_close(&auth->file);
	/* Anything else might make read(2) wait. */
	if (fdstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		log_warnx(
		    "%s: not a regular file, keys stay as they are", path);
		(void)close(fd);
		keys_answer(auth, KEYS_KEPT);
	} else
		keyfile_begin(&auth->file, fd, path);
	turn_wake(auth);
}

/* The new keys take the place of the old ones in one step. */
static void
keys_swap(struct auth *auth)
{
	keycache_free(&auth->keys);
	auth->keys = auth->file.cache;
	keycache_init(&auth->file.cache);
	counters_add(COUNTER_KEY_LINES_BAD, auth->file.bad);
	keys_answer(auth, KEYS_READ);
	keyfile_close(&auth->file);
	if (firstkey_prune(&auth->first, &auth->keys, NULL) == -1)
		log_warn("first keys not pruned");
	keys_walk_begin(auth);
	keys_walk_later(auth);
}

static void
keys_read(struct auth *auth)
{
	switch (keyfile_step(&auth->file)) {
	case -1:
		log_warn(
		    "%s: not read, keys stay as they are", auth->file.path);
		keys_answer(auth, KEYS_KEPT);
		keyfile_close(&auth->file);
		break;
	case 0:
		if (auth->file.cache.count > 0 || auth->keys.count == 0) {
			keys_swap(auth);
			break;
		}
		/* Somebody has just begun to write it, most likely. */
		log_warnx("%s: no key in it, the %u from before stay",
		    auth->file.path, auth->keys.count);
		keys_answer(auth, KEYS_KEPT);
		keyfile_close(&auth->file);
		break;
	}
}

/* Whether the session of an entry stands on a key that is still the node's. */
static int
keys_good(const struct auth *auth, const struct peermap_entry *entry)
{
	const uint8_t *key;

	key = keycache_find(&auth->keys, entry->node);
	return (key != NULL && keycache_id(key) == entry->keyid);
}

static void
keys_walk(struct auth *auth)
{
	struct peermap_entry entry;
	struct msg_closed msg;
	uint32_t end, node, used;

	used = atomic_load(&auth->map.header->used);
	if (used > PEERMAP_NODES_MAX)
		used = PEERMAP_NODES_MAX;
	end = auth->walk + KEYS_WALK_STEP;
	for (; auth->walk < end && auth->walk < used; auth->walk++) {
		node = __atomic_load_n(
		    &auth->map.entries[auth->walk].node, __ATOMIC_RELAXED);
		if (!peermap_read(&auth->map, auth->walk, node, &entry) ||
		    entry.generation == 0 || keys_good(auth, &entry))
			continue;
		msg.node = entry.node;
		msg.generation = entry.generation;
		auth->revoked++;
		tell_parent(auth, AP_REVOKE, &msg, sizeof(msg));
	}
	if (auth->walk < used)
		return;
	auth->walking = 0;
	if (auth->revoked == 0)
		return;
	log_info("%u sessions end: the keys that they stand on are gone",
	    auth->revoked);
	keys_walk_later(auth);
}

/* One piece of what is to be done with keys; returns whether there is more. */
int
keys_work(struct auth *auth)
{
	if (auth->parent.state != AUTH_RUNNING)
		return (0);
	if (auth->file.fd != -1)
		keys_read(auth);
	else if (auth->walking)
		keys_walk(auth);
	if (auth->file.fd == -1 && !auth->ready)
		tell_ready(auth);
	return (auth->file.fd != -1 || auth->walking);
}
