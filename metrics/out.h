/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_OUT_H
#define METRICS_OUT_H

#include <stddef.h>

/* Text that is put together in memory of the caller's. */
struct out {
	char *data;
	size_t size;
	size_t len;
	int full; /* boolean: there was no room for all of it */
};

void out_printf(struct out *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* METRICS_OUT_H */
