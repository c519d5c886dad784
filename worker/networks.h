/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_NETWORKS_H
#define WORKER_NETWORKS_H

#include <stdint.h>

#include "common/proto.h"

#define NETWORKS_MAX 1024

/*
 * Networks that the configuration names.  A new list comes one by one, and
 * counts when it is whole: after a reload nobody is judged by a part of it.
 */
struct networks {
	struct msg_address list[NETWORKS_MAX];
	uint32_t n;
	struct msg_address next[NETWORKS_MAX];
	uint32_t nnext;
};

const char *networks_take(struct networks *, const struct msg_address *);
int networks_have(const struct networks *, const uint8_t[16]);

#endif /* WORKER_NETWORKS_H */
