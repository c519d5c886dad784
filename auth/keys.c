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

void
keys_init(struct auth *auth)
{
	if (keystore_init(&auth->store) == -1)
		fatal("keystore_init");
	if (firstkey_init(&auth->first) == -1)
		fatal("firstkey_init");
	auth->file.fd = -1;
}

/* Each PA_KEYS gets one answer. */
static void
keys_answer(struct auth *auth, enum keys_result result)
{
	struct msg_keys_read msg;

	memset(&msg, 0, sizeof(msg));
	msg.result = result;
	if (result == KEYS_READ) {
		msg.keys = auth->store.file.count;
		msg.bad = auth->file.bad;
	}
	tell_parent(auth, AP_KEYS, &msg, sizeof(msg));
}

/*
 * Begins to read the key file behind fd, which is taken over.  A file that is
 * being read already is forgotten.
 */
void
keys_load(struct auth *auth, int fd, const struct msg_keys *msg)
{
	const char *path;
	struct stat st;

	path = msg->path;
	auth->keys_before = msg->before != 0;
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
	keystore_swap_file(&auth->store, &auth->file.cache);
	counters_add(COUNTER_KEY_LINES_BAD, auth->file.bad);
	keys_answer(auth, KEYS_READ);
	keyfile_close(&auth->file);
	if (firstkey_prune(&auth->first, &auth->store.file, NULL) == -1)
		log_warn("first keys not pruned");
	walk_fast(auth);
}

/*
 * There is no key in a file: somebody has just begun to write it, most likely.
 * Also one that was started anew, and has none itself, is to believe it only if
 * there never were any: the sessions of all would end.
 */
static void
keys_keep(struct auth *auth)
{
	if (auth->store.file.count > 0)
		log_warnx("%s: no key in it, the %u from before stay",
		    auth->file.path, auth->store.file.count);
	else
		log_warnx("%s: no key in it, but there were some: nobody of it "
			  "can log in until there are",
		    auth->file.path);
	keys_answer(auth, KEYS_KEPT);
	keyfile_close(&auth->file);
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
		if (auth->file.cache.count > 0 ||
		    (auth->store.file.count == 0 && !auth->keys_before))
			keys_swap(auth);
		else
			keys_keep(auth);
		break;
	}
}

/* One piece of what is to be done with keys; returns whether there is more. */
int
keys_work(struct auth *auth)
{
	if (auth->parent.state != AUTH_RUNNING)
		return (0);
	if (auth->file.fd != -1)
		keys_read(auth);
	if (auth->file.fd != -1 || keys_snapshot_work(auth) ||
	    keys_cache_work(auth))
		return (1);
	if (!auth->ready)
		tell_ready(auth);
	return (walk_work(auth));
}
