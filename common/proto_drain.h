/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_PROTO_DRAIN_H
#define COMMON_PROTO_DRAIN_H

#include "common/proto.h"

/* PW_DRAIN: how far the beacon is with doing without its peers. */
enum drain_phase {
	DRAIN_NOT,
	DRAIN_UNHEALTHY, /* /health says so, and all else goes on */
	DRAIN_CLOSING    /* nobody new; who is there is closed in `seconds` */
};

#define DRAIN_SECONDS_MAX 86400
#define DRAIN_GOODBYE     "beacon shutting down" /* doc/protocol.md 2 */

struct msg_drain {
	uint32_t phase; /* enum drain_phase */
	uint32_t seconds;
};
PROTO_STRUCT(msg_drain, 8);

#endif /* COMMON_PROTO_DRAIN_H */
