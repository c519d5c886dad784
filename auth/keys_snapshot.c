/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <string.h>
#include <unistd.h>

#include "common/fdstat.h"

#include "auth/auth.h"

/* The registry's snapshot: as the key file, but it comes again and again. */

void
keys_snapshot_init(struct auth *auth)
{
	auth->snapshot.fd = -1;
}

/* Each PA_SNAPSHOT gets one answer. */
static void
keys_snapshot_answer(struct auth *auth, enum keys_result result)
{
	struct msg_snapshot_read msg;

	memset(&msg, 0, sizeof(msg));
	msg.result = result;
	if (result == KEYS_READ) {
		msg.keys = auth->store.snapshot.count;
		msg.bad = auth->snapshot.bad;
	}
	tell_parent(auth, AP_SNAPSHOT, &msg, sizeof(msg));
}

/*
 * Begins to read the snapshot behind fd, which is taken over.  One that is
 * being read already is forgotten.
 */
void
keys_snapshot_load(struct auth *auth, int fd, const struct msg_snapshot *msg)
{
	struct stat st;

	if (auth->snapshot.fd != -1)
		keys_snapshot_answer(auth, KEYS_SUPERSEDED);
	snapshot_close(&auth->snapshot);
	turn_wake(auth);
	/* Anything else might make read(2) wait. */
	if (fdstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		log_warnx("%s: not a regular file, the snapshot is not read",
		    msg->path);
		(void)close(fd);
		keys_snapshot_answer(auth, KEYS_KEPT);
	} else if (snapshot_begin(
		       &auth->snapshot, fd, msg->path, msg->written) == -1) {
		log_warn("%s", msg->path);
		keys_snapshot_answer(auth, KEYS_KEPT);
	}
}

/* The new keys take the place of the old ones in one step. */
static void
keys_snapshot_swap(struct auth *auth)
{
	uint32_t changed;

	changed = keystore_swap_snapshot(&auth->store, &auth->snapshot.cache,
	    auth->snapshot.written, clock_seconds());
	keys_snapshot_answer(auth, KEYS_READ);
	snapshot_close(&auth->snapshot);
	if (changed > 0)
		walk_fast(auth);
	turn_seconds(auth);
}

/* The next piece of it; returns whether there is more. */
int
keys_snapshot_work(struct auth *auth)
{
	if (auth->snapshot.fd == -1)
		return (0);
	switch (snapshot_step(&auth->snapshot)) {
	case 1:
		return (1);
	case 0:
		keys_snapshot_swap(auth);
		return (0);
	}
	/* Cut, or somebody has just begun to write it. */
	log_warnx("%s: no snapshot, or not whole: the %u keys from before stay",
	    auth->snapshot.path, auth->store.snapshot.count);
	snapshot_close(&auth->snapshot);
	keys_snapshot_answer(auth, KEYS_KEPT);
	return (0);
}
