/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/request.h"

#include "regress/unit/test.h"

#define HOST "Host: x\r\n"

static struct request req;

static int
parse(const char *text)
{
	return (request_parse(text, strlen(text), &req));
}

static int
status(const char *text)
{
	return (parse(text) == 0 ? 0 : req.status);
}

static void
test_targets(void)
{
	CHECK(status("GET /metrics HTTP/1.1\r\n" HOST "\r\n") == 200);
	CHECK(req.target == TARGET_METRICS && !req.head && !req.openmetrics);
	CHECK(status("HEAD / HTTP/1.1\r\n" HOST "\r\n") == 200);
	CHECK(req.target == TARGET_PAGE && req.head);
	CHECK(status("GET /?a=/metrics HTTP/1.1\r\n" HOST "\r\n") == 200);
	CHECK(req.target == TARGET_PAGE);
	CHECK(status("GET /metrics HTTP/1.0\r\n\r\n") == 200);
	CHECK(status("GET /metrics/ HTTP/1.0\r\n\r\n") == 404);
	CHECK(status("GET http://x/metrics HTTP/1.0\r\n\r\n") == 400);
	CHECK(status("DELETE / HTTP/1.0\r\n\r\n") == 405);
	CHECK(status("get / HTTP/1.0\r\n\r\n") == 405);
}

static void
test_garbage(void)
{
	CHECK(status("\r\n\r\n") == 400);
	CHECK(status("GET\r\n\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\r\n\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\r\n" HOST HOST "\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\r\nHost : x\r\n\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\r\n" HOST " more\r\n\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\r\n" HOST "none\r\n\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\r\n" HOST ": none\r\n\r\n") == 400);
	CHECK(status("GET / HTTP/1.1 \r\n" HOST "\r\n") == 400);
	CHECK(status("GET / HTTP/1.1\n") == 400);
	CHECK(status("GET / \r") == 0);
	CHECK(status("GET / \rx") == 400);
	CHECK(status("\x7f") == 400);
	CHECK(request_parse("G\0", 2, &req) == 1 && req.status == 400);
}

/* Byte by byte it is the same; and without an end there is one. */
static void
test_parts(void)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\nrest";
	char large[REQUEST_MAX];
	size_t i, len;

	len = strlen(text) - 4;
	for (i = 0; i < len; i++)
		CHECK(request_parse(text, i, &req) == 0);
	for (; i <= strlen(text); i++)
		CHECK(request_parse(text, i, &req) == 1 && req.status == 200);
	memset(large, 'a', sizeof(large));
	CHECK(request_parse(large, sizeof(large) - 1, &req) == 0);
	CHECK(request_parse(large, sizeof(large), &req) == 1);
	CHECK(req.status == 400);
}

static int
open_form(const char *accept)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
	    "GET /metrics HTTP/1.1\r\n" HOST "%s\r\n\r\n", accept);
	return (status(text) == 200 ? req.openmetrics : -1);
}

static void
test_accept(void)
{
	CHECK(open_form("Accept: application/openmetrics-text") == 1);
	CHECK(open_form("ACCEPT:text/html, Application/OpenMetrics-Text ; "
			"version=1.0.0;q=0.5") == 1);
	CHECK(open_form("Accept: application/openmetrics-text;q=0") == 0);
	CHECK(open_form("Accept: application/openmetrics-text; q=0.00") == 0);
	CHECK(open_form("Accept: application/openmetrics-text;q=0.01") == 1);
	CHECK(open_form("Accept: application/openmetrics-texts") == 0);
	CHECK(open_form("Accept: */*") == 0);
	CHECK(open_form("Accept:") == 0);
	CHECK(open_form("X-Accept: application/openmetrics-text") == 0);
}

int
main(void)
{
	RUN(test_targets);
	RUN(test_garbage);
	RUN(test_parts);
	RUN(test_accept);
	return (test_failed());
}
