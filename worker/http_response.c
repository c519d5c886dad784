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
	{ 414, "URI Too Long", "", "request line too long\n" },
	{ 426, "Upgrade Required",
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
	    "upgrade required\n" },
	{ 429, "Too Many Requests", "", "too many requests\n" },
	{ 431, "Request Header Fields Too Large", "", "head too large\n" },
	{ 503, "Service Unavailable", "", "wss: at capacity" },
	{ 500, "Internal Server Error", "", "" } /* last: for all others */
};

static uint64_t
year_days(unsigned int year)
{
	if (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return (366);
	return (365);
}

static uint64_t
month_days(unsigned int month, unsigned int year)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };

	return (days[month] + (month == 1 && year_days(year) == 366));
}

/*
 * The date of an answer (IMF-fixdate, RFC 9110 section 5.6.7) for unix seconds.
 * libc's own functions look for a time zone's file first, which no worker can
 * open.  date keeps the text for the rest of that second.
 */
const char *
http_date(struct http_date *date, uint64_t now)
{
	static const char *const weekdays[] = { "Thu", "Fri", "Sat", "Sun",
		"Mon", "Tue", "Wed" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	unsigned int month, second, year;
	uint64_t day;

	if (date->second == now && date->text[0] != '\0')
		return (date->text);
	date->second = now;
	second = now % 86400;
	day = now / 86400;
	for (year = 1970; day >= year_days(year); year++)
		day -= year_days(year);
	for (month = 0; day >= month_days(month, year); month++)
		day -= month_days(month, year);
	snprintf(date->text, sizeof(date->text),
	    "%s, %02u %s %04u %02u:%02u:%02u GMT", weekdays[now / 86400 % 7],
	    (unsigned int)day + 1, months[month], year, second / 3600,
	    second / 60 % 60, second % 60);
	return (date->text);
}

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
 * date is of http_date(); 101 alone has none.  After everything but 101 the
 * connection is to be closed.
 */
size_t
http_response_build(char *buf, size_t size, int status,
    const struct http_request *req, const char *date)
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
	    "Date: %s\r\n"
	    "%s%s"
	    "Connection: %sclose\r\n"
	    "%s"
	    "Content-Length: %zu\r\n"
	    "\r\n"
	    "%s",
	    r->status, r->reason, date, r->fields, allow,
	    status == 426 ? "Upgrade, " : "",
	    body[0] != '\0' ? "Content-Type: text/plain\r\n" : "", strlen(body),
	    req->head_only ? "" : body));
}
