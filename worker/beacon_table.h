/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_BEACON_TABLE_H
#define WORKER_BEACON_TABLE_H

#include <stdint.h>

#include "worker/worker.h"

/*
 * Which addresses are other beacons.  Asked for each Relay by UDP, so it takes
 * the same time however many there are; of fixed size.
 */
#define BEACON_BUCKETS 8192
#define BEACON_DEFAULT PROTO_BEACONS_MAX /* number of the default beacon */
#define BEACON_NUMBERS (PROTO_BEACONS_MAX + 1)

/* A hash: lists of numbers + 1; 0 ends them. */
struct beacon_chains {
	uint16_t head[BEACON_BUCKETS];
	uint16_t next[BEACON_NUMBERS];
};

struct beacon_table {
	uint64_t key[2];
	uint32_t count; /* of those that are somebody */
	struct path at[BEACON_NUMBERS];
	struct beacon_chains ports; /* by address and port */
	struct beacon_chains hosts; /* by address; without the default */
};

struct beacon_table *beacon_table_new(void);
void beacon_table_set(struct beacon_table *, uint32_t, const struct path *);
uint32_t beacon_table_has(
    const struct beacon_table *, const uint8_t[16], uint16_t);

/* Where packets from and to beacon `number` are counted. */
static inline uint32_t
beacon_table_column(uint32_t number)
{
	if (number < COUNTERS_BEACONS)
		return (number);
	return (
	    number == BEACON_DEFAULT ? BEACON_DEFAULT_COLUMN : BEACON_OTHERS);
}

#endif /* WORKER_BEACON_TABLE_H */
