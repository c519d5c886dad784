/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"
#include "metrics/out.h"
#include "metrics/page.h"
#include "metrics/text.h"

#define ANSWER_HEAD_MAX 512

struct answer_status {
	int status;
	const char *reason;
};

static const struct answer_status answer_statuses[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 503, "Service Unavailable" },
};

static const char *
answer_reason(int status)
{
	size_t i;

	for (i = 0; i < sizeof(answer_statuses) / sizeof(answer_statuses[0]);
	     i++)
		if (answer_statuses[i].status == status)
			return (answer_statuses[i].reason);
	return ("?");
}

/* What was asked for; returns the type of the content. */
static const char *
answer_page(const struct metrics *m, const struct request *req,
    struct out *body, const struct sums_data *data)
{
	if (req->target == TARGET_PAGE) {
		page_write(body, data, &m->ring);
		return (PAGE_TYPE);
	}
	text_write(body, data, req->openmetrics);
	return (req->openmetrics ? TEXT_TYPE_OPEN : TEXT_TYPE);
}

/* Fills in the body; returns the status, *type is that of the content. */
static int
answer_body(const struct metrics *m, const struct request *req,
    struct out *body, const char **type)
{
	static struct sums_data data;
	int status;

	status = req->status;
	if (status == 200 && sums_read(m->sums, &data) == -1)
		status = 503;
	if (status == 200) {
		*type = answer_page(m, req, body, &data);
		if (!body->full)
			return (200);
		status = 503;
	}
	*type = "text/plain; charset=utf-8";
	body->full = 0;
	body->len = 0;
	out_printf(body, "%d %s\n", status, answer_reason(status));
	return (status);
}

/*
 * The whole response to a request, *len bytes, the caller's to free; NULL: no
 * memory.
 */
char *
answer(const struct metrics *m, const struct request *req, size_t *len)
{
	static char buf[RESPONSE_MAX];
	struct out body, head;
	const char *type;
	int status;

	body = (struct out){ buf, sizeof(buf), 0, 0 };
	status = answer_body(m, req, &body, &type);
	counters_add(status == 200 ? COUNTER_HTTP_OK : COUNTER_HTTP_BAD, 1);
	head.data = malloc(ANSWER_HEAD_MAX + body.len);
	if (head.data == NULL)
		return (NULL);
	head.size = ANSWER_HEAD_MAX;
	head.len = 0;
	head.full = 0;
	out_printf(&head,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Content-Security-Policy: default-src 'none'; "
	    "style-src 'unsafe-inline'\r\n"
	    "Connection: close\r\n\r\n",
	    status, answer_reason(status), type, body.len,
	    status == 405 ? "Allow: GET, HEAD\r\n" : "");
	*len = head.len;
	if (req->head)
		return (head.data);
	memcpy(head.data + head.len, buf, body.len);
	*len += body.len;
	return (head.data);
}
