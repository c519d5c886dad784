/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/address.h"
#include "common/steer.h"

static uint32_t
steer_mix(uint32_t hash, uint32_t word)
{
	hash = (hash ^ word) * STEER_FACTOR;
	return (hash ^ hash >> STEER_SHIFT);
}

static uint32_t
steer_word(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		(uint32_t)p[2] << 8 | p[3]);
}

/*
 * The number, below nworkers, of the worker that datagrams of this source come
 * to: addr is IPv6 or v4-mapped, port in host order, 0 for a Sync.  key is
 * random, so that nobody can choose sources that all come to one worker.
 */
uint32_t
steer_worker(
    uint32_t key, uint32_t nworkers, const uint8_t addr[16], uint32_t port)
{
	uint32_t hash, i;

	hash = key;
	i = address_is_v4(addr) ? 12 : 0;
	for (; i < 16; i += 4)
		hash = steer_mix(hash, steer_word(addr + i));
	if (port != 0)
		hash = steer_mix(hash, port);
	return (hash % nworkers);
}
