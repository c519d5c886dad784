/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_CTL_PROBE_H
#define PARENT_CTL_PROBE_H

#include "parent/ctl/ctl.h"
#include "parent/ctl/ws_client.h"

/* login.c */
int login_reply_build(
    const char *, size_t, uint32_t, const struct node_key *, char *, size_t);
int login(struct ws_client *, uint32_t, const struct node_key *, int64_t);

/* echo.c */
struct echo_stats {
	uint32_t sent;
	uint32_t received;
	int64_t min, max, sum; /* nanoseconds */
};

int echo_run(
    struct ws_client *, uint32_t, uint32_t, int64_t, struct echo_stats *);

#endif /* PARENT_CTL_PROBE_H */
