/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_BENCH_BARE_H
#define REGRESS_BENCH_BARE_H

/* What the bare servers, beacond's floors, have in common. */

#define BARE_EVENTS 1024

int bare_listener(const char *);
int bare_epoll(int);

#endif /* REGRESS_BENCH_BARE_H */
