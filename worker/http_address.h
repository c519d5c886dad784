/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_HTTP_ADDRESS_H
#define WORKER_HTTP_ADDRESS_H

#include "worker/http_text.h"

/* Whom a request is for. */
int http_host_valid(struct text);
int http_target_host(struct text *target, struct text *host);

#endif /* WORKER_HTTP_ADDRESS_H */
