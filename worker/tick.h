/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_TICK_H
#define WORKER_TICK_H

#include <stdint.h>

#define TICK_MS        250
#define TICKS(seconds) ((uint32_t)(seconds) * (1000 / TICK_MS))
#define CLOSE_TICKS    TICKS(3) /* for the other side of a close */
#define PROXY_TICKS    TICKS(3) /* for the header of a proxy */
#define QUIET_TICKS    2        /* without a byte, where none counts any more */
#define LINGER_TICKS   TICKS(1) /* for the EOF after an HTTP answer */
#define STRANGER_TICKS TICKS(1) /* to log in, before a newer one is preferred */

/* Ticks go round. */
static inline int
tick_before(uint32_t a, uint32_t b)
{
	return ((int32_t)(a - b) < 0);
}

#endif /* WORKER_TICK_H */
