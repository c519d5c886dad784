/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "metrics/ring.h"

/* Each counter that is a part of a series, by the family that it is of. */
static const struct {
	const char *family;
	const char *label; /* that its name has to have; "": any */
	enum ring_series series;
} ring_sources[] = {
	{ "pilot_beacon_relay_bridge_total", "", RING_RELAYED },
	{ "pilot_beacon_relay_beacon_total", "", RING_RELAYED },
	{ "pilot_beacon_wss_bytes_in_total", "", RING_BYTES_IN },
	{ "pilot_beacon_udp_bytes_total", "", RING_BYTES_IN },
	{ "pilot_beacon_wss_bytes_out_total", "", RING_BYTES_OUT },
	{ "pilot_beacon_udp_bytes_out_total", "", RING_BYTES_OUT },
	{ "pilot_beacon_drops_total", "", RING_DROPPED },
	{ "pilot_beacon_wss_connections_total", "auth_ok", RING_LOGINS },
	{ "pilot_beacon_wss_connections_total", "_fail", RING_REFUSED },
	{ "pilot_beacon_wss_refused_total", "", RING_REFUSED },
};

static int
ring_is_of(enum counter c, const char *family)
{
	return (counters_family_len(c) == strlen(family) &&
		strncmp(counters_name(c), family, strlen(family)) == 0);
}

/* Notes how things are now. */
void
ring_add(struct ring *ring, const struct sums_data *data)
{
	uint64_t *sample;
	enum counter c;
	size_t i;

	sample = ring->sample[ring->next];
	memset(sample, 0, sizeof(ring->sample[0]));
	sample[RING_PEERS] = data->gauge[GAUGE_PEERS];
	for (c = 0; c < COUNTER_MAX; c++)
		for (i = 0; i < sizeof(ring_sources) / sizeof(ring_sources[0]);
		     i++)
			if (ring_is_of(c, ring_sources[i].family) &&
			    strstr(counters_name(c), ring_sources[i].label) !=
				NULL)
				sample[ring_sources[i].series] +=
				    data->counter[c];
	ring->next = (ring->next + 1) % RING_SIZE;
	if (ring->count < RING_SIZE)
		ring->count++;
}

/* How many values each series has. */
uint32_t
ring_points(const struct ring *ring)
{
	return (ring->count < 2 ? 0 : ring->count - 1);
}

/*
 * The i-th value, from the oldest on: peers, or so many a second.  A sum of a
 * child's numbers may be a lie, and shrink.
 */
double
ring_value(const struct ring *ring, enum ring_series series, uint32_t i)
{
	uint64_t a, b;
	uint32_t at;

	at = (ring->next + RING_SIZE - ring->count + i) % RING_SIZE;
	a = ring->sample[at][series];
	b = ring->sample[(at + 1) % RING_SIZE][series];
	if (series == RING_PEERS)
		return ((double)b);
	return (b < a ? 0. : (double)(b - a) / RING_SECONDS);
}
