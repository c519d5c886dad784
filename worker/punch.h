/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_PUNCH_H
#define WORKER_PUNCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/budget.h"
#include "common/proto.h"
#include "worker/endpoint.h"
#include "worker/networks.h"

struct source_table;
struct worker;

#define GRANTS_MAX 256 /* PunchRequests that wait for auth */

/* A PunchRequest whose grant auth looks at. */
struct grant {
	struct path path;
	uint32_t requester;
	uint32_t target;
	uint32_t request; /* grows; 0: free */
};

struct punch {
	struct source_table *sources; /* PunchRequests per source */
	struct persecond total;
	struct networks exempt;
	struct grant grants[GRANTS_MAX];
	uint32_t last_grant;
};

const char *punch_exempt(struct worker *, const struct msg_address *);
void punch_request(
    struct worker *, const struct path *, int, const uint8_t *, size_t);
void punch_granted(struct worker *, const struct msg_granted *);

#endif /* WORKER_PUNCH_H */
