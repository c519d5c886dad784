/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_HTTP_ADDRESS_H
#define WORKER_HTTP_ADDRESS_H

#include "worker/http_text.h"

/* Whom a request is for, and from whom it is. */
int http_host_valid(struct text);
int http_target_host(struct text *target, struct text *host);
int http_forwarded(struct text, uint8_t[16]);

#endif /* WORKER_HTTP_ADDRESS_H */
