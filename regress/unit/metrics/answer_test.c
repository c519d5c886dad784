/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "metrics/out.h"
#include "metrics/page.h"
#include "metrics/text.h"
#include "regress/unit/metrics/parts.h"

static size_t body_len = 4; /* of what is written below */

static void
body(struct out *out, char byte)
{
	size_t i;

	for (i = 0; i < body_len; i++)
		out_printf(out, "%c", byte);
}

void
page_write(
    struct out *out, const struct sums_data *data, const struct ring *ring)
{
	body(out, 'p');
}

void
text_write(struct out *out, const struct sums_data *data, int openmetrics)
{
	body(out, openmetrics ? 'o' : 't');
}

static struct request req;
static char *text;
static size_t len;

/* The whole of an answer, NUL-terminated; "" for none. */
static const char *
answered(int status, enum request_target target)
{
	static char copy[RESPONSE_MAX + 1000];

	req.status = status;
	req.target = target;
	free(text);
	text = answer(&m, &req, &len);
	if (text == NULL)
		return ("");
	memcpy(copy, text, len);
	copy[len] = '\0';
	return (copy);
}

static int
begins(const char *s, const char *with)
{
	return (strncmp(s, with, strlen(with)) == 0);
}

static int
ends(const char *s, const char *with)
{
	return (strlen(s) >= strlen(with) &&
		strcmp(s + strlen(s) - strlen(with), with) == 0);
}

static void
test_what_was_asked_for(void)
{
	const char *s;
	uint64_t ok;

	ok = COUNTED(HTTP_OK);
	s = answered(200, TARGET_METRICS);
	CHECK(begins(s, "HTTP/1.1 200 OK\r\nContent-Type: " TEXT_TYPE "\r\n"));
	CHECK(ends(s, "\r\n\r\ntttt"));
	CHECK(strstr(s, "\r\nContent-Length: 4\r\n") != NULL);
	req.openmetrics = 1;
	s = answered(200, TARGET_METRICS);
	CHECK(ends(s, "oooo") && strstr(s, TEXT_TYPE_OPEN) != NULL);
	req.openmetrics = 0;
	s = answered(200, TARGET_PAGE);
	CHECK(ends(s, "pppp") && strstr(s, PAGE_TYPE) != NULL);
	CHECK(strstr(s, "\r\nConnection: close\r\n") != NULL);
	CHECK(COUNTED(HTTP_OK) == ok + 3);
}

/* HEAD: the same head, its length too, and nothing behind it. */
static void
test_without_a_body(void)
{
	const char *s;

	req.head = 1;
	s = answered(200, TARGET_METRICS);
	CHECK(strstr(s, "\r\nContent-Length: 4\r\n") != NULL);
	CHECK(ends(s, "\r\n\r\n"));
	req.head = 0;
}

static void
test_what_is_refused(void)
{
	const char *s;
	uint64_t bad;

	bad = COUNTED(HTTP_BAD);
	s = answered(404, TARGET_NONE);
	CHECK(begins(s, "HTTP/1.1 404 Not Found\r\n"));
	CHECK(ends(s, "\r\n\r\n404 Not Found\n"));
	CHECK(strstr(s, "Allow:") == NULL);
	s = answered(405, TARGET_NONE);
	CHECK(strstr(s, "\r\nAllow: GET, HEAD\r\n") != NULL);
	s = answered(400, TARGET_NONE);
	CHECK(begins(s, "HTTP/1.1 400 Bad Request\r\n"));
	CHECK(COUNTED(HTTP_BAD) == bad + 3);
}

static void
test_nothing_to_tell_yet(void)
{
	parts_sums.seq = 0;
	CHECK(begins(answered(200, TARGET_PAGE), "HTTP/1.1 503 "));
	CHECK(begins(answered(404, TARGET_NONE), "HTTP/1.1 404 "));
	parts_tell(1);
	CHECK(begins(answered(200, TARGET_PAGE), "HTTP/1.1 200 "));
}

/* Half of a page would be a page that lies. */
static void
test_more_than_has_room(void)
{
	const char *s;

	body_len = RESPONSE_MAX - 1;
	s = answered(200, TARGET_METRICS);
	CHECK(begins(s, "HTTP/1.1 200 ") && ends(s, "ttt"));
	body_len = RESPONSE_MAX;
	s = answered(200, TARGET_METRICS);
	CHECK(begins(s, "HTTP/1.1 503 "));
	CHECK(ends(s, "\r\n\r\n503 Service Unavailable\n"));
	body_len = 4;
}

int
main(void)
{
	parts_tell(1);
	RUN(test_what_was_asked_for);
	RUN(test_without_a_body);
	RUN(test_what_is_refused);
	RUN(test_nothing_to_tell_yet);
	RUN(test_more_than_has_room);
	return (test_failed());
}
