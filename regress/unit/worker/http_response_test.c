/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "regress/unit/test.h"
#include "worker/http.h"

/* The key and its answer of RFC 6455 section 1.3. */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE(more)                   \
	"GET /v1/compat HTTP/1.1\r\n"   \
	"Host: a.example\r\n"           \
	"Upgrade: websocket\r\n"        \
	"Connection: Upgrade\r\n"       \
	"Sec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"
#define DATE        "Sun, 06 Nov 1994 08:49:37 GMT"
#define PLAIN(line) line " HTTP/1.1\r\nHost: a.example\r\n\r\n"

static char response[HTTP_RESPONSE_MAX];

/*
 * The response to a head, with the status that it deserves if none is given;
 * 0 if its size is not what is returned.
 */
static int
respond(const char *head, int status)
{
	struct http_request req;
	size_t len;

	if (http_request_parse((const uint8_t *)head, strlen(head), &req) != 1)
		return (0);
	memset(response, 0, sizeof(response));
	len = http_response_build(response, sizeof(response),
	    status != 0 ? status : req.status, &req, DATE);
	return (len < sizeof(response) && len == strlen(response));
}

static void
switching_protocols(void)
{
	CHECK(respond(UPGRADE(""), 0));
	CHECK(
	    strcmp(response, "HTTP/1.1 101 Switching Protocols\r\n"
			     "Upgrade: websocket\r\n"
			     "Connection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n") == 0);
}

static void
subprotocol(void)
{
	CHECK(respond(UPGRADE("Sec-WebSocket-Protocol: pilot.v1\r\n"), 0));
	CHECK(
	    strcmp(response, "HTTP/1.1 101 Switching Protocols\r\n"
			     "Upgrade: websocket\r\n"
			     "Connection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: " ACCEPT "\r\n"
			     "Sec-WebSocket-Protocol: pilot.v1\r\n\r\n") == 0);
}

static void
upgrade_required(void)
{
	CHECK(respond(PLAIN("GET /v1/compat"), 0));
	CHECK(strcmp(response, "HTTP/1.1 426 Upgrade Required\r\n"
			       "Date: " DATE "\r\n"
			       "Upgrade: websocket\r\n"
			       "Sec-WebSocket-Version: 13\r\n"
			       "Connection: Upgrade, close\r\n"
			       "Content-Type: text/plain\r\n"
			       "Content-Length: 17\r\n\r\n"
			       "upgrade required\n") == 0);
}

static void
health(void)
{
	CHECK(respond(PLAIN("GET /health"), 0));
	CHECK(strcmp(response, "HTTP/1.1 200 OK\r\n"
			       "Date: " DATE "\r\n"
			       "Connection: close\r\n"
			       "Content-Length: 0\r\n\r\n") == 0);
	CHECK(respond(PLAIN("HEAD /health"), 503));
	CHECK(strcmp(response, "HTTP/1.1 503 Service Unavailable\r\n"
			       "Date: " DATE "\r\n"
			       "Connection: close\r\n"
			       "Content-Length: 0\r\n\r\n") == 0);
}

static void
at_capacity(void)
{
	CHECK(respond(UPGRADE(""), 503));
	CHECK(strcmp(response, "HTTP/1.1 503 Service Unavailable\r\n"
			       "Date: " DATE "\r\n"
			       "Connection: close\r\n"
			       "Content-Type: text/plain\r\n"
			       "Content-Length: 16\r\n\r\n"
			       "wss: at capacity") == 0);
}

static void
method_not_allowed(void)
{
	CHECK(respond(PLAIN("POST /v1/compat"), 0));
	CHECK(strncmp(response, "HTTP/1.1 405 ", 13) == 0);
	CHECK(strstr(response, "\r\nAllow: GET\r\n") != NULL);
	CHECK(respond(PLAIN("PUT /health"), 0));
	CHECK(strstr(response, "\r\nAllow: GET, HEAD\r\n") != NULL);
	CHECK(strstr(response, "\r\n\r\nmethod not allowed\n") != NULL);
}

/* The length of the body that a GET would get, but no body. */
static void
head(void)
{
	CHECK(respond(PLAIN("HEAD /v1/compat"), 0));
	CHECK(strstr(response, "\r\nContent-Length: 19\r\n\r\n") != NULL);
	CHECK(strcmp(strstr(response, "\r\n\r\n"), "\r\n\r\n") == 0);
}

static void
others(void)
{
	static const struct {
		int status;
		const char *line;
	} rows[] = {
		{ 400, "HTTP/1.1 400 Bad Request\r\n" },
		{ 403, "HTTP/1.1 403 Forbidden\r\n" },
		{ 404, "HTTP/1.1 404 Not Found\r\n" },
		{ 408, "HTTP/1.1 408 Request Timeout\r\n" },
		{ 414, "HTTP/1.1 414 URI Too Long\r\n" },
		{ 429, "HTTP/1.1 429 Too Many Requests\r\n" },
		{ 431, "HTTP/1.1 431 Request Header Fields Too Large\r\n" },
		{ 599, "HTTP/1.1 500 Internal Server Error\r\n" },
	};
	const char *end, *length;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(respond(UPGRADE(""), rows[i].status));
		CHECK(
		    strncmp(response, rows[i].line, strlen(rows[i].line)) == 0);
		CHECK(strstr(response, "\r\nConnection: close\r\n") != NULL);
		CHECK(strstr(response, "\r\nDate: " DATE "\r\n") != NULL);
		CHECK(strstr(response, "Upgrade:") == NULL);
		length = strstr(response, "\r\nContent-Length: ");
		end = strstr(response, "\r\n\r\n");
		CHECK(length != NULL && end != NULL);
		CHECK(strtoul(length + 18, NULL, 10) == strlen(end + 4));
	}
}

/* As libc has it, every few hours of two centuries. */
static void
date(void)
{
	struct http_date made;
	char want[64];
	struct tm tm;
	time_t t;

	memset(&made, 0, sizeof(made));
	CHECK(strcmp(http_date(&made, 784111777), DATE) == 0);
	CHECK(strcmp(http_date(&made, 784111777), DATE) == 0);
	for (t = 0; t < 200 * 366 * (time_t)86400; t += 86400 / 5 + 1) {
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT",
		    gmtime_r(&t, &tm));
		CHECK(strcmp(http_date(&made, (uint64_t)t), want) == 0);
	}
	CHECK(
	    strcmp(http_date(&made, 0), "Thu, 01 Jan 1970 00:00:00 GMT") == 0);
}

int
main(void)
{
	RUN(date);
	RUN(switching_protocols);
	RUN(subprotocol);
	RUN(upgrade_required);
	RUN(health);
	RUN(at_capacity);
	RUN(method_not_allowed);
	RUN(head);
	RUN(others);
	return (test_failed());
}
