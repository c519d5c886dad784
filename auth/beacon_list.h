/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_BEACON_LIST_H
#define AUTH_BEACON_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/proto.h"

/*
 * The registry's beacons (doc/protocol.md 6): the request that puts one on the
 * list, and the list.
 */
typedef void (*beacon_list_fn)(void *, const struct msg_beacon_row *);

size_t beacon_list_request(const struct msg_registry_conf *, char *, size_t);
int beacon_list_parse(
    const char *, size_t, uint32_t, beacon_list_fn, void *, uint32_t *);

#endif /* AUTH_BEACON_LIST_H */
