/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_REQUEST_H
#define METRICS_REQUEST_H

#include <stddef.h>

#define REQUEST_MAX 4096 /* bytes of a request's head */

enum request_target { TARGET_NONE, TARGET_METRICS, TARGET_PAGE };

struct request {
	int status;      /* 200, 400, 404 or 405: what to answer */
	int head;        /* boolean: no body is wanted */
	int openmetrics; /* boolean: it takes that form */
	enum request_target target;
};

int request_parse(const char *, size_t, struct request *);

#endif /* METRICS_REQUEST_H */
