/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>
#include <strings.h>

#include "metrics/request.h"

#define OPENMETRICS "application/openmetrics-text"

struct span {
	const char *at;
	size_t len;
};

static int
span_is(const struct span *span, const char *text)
{
	return (span->len == strlen(text) &&
		memcmp(span->at, text, span->len) == 0);
}

static int
span_is_nocase(const struct span *span, const char *text)
{
	return (span->len == strlen(text) &&
		strncasecmp(span->at, text, span->len) == 0);
}

/* Takes what is before `end` off `from`, or all of it, and end with it. */
static struct span
span_take(struct span *from, char end)
{
	const char *found;
	struct span span;
	size_t gone;

	span = *from;
	found = memchr(from->at, end, from->len);
	if (found != NULL)
		span.len = (size_t)(found - from->at);
	gone = span.len + (found != NULL);
	from->at += gone;
	from->len -= gone;
	return (span);
}

static struct span
span_trim(struct span span)
{
	while (span.len > 0 && (*span.at == ' ' || *span.at == '\t')) {
		span.at++;
		span.len--;
	}
	while (span.len > 0 &&
	       (span.at[span.len - 1] == ' ' || span.at[span.len - 1] == '\t'))
		span.len--;
	return (span);
}

/* "q=0", "q=0.000": what is not wanted at all. */
static int
request_is_refused(struct span parameters)
{
	struct span one;
	size_t i;

	while (parameters.len > 0) {
		one = span_trim(span_take(&parameters, ';'));
		if (one.len < 3 || strncasecmp(one.at, "q=0", 3) != 0)
			continue;
		for (i = 3; i < one.len; i++)
			if (one.at[i] != '.' && one.at[i] != '0')
				return (0);
		return (1);
	}
	return (0);
}

/* RFC 9110, section 12.5.1, as far as there is a choice. */
static int
request_takes_openmetrics(struct span value)
{
	struct span range, type;

	while (value.len > 0) {
		range = span_take(&value, ',');
		type = span_trim(span_take(&range, ';'));
		if (span_is_nocase(&type, OPENMETRICS))
			return (!request_is_refused(range));
	}
	return (0);
}

/* The first line; 0, or -1 if it is none.  *host: a Host must follow. */
static int
request_line(struct span line, struct request *req, int *host)
{
	struct span method, path, target;

	method = span_take(&line, ' ');
	target = span_take(&line, ' ');
	*host = span_is(&line, "HTTP/1.1");
	if (method.len == 0 || target.len == 0 || target.at[0] != '/' ||
	    (!*host && !span_is(&line, "HTTP/1.0")))
		return (-1);
	req->head = span_is(&method, "HEAD");
	path = span_take(&target, '?');
	if (span_is(&path, "/metrics"))
		req->target = TARGET_METRICS;
	else if (span_is(&path, "/"))
		req->target = TARGET_PAGE;
	if (!req->head && !span_is(&method, "GET"))
		req->status = 405;
	else
		req->status = req->target == TARGET_NONE ? 404 : 200;
	return (0);
}

static int
request_header(struct span line, struct request *req, int *hosts)
{
	struct span name;

	if (memchr(line.at, ':', line.len) == NULL)
		return (-1);
	name = span_take(&line, ':');
	if (name.len == 0 || memchr(name.at, ' ', name.len) != NULL ||
	    memchr(name.at, '\t', name.len) != NULL)
		return (-1);
	if (span_is_nocase(&name, "Host"))
		(*hosts)++;
	else if (span_is_nocase(&name, "Accept"))
		req->openmetrics |= request_takes_openmetrics(line);
	return (0);
}

/* The lines of a head that ends in an empty one; 0, or -1. */
static int
request_lines(struct span head, struct request *req)
{
	struct span line;
	int host, hosts;

	hosts = 0;
	line = span_take(&head, '\r');
	if (request_line(line, req, &host) == -1)
		return (-1);
	for (;;) {
		/* What is left begins with the line feed. */
		head.at++;
		head.len--;
		line = span_take(&head, '\r');
		if (line.len == 0)
			break;
		if (request_header(line, req, &hosts) == -1)
			return (-1);
	}
	return (hosts > 1 || hosts < host ? -1 : 0);
}

/* What no head has in it: other controls, half a line end. */
static int
request_is_garbage(const char *data, size_t len)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < len; i++) {
		c = (unsigned char)data[i];
		if (c == '\r'   ? i + 1 < len && data[i + 1] != '\n'
		    : c == '\n' ? i == 0 || data[i - 1] != '\r'
				: (c < ' ' && c != '\t') || c == 0x7f)
			return (1);
	}
	return (0);
}

/*
 * Reads the head of a request (RFC 9112) in the first len bytes that have come.
 * Returns 0: more is to come; 1: req says what to answer.
 */
int
request_parse(const char *data, size_t len, struct request *req)
{
	struct span head;
	const char *end;

	memset(req, 0, sizeof(*req));
	end = memmem(data, len, "\r\n\r\n", 4);
	head.at = data;
	head.len = end == NULL ? len : (size_t)(end - data) + 4;
	if (!request_is_garbage(data, head.len)) {
		if (end == NULL && len < REQUEST_MAX)
			return (0);
		if (end != NULL && request_lines(head, req) == 0)
			return (1);
	}
	memset(req, 0, sizeof(*req));
	req->status = 400;
	return (1);
}
