/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_AUTH_PARTS_H
#define REGRESS_UNIT_AUTH_PARTS_H

#include <sys/mman.h>

#include <stdlib.h>
#include <unistd.h>

#include "auth/auth.h"
#include "common/counters.h"
#include "regress/unit/test.h"

/* An auth, and as much of it as a test needs: ends.h has the whole of it. */
static struct auth auth;
static struct imsgbuf parent; /* the other end of its channel */

#define COUNTED(counter) counters_read(counters, COUNTER_##counter)

static inline void
parts_ended(void *owner, const char *reason)
{
}

static inline void
parts_loop(void)
{
	static const struct channel_rule no_rules[1];
	int pair[2];

	auth.loop = ev_loop_new(EVFLAG_NOENV);
	if (auth.loop == NULL || channel_pair(pair) == -1 ||
	    channel_open(&auth.parent, auth.loop, pair[0], "parent", no_rules,
		0, parts_ended, &auth) == -1 ||
	    imsgbuf_init(&parent, pair[1]) == -1)
		abort();
}

/*
 * The next message that the parent was told: 1 if it is of that type and size,
 * 0 if it is another, -1 if there is none.
 */
static inline int
parts_told(uint32_t type, void *data, size_t len)
{
	struct imsg imsg;
	int r;

	(void)channel_flush(&auth.parent);
	if (imsgbuf_get(&parent, &imsg) != 1 &&
	    (imsgbuf_read(&parent) != 1 || imsgbuf_get(&parent, &imsg) != 1))
		return (-1);
	r = imsg_get_type(&imsg) == type && imsg.peerid == 0 &&
	    imsg_get_len(&imsg) == len &&
	    (len == 0 || imsg_get_data(&imsg, data, len) == 0);
	imsg_free(&imsg);
	return (r);
}

/* The map, empty, for the test to write. */
static inline struct peermap_header *
parts_map(void)
{
	struct peermap_header *header;

	header = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (header == MAP_FAILED)
		abort();
	header->index = PEERMAP_INDEX(0, PEERMAP_SHIFT_MIN, 0);
	peermap_view(&auth.map, header);
	auth.has_map = 1;
	return (header);
}

/* The entry of a node, a small number, in the map from now on. */
static inline struct peermap_entry *
parts_know(uint32_t node)
{
	struct peermap_header *header;
	struct peermap_entry *entry;
	uint32_t *index;

	header = (void *)(uintptr_t)auth.map.header;
	index = (void *)((uint8_t *)header + PEERMAP_INDEX_OFF);
	index[peermap_hash(header, node) & PEERMAP_INDEX_MASK(header->index)] =
	    node + 1;
	entry = (void *)((uint8_t *)header + PEERMAP_ENTRY_OFF);
	entry[node].node = node;
	if (header->used <= node)
		header->used = node + 1;
	return (&entry[node]);
}

#endif /* REGRESS_UNIT_AUTH_PARTS_H */
