/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PEERMAP_H
#define COMMON_PEERMAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/proto.h"

/*
 * The peer map: where each node is (doc/architecture.md 3). One memfd; the
 * parent alone can write it, every child maps it read-only and looks up without
 * a lock.
 *
 *	header | index half A | index half B | entries
 *
 * Entries stand densely in the order in which they were first needed, so that
 * memory follows the number of nodes and not the size of the table.  The index
 * is an open-addressing hash of entry numbers (+1; 0 = never used, PEERMAP_TOMB
 * = removed).  It starts small; when it gets full the parent builds a larger
 * one in the other half and publishes it with one store.  Readers that miss
 * look at that word again.
 */
#define PEERMAP_NODES_MAX (1U << 20)
#define PEERMAP_SHIFT_MIN 12
#define PEERMAP_SHIFT_MAX 21
#define PEERMAP_TOMB      UINT32_MAX
#define PEERMAP_NONE      UINT32_MAX
#define PEERMAP_NEAR_MAX  256
#define PEERMAP_MAGIC     0x62656d32U /* "bem2"; another layout, another */

#define PEERMAP_UDP_EX         0x01 /* once sent DiscoverEx: gets 09, not 06 */
#define PEERMAP_LISTENER_SHIFT 1    /* the rest: which listener it came by */

/*
 * The word that publishes an index: which half it is in, how large it is, and
 * which build of it, so that two rebuilds never bring an earlier word back.
 */
#define PEERMAP_INDEX(build, shift, half) \
	((uint32_t)(build) << 6 | (uint32_t)(shift) << 1 | (uint32_t)(half))
#define PEERMAP_INDEX_HALF(index)  ((index)&1)
#define PEERMAP_INDEX_SHIFT(index) ((index) >> 1 & 0x1f)
#define PEERMAP_INDEX_MASK(index)  ((1U << PEERMAP_INDEX_SHIFT(index)) - 1)
#define PEERMAP_INDEX_BUILD(index) ((index) >> 6)

struct peermap_header {
	uint32_t magic;
	uint32_t pad;
	uint64_t key[2];           /* of the index's hash */
	_Atomic uint32_t index;    /* see PEERMAP_INDEX() */
	_Atomic uint32_t sessions; /* nodes connected by WebSocket */
	_Atomic uint32_t used; /* entries ever handed out: where a walk ends */
	/*
	 * Open sockets of each worker, as it says, but no fewer than it has
	 * sessions; UINT32_MAX: not running.
	 */
	_Atomic uint32_t load[PROTO_PLACES_MAX];
	/*
	 * Addresses of ours at which nodes were heard by sockets that are bound
	 * to all of them; number 0 stays zero: as the socket is bound.
	 */
	_Atomic uint64_t near[PEERMAP_NEAR_MAX][2];
};

/* One cache line a node. */
struct peermap_entry {
	_Atomic uint32_t seq; /* odd while the parent writes */
	uint32_t node;        /* 0: free */
	/* WebSocket */
	uint32_t generation; /* 0: no session */
	uint32_t slot;
	uint8_t worker;
	uint8_t near;     /* UDP: which of header.near it was heard at */
	uint8_t replaced; /* times, within the window that began at rwindow */
	uint8_t flags;    /* PEERMAP_UDP_* */
	uint32_t since;   /* admission; clock_seconds(), as are the rest */
	uint64_t keyid;   /* fingerprint of the key that it was admitted with */
	/* UDP */
	uint8_t addr[16]; /* IPv6 or v4-mapped, network order */
	uint16_t port;    /* host order; 0: no endpoint */
	uint16_t beacon;  /* peer beacon's source number + 1; 0: none */
	uint32_t seen;    /* last Discover */
	uint32_t moved;   /* last change of the address */
	uint32_t rwindow; /* see `replaced` */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct peermap_entry) == 64, "one cache line");

#define PEERMAP_INDEX_OFF   8192
#define PEERMAP_INDEX_BYTES ((size_t)sizeof(uint32_t) << PEERMAP_SHIFT_MAX)
#define PEERMAP_ENTRY_OFF   (PEERMAP_INDEX_OFF + 2 * PEERMAP_INDEX_BYTES)
#define PEERMAP_BYTES        \
	(PEERMAP_ENTRY_OFF + \
	    (size_t)PEERMAP_NODES_MAX * sizeof(struct peermap_entry))

_Static_assert(
    sizeof(struct peermap_header) <= PEERMAP_INDEX_OFF, "the index follows");

struct peermap {
	const struct peermap_header *header;
	const _Atomic uint32_t *half[2];
	const struct peermap_entry *entries;
};

/*
 * The address of ours with that number, in network order; zero: any.  Should it
 * be given out anew just now, the entry that had it is of the past already.
 */
static inline void
peermap_near(const struct peermap *map, uint8_t number, uint8_t addr[16])
{
	uint64_t words[2];

	words[0] = atomic_load_explicit(
	    &map->header->near[number][0], memory_order_relaxed);
	words[1] = atomic_load_explicit(
	    &map->header->near[number][1], memory_order_relaxed);
	memcpy(addr, words, sizeof(words));
}

int peermap_open(struct peermap *, int);
void peermap_replace(struct peermap *, const struct peermap *);
void peermap_view(struct peermap *, const void *);
uint32_t peermap_hash(const struct peermap_header *, uint32_t);
uint32_t peermap_find(const struct peermap *, uint32_t);
int peermap_read(const struct peermap *, uint32_t number, uint32_t node,
    struct peermap_entry *);
int peermap_lookup(const struct peermap *, uint32_t, struct peermap_entry *);

#endif /* COMMON_PEERMAP_H */
