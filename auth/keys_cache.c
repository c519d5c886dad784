/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <unistd.h>

#include "auth/auth.h"

/* What was learned, from one auth to the next, by way of the parent. */

void
keys_cache_init(struct auth *auth)
{
	auth->cache.fd = -1;
}

/* Each PA_CACHE that is to be filled gets one answer. */
static void
keys_cache_answer(struct auth *auth, uint64_t bytes)
{
	struct msg_cache_written msg;

	msg.bytes = bytes;
	tell_parent(auth, AP_CACHE, &msg, sizeof(msg));
}

/* fd is taken over.  One is under way already: the parent has to ask again. */
static void
keys_cache_busy(struct auth *auth, int fd, const struct msg_cache *msg)
{
	(void)close(fd);
	if (!msg->load)
		keys_cache_answer(auth, 0);
}

/* Begins to read the file behind fd, or to fill its memory. */
void
keys_cache(struct auth *auth, int fd, const struct msg_cache *msg)
{
	uint32_t now;

	if (auth->cache.data != NULL) {
		keys_cache_busy(auth, fd, msg);
		return;
	}
	now = clock_seconds();
	if (msg->load) {
		if (cachefile_load(&auth->cache, fd, msg->wall, now) == -1)
			log_warn("cache of keys not read");
	} else {
		if (cachefile_save(&auth->cache, fd, msg->wall, now) == -1) {
			log_warn("cache of keys not written");
			keys_cache_answer(auth, 0);
		}
		(void)close(fd);
	}
	turn_wake(auth);
}

static int
keys_cache_load(struct auth *auth)
{
	struct keystore *ks;

	ks = &auth->store;
	switch (cachefile_step_load(
	    &auth->cache, &ks->learned, ks->stale, keystore_room(ks))) {
	case 1:
		return (1);
	case 0:
		log_info("%u keys known from before", ks->learned.count);
		break;
	default:
		log_warnx("cache of keys is not whole: nothing of it is used");
		break;
	}
	cachefile_close(&auth->cache);
	return (0);
}

/* The next piece of it; returns whether there is more. */
int
keys_cache_work(struct auth *auth)
{
	if (auth->cache.data == NULL)
		return (0);
	if (auth->cache.load)
		return (keys_cache_load(auth));
	if (cachefile_step_save(&auth->cache, &auth->store.learned) == 1)
		return (1);
	keys_cache_answer(auth, cachefile_bytes(&auth->cache));
	cachefile_close(&auth->cache);
	return (0);
}
