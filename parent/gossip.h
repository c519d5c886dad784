/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_GOSSIP_H
#define PARENT_GOSSIP_H

#include <ev.h>
#include <stdint.h>

#include "common/proto.h"
#include "parent/listen.h"
#include "parent/peermap_write.h"

struct block;
struct parent;
struct process;

#define GOSSIP_CONFIGURED 0x1 /* it stands in the configuration */
#define GOSSIP_REGISTERED 0x2 /* it stands in the registry's list */

/* Another beacon, heard or a peer (gossip.c). */
struct source {
	uint8_t addr[16];
	uint16_t port;     /* 0: this number is free */
	uint8_t near[16];  /* our address that it knows; zero: not known */
	uint32_t listener; /* by which it came last, or PROTO_LISTENER_ANY */
	uint32_t beacon;   /* id */
	uint32_t peer;     /* GOSSIP_*: why we speak to it; 0: we do not */
	uint32_t heard;    /* clock_seconds(); 0: not lately */
	uint32_t nodes;    /* in ids */
	uint32_t *ids;     /* sorted */
	/* What was counted under its number before it had that. */
	uint64_t base[BEACON_WAYS];
};

/* A Sync of which the last chunk has not come yet. */
struct sync {
	struct msg_sync from; /* as in its first chunk */
	int open;             /* boolean: it is under way */
	uint32_t *ids; /* of its chunks; NULL: no memory, so it is void */
	uint32_t count;
};

#define GOSSIP_NO_SOURCE UINT32_MAX

/* Nodes of one beacon: half of the room that there is for those of others. */
#define GOSSIP_NODES_MAX ((PEERMAP_NODES_MAX - PMAP_RESERVE_GOSSIP) / 2)

struct gossip {
	struct source *sources; /* PROTO_BEACONS_MAX of them */
	uint32_t nsources;      /* numbers ever given out */
	uint32_t second;        /* in which `taken` ids were taken */
	uint32_t taken;
	uint32_t *ids; /* nodes that we serve; NULL: not known yet */
	uint32_t first[SHARES_MAX + 1]; /* of each share in ids */
	uint32_t shares;                /* ports that they are spread over */
	uint32_t peer;                  /* whose turn it is */
	uint32_t left;                  /* shares that it is still to get */
	uint32_t cut_said; /* when it was logged that not all are told; 0 */
	ev_timer tick;
};

/* gossip.c */
void gossip_init(struct parent *);
void gossip_reload(struct parent *);
void gossip_introduce(struct process *);
const char *gossip_chunk(
    struct process *, const struct msg_sync *, const uint8_t *);
void gossip_restore(struct parent *, struct sync *, uint32_t);
void gossip_forget(struct process *);
void gossip_expire(struct parent *);
void gossip_block_network(struct parent *, const struct block *);
uint32_t gossip_heard(const struct parent *);
uint32_t gossip_peer(const struct parent *, const uint8_t[16]);
void gossip_register_begin(struct parent *);
void gossip_register(struct parent *, const uint8_t[16], uint16_t port);
void gossip_register_end(struct parent *);

/* gossip_ports.c */
struct process *gossip_ports_owner(struct parent *);
void gossip_ports_again(struct process *, const struct listener *);
void gossip_ports_introduce(struct process *);
void gossip_ports_added(struct parent *, const struct listener *);
int gossip_ports_grow(struct parent *, uint32_t);

/* gossip_source.c */
uint32_t gossip_source_find(
    const struct gossip *, const uint8_t addr[16], uint16_t port);
int gossip_source_crowded(const struct gossip *, const uint8_t addr[16]);
int gossip_source_has_room(
    const struct gossip *, const struct msg_sync *, uint32_t count);
uint32_t gossip_source_new(
    struct parent *, const uint8_t addr[16], uint16_t port);
void gossip_source_tell_all(struct parent *, uint32_t number);
void gossip_source_tell_default(struct process *);
void gossip_source_introduce(struct process *);
void gossip_source_near(
    struct parent *, uint32_t number, const struct msg_sync *);
void gossip_source_path(const struct parent *, struct msg_sync *);

/* gossip_send.c */
void gossip_send_start(struct parent *);
void gossip_send_reload(struct parent *);

#endif /* PARENT_GOSSIP_H */
