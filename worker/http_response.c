/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <string.h>

#include "worker/http.h"

static const struct response {
	int status;
	const char *reason;
	const char *fields;
	const char *body;
} responses[] = {
	{ 200, "OK", "", "" }, /* of /health: empty */
	{ 400, "Bad Request", "", "bad request\n" },
	{ 403, "Forbidden", "", "foreign origin\n" },
	{ 404, "Not Found", "", "not found\n" },
	{ 405, "Method Not Allowed", "", "method not allowed\n" },
	{ 408, "Request Timeout", "", "request timeout\n" },
	{ 426, "Upgrade Required",
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
	    "upgrade required\n" },
	{ 429, "Too Many Requests", "", "too many requests\n" },
	{ 431, "Request Header Fields Too Large", "", "head too large\n" },
	{ 503, "Service Unavailable", "", "wss: at capacity" },
	{ 500, "Internal Server Error", "", "" } /* last: for all others */
};

static const struct response *
response_find(int status)
{
	const struct response *r;

	for (r = responses; r->status != status && r->status != 500; r++)
		;
	return (r);
}

static int
response_101(char *buf, size_t size, const struct http_request *req)
{
	return (snprintf(buf, size,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n"
	    "%s\r\n",
	    req->accept,
	    req->pilot_v1 ? "Sec-WebSocket-Protocol: pilot.v1\r\n" : ""));
}

/*
 * Write the whole response to buf, of at least HTTP_RESPONSE_MAX bytes, and
 * return its size.  status is the request's own, or 408, 429 or 503 where the
 * caller knows better (503 with the body for /v1/compat, without for /health).
 * After everything but 101 the connection is to be closed.
 */
size_t
http_response_build(
    char *buf, size_t size, int status, const struct http_request *req)
{
	const struct response *r;
	const char *body;
	char allow[32];

	if (status == 101)
		return (response_101(buf, size, req));
	r = response_find(status);
	body = req->health && (status == 200 || status == 503) ? "" : r->body;
	allow[0] = '\0';
	if (status == 405)
		snprintf(allow, sizeof(allow), "Allow: %s\r\n", req->allow);
	return (snprintf(buf, size,
	    "HTTP/1.1 %d %s\r\n"
	    "%s%s"
	    "Connection: %sclose\r\n"
	    "%s"
	    "Content-Length: %zu\r\n"
	    "\r\n"
	    "%s",
	    r->status, r->reason, r->fields, allow,
	    status == 426 ? "Upgrade, " : "",
	    body[0] != '\0' ? "Content-Type: text/plain\r\n" : "", strlen(body),
	    req->head_only ? "" : body));
}
