/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_HTTP_FORWARDED_H
#define WORKER_HTTP_FORWARDED_H

#include <stdint.h>

#include "worker/http_text.h"

struct networks;

/* The field in which proxies say whom they speak for. */
enum forwarded_kind {
	FORWARDED_FOR, /* X-Forwarded-For */
	FORWARDED,     /* Forwarded, RFC 7239 */
	FORWARDED_KINDS
};

/* A head's lines of one of them.  Of more than these the last are kept. */
#define FORWARDED_LINES 4

struct forwarded {
	struct text lines[FORWARDED_LINES]; /* line i at i % FORWARDED_LINES */
	uint32_t n;                         /* that there were */
};

void http_forwarded_add(struct forwarded *, struct text);
int http_forwarded(const struct forwarded *, enum forwarded_kind,
    const struct networks *, uint8_t[16]);

#endif /* WORKER_HTTP_FORWARDED_H */
