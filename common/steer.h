/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_STEER_H
#define COMMON_STEER_H

#include <stdint.h>

/*
 * Which worker the datagrams of a source come to: all processes agree on it,
 * and the kernel, whose program (parent/steer.c) computes the same.  So a
 * worker's word about a source whose datagrams cannot reach it is refused.
 *
 * Port and address of a node count, as one address may hold hundreds of them;
 * of another beacon, whose Syncs come from several ports, the address alone.
 */
#define STEER_FACTOR 0x9e3779b1U
#define STEER_SHIFT  15

uint32_t steer_worker(
    uint32_t key, uint32_t nworkers, const uint8_t addr[16], uint32_t port);

#endif /* COMMON_STEER_H */
