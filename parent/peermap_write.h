/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_PEERMAP_WRITE_H
#define PARENT_PEERMAP_WRITE_H

#include <stdint.h>

#include "common/peermap.h"

/*
 * Entries that only a login may still take.  Datagrams and gossip come from
 * strangers and must not be able to lock out a node that can prove its name.
 */
#define PMAP_RESERVE_LOGIN  (1U << 17)
#define PMAP_RESERVE_GOSSIP (1U << 18)

/* The writer's end of the peer map; there is one. */
struct pmap {
	int fd;              /* sealed; what the children get */
	struct peermap view; /* the same memory, as readers see it */
	struct peermap_header *header;
	_Atomic uint32_t *half[2];
	struct peermap_entry *entries;
	uint32_t free;       /* number of a free entry; PEERMAP_NONE: none */
	uint32_t filled;     /* places of the index that are not 0 */
	uint32_t live;       /* entries in use */
	uint32_t endpoints;  /* of these with a UDP address */
	uint32_t generation; /* the last one given to a session */
	uint32_t near[PEERMAP_NEAR_MAX]; /* entries with that number */
};

int pmap_create(struct pmap *);
void pmap_destroy(struct pmap *);
uint32_t pmap_find(const struct pmap *, uint32_t);
const struct peermap_entry *pmap_session(const struct pmap *, uint32_t node,
    uint32_t generation, uint32_t worker, uint32_t slot);
uint32_t pmap_add(struct pmap *, uint32_t node, uint32_t reserve);
const struct peermap_entry *pmap_entry(const struct pmap *, uint32_t);
void pmap_store(struct pmap *, uint32_t, const struct peermap_entry *);
uint8_t pmap_near(struct pmap *, const uint8_t[16]);
uint32_t pmap_next_generation(struct pmap *);
uint32_t pmap_used(const struct pmap *);
void pmap_load(struct pmap *, uint32_t worker, uint32_t load);

#endif /* PARENT_PEERMAP_WRITE_H */
