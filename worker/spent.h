/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_SPENT_H
#define WORKER_SPENT_H

#include <stddef.h>

#include "worker/session.h"

/*
 * What nodes had used of the present second when their sessions ended, for the
 * next one of each: or who logs in again and again would have a budget each
 * time.  A table of fixed size; in a full set the one of longest ago makes
 * room.
 */
#define SPENT_SETS 1024
#define SPENT_WAYS 4

struct spent {
	uint32_t node;
	uint32_t second;
	uint32_t packets;
	uint32_t bytes;
};

/* An open session ends.  Who was quiet takes nobody's place. */
static inline void
spent_keep(struct spent set[SPENT_WAYS], const struct session *s, uint32_t now)
{
	struct spent *p;
	size_t i;

	if (s->packets.second != now && s->bytes.second != now)
		return;
	p = &set[0];
	for (i = 0; i < SPENT_WAYS; i++) {
		if (set[i].node == s->peer.node) {
			p = &set[i];
			break;
		}
		if (set[i].second < p->second)
			p = &set[i];
	}
	p->node = s->peer.node;
	p->second = now;
	p->packets = s->packets.second == now ? s->packets.used : 0;
	p->bytes = s->bytes.second == now ? s->bytes.used : 0;
}

/* One begins. */
static inline void
spent_resume(
    const struct spent set[SPENT_WAYS], struct session *s, uint32_t now)
{
	size_t i;

	for (i = 0; i < SPENT_WAYS; i++) {
		if (set[i].node != s->peer.node || set[i].second != now)
			continue;
		s->packets.second = s->bytes.second = now;
		s->packets.used = set[i].packets;
		s->bytes.used = set[i].bytes;
	}
}

#endif /* WORKER_SPENT_H */
