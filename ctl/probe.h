/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include "ctl/ctl.h"
#include "ctl/ws_client.h"

/* login.c */
int login_reply_build(const char *, size_t len, uint32_t,
    const struct node_key *, char *, size_t size);
int login(struct ws_client *, uint32_t, const struct node_key *, int64_t);

/* echo.c */
struct echo_stats {
	uint32_t sent;
	uint32_t received;
	int64_t min, max, sum; /* nanoseconds */
};

int echo_run(struct ws_client *, uint32_t node, uint32_t count, int64_t,
    struct echo_stats *);

#endif /* CTL_PROBE_H */
