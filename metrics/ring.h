/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_RING_H
#define METRICS_RING_H

#include <stdint.h>

#include "common/sums.h"

/*
 * The last minutes, for people: a sample every RING_SECONDS.  What grows is
 * kept as it stands, and told as so much a second.
 */
#define RING_SECONDS 5
#define RING_SIZE    121 /* ten minutes have an end and a beginning */

enum ring_series {
	RING_PEERS,
	RING_RELAYED,
	RING_BYTES_IN,
	RING_BYTES_OUT,
	RING_DROPPED,
	RING_LOGINS,
	RING_REFUSED,
	RING_MAX
};

struct ring {
	uint64_t sample[RING_SIZE][RING_MAX];
	uint32_t next; /* place of the next one */
	uint32_t count;
};

void ring_add(struct ring *, const struct sums_data *);
uint32_t ring_points(const struct ring *);
double ring_value(const struct ring *, enum ring_series, uint32_t);

#endif /* METRICS_RING_H */
