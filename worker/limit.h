/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_LIMIT_H
#define WORKER_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"
#include "worker/endpoint.h"

/*
 * How often has this source been heard in the present second?  A table of fixed
 * size: a source in a full set takes the place of the one that is quiet for
 * longest, so that a flood of sources costs memory nothing and lets, at worst,
 * some of them begin their second anew.
 */
#define LIMIT_SETS 8192
#define LIMIT_WAYS 4

struct source {
	uint8_t addr[16]; /* IPv6 or v4-mapped */
	uint32_t second;
	uint32_t count;
	uint32_t bytes;
	uint32_t port; /* 0: the whole address */
};

/* What a packet is above. */
enum limit_excess { LIMIT_WITHIN, LIMIT_PACKETS, LIMIT_BYTES };

struct source_table {
	uint64_t key[2];
	struct source sets[LIMIT_SETS][LIMIT_WAYS];
};

struct source_table *limit_new(void);
int limit_source(struct source_table *, const uint8_t[16], uint32_t port,
    uint32_t now, uint32_t most);
enum limit_excess limit_packet(struct source_table *, const struct endpoint *,
    uint32_t now, size_t, const struct msg_settings *);
int limit_customer(
    struct source_table *, const uint8_t[16], uint32_t now, uint32_t most);

#endif /* WORKER_LIMIT_H */
