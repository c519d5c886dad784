/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_PARK_SESSION_H
#define PARENT_PARK_SESSION_H

#include <string.h>

#include "common/clock.h"
#include "common/peermap.h"
#include "common/proto_park.h"

/* What the map says of a session, to the other parent; its times are ago. */
static inline void
park_session_of(struct park_session *session, const struct peermap_entry *entry)
{
	uint32_t now;

	now = clock_seconds();
	memset(session, 0, sizeof(*session));
	session->node = entry->node;
	session->since = now - entry->since;
	session->keyid = entry->keyid;
	session->replaced = entry->replaced;
	session->rwindow = now - entry->rwindow;
}

/* And from there; who has it, where, is the caller's. */
static inline void
park_session_to(struct peermap_entry *entry, const struct park_session *session)
{
	uint32_t now;

	now = clock_seconds();
	entry->since = now - session->since;
	entry->keyid = session->keyid;
	entry->replaced = (uint8_t)session->replaced;
	entry->rwindow = now - session->rwindow;
}

#endif /* PARENT_PARK_SESSION_H */
