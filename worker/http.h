/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_HTTP_H
#define WORKER_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "common/ws_accept.h"
#include "worker/http_forwarded.h"

/* The head of the one request of a connection, doc/protocol.md 1. */
#define HTTP_HEAD_MAX     16384
#define HTTP_LINE_MAX     8000 /* of the request line, without its CRLF */
#define HTTP_FIELDS_MAX   100
#define HTTP_RESPONSE_MAX 512 /* bytes of the largest response */

struct http_request {
	/*
	 * What the request deserves as far as it goes by itself: 101, 200 (on
	 * /health), 400, 403, 404, 405, 414, 426 or 431.
	 */
	int status;
	/*
	 * Bytes up to and with the blank line; what follows them is WebSocket
	 * frames.  0 if the head is malformed or too large.
	 */
	size_t head_len;
	int head_only; /* HEAD: no body in the response */
	int health;    /* for /health: 200 and 503 have no body */
	int upgrade;   /* asks for a WebSocket at /v1/compat, well or not */
	int probe;     /* of liveness: /health, or a GET of /v1/compat */
	int pilot_v1;  /* subprotocol pilot.v1 is offered */
	/* With 101: Sec-WebSocket-Accept. */
	char accept[WS_ACCEPT_LEN];
	const char *allow; /* with 405: what is allowed */
	struct forwarded
	    forwarded[FORWARDED_KINDS]; /* in the request's bytes */
};

/* The date as answers have it, made once a second. */
struct http_date {
	uint64_t second; /* unix seconds */
	char text[40];
};

int http_request_parse(const uint8_t *, size_t, struct http_request *);
const char *http_date(struct http_date *, uint64_t);
size_t http_response_build(
    char *, size_t, int, const struct http_request *, const char *);

#endif /* WORKER_HTTP_H */
