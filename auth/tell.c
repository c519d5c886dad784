/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/auth.h"

/*
 * Queues a message for the parent.  tell_congested() keeps the queue from ever
 * getting full, so that it is full means that nobody reads it.
 */
void
tell_parent(
    struct auth *auth, enum auth_to_parent type, const void *data, size_t len)
{
	if (channel_send(&auth->parent, type, 0, -1, data, len) == -1)
		fatal("cannot tell the parent");
}

/* AP_READY: logins are served from now on. */
void
tell_ready(struct auth *auth)
{
	tell_parent(auth, AP_READY, &auth->hello, sizeof(auth->hello));
	auth->ready = 1;
}

/* Whether the parent is behind so far that nobody else is to be read. */
int
tell_congested(const struct auth *auth)
{
	return (channel_queued(&auth->parent) > CHANNEL_LIMIT / 2);
}
