/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_INBOUND_H
#define WORKER_INBOUND_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

/* Bytes allocated for what is incomplete, of peers and of who is none yet. */
#define INBOUND_PEERS_MAX     (96U << 20)
#define INBOUND_STRANGERS_MAX (32U << 20)
#define INBOUND_PART          16         /* of what is left, at once */
#define INBOUND_FLOOR         (8U << 10) /* as much as everybody gets */
#define INBOUND_CLASSES       64         /* of sizes, in steps of 2 KiB */

struct session;
struct worker;

enum inbound_kind { INBOUND_PEERS, INBOUND_STRANGERS, INBOUND_KINDS };

/* First in what a session holds of incomplete messages. */
struct held {
	TAILQ_ENTRY(held) entry;
	uint32_t slot; /* whose */
	uint32_t size; /* of the allocation */
	enum inbound_kind kind;
	int aside; /* boolean: in no list, and not counted */
};
TAILQ_HEAD(held_list, held);

/* All that sessions of one kind hold. */
struct inbound {
	size_t bytes;
	uint64_t classes; /* bit n: by_size[n] is not empty */
	struct held_list by_size[INBOUND_CLASSES]; /* each the oldest first */
};

/* The start of a frame whose rest has not come yet. */
struct pending {
	struct held held;
	uint32_t len;     /* bytes that are here */
	uint32_t total;   /* bytes of header and payload; 0: not known yet */
	uint32_t checked; /* bytes of a text's payload that are known as good */
	uint32_t utf8;    /* state of ws_utf8_check() behind them */
	uint8_t data[];
};

/* A fragmented message; headroom, then what has come of it. */
struct message {
	struct held held;
	uint32_t len;
	uint32_t utf8; /* state of ws_utf8_check() */
	uint8_t opcode;
	uint8_t data[];
};

int inbound_keep(struct worker *, struct session *, const uint8_t *, size_t len,
    size_t total, struct session **);
int inbound_room(struct worker *, struct session *, size_t, struct session **);
struct pending *inbound_take_pending(struct worker *, struct session *);
struct message *inbound_take_message(struct worker *, struct session *);
void inbound_set_aside(struct worker *, struct session *);
void inbound_take_back(struct worker *, struct session *);
void inbound_give_up(struct worker *, struct session *);

#endif /* WORKER_INBOUND_H */
