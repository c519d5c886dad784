/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "common/ws_accept.h"
#include "worker/http.h"
#include "worker/http_address.h"

/* RFC 6455 section 1.3. */
#define KEY_LEN 16

enum field {
	CONNECTION,
	CONTENT_LENGTH,
	FORWARDS,
	FORWARDS_FOR,
	HOST,
	ORIGIN,
	KEY,
	PROTOCOL,
	VERSION,
	TRANSFER_ENCODING,
	UPGRADE,
	FIELDS
};

/* A field that may stand only once makes the request bad when it repeats. */
static const struct {
	const char *name;
	size_t len;
	int once;
} known[FIELDS] = {
#define NAME(s) s, sizeof(s) - 1
	[CONNECTION] = { NAME("Connection"), 0 },
	[CONTENT_LENGTH] = { NAME("Content-Length"), 1 },
	[FORWARDS] = { NAME("Forwarded"), 0 },
	[FORWARDS_FOR] = { NAME("X-Forwarded-For"), 0 },
	[HOST] = { NAME("Host"), 1 },
	[ORIGIN] = { NAME("Origin"), 1 },
	[KEY] = { NAME("Sec-WebSocket-Key"), 1 },
	[PROTOCOL] = { NAME("Sec-WebSocket-Protocol"), 0 },
	[VERSION] = { NAME("Sec-WebSocket-Version"), 1 },
	[TRANSFER_ENCODING] = { NAME("Transfer-Encoding"), 0 },
	[UPGRADE] = { NAME("Upgrade"), 0 },
#undef NAME
};

struct head {
	struct text method;
	struct text path;
	struct text
	    host;  /* of the target, in absolute-form; else of the field */
	int minor; /* of HTTP/1.x: 0, or 1 also for more */
	struct text value[FIELDS]; /* the last, of those that repeat */
	int seen[FIELDS];
	int connection_upgrade;
	int websocket;
	int pilot_v1;
	int body;
	int chunked;                 /* by the last transfer coding so far */
	struct forwarded *forwarded; /* by kind */
	int bad;                     /* well-formed, but 400 all the same */
};

/* Is the token in this list, spelt like that or (nocase) in any case? */
static int
list_has(struct text list, const char *token, size_t len, int nocase)
{
	struct text item;

	while (list.len > 0) {
		item = text_trim(text_take_until(&list, ','));
		if (nocase ? text_equals_nocase(item, token, len)
			   : text_equals(item, token, len))
			return (1);
	}
	return (0);
}

#define LIST_HAS(list, token, nocase) \
	list_has((list), (token), sizeof(token) - 1, (nocase))

/*
 * Take a line and its CRLF from the front of *rest.  Returns 1, 0 if it is not
 * all there yet, -1 if it has a control character or another line end.  *line
 * is what there is of it in each case.
 */
static int
take_line(struct text *rest, struct text *line)
{
	size_t n;

	n = text_printable(*rest);
	line->p = rest->p;
	line->len = n;
	if (n < rest->len && rest->p[n] != '\r')
		return (-1);
	if (rest->len - n < 2)
		return (0);
	if (rest->p[n + 1] != '\n')
		return (-1);
	rest->p += n + 2;
	rest->len -= n + 2;
	return (1);
}

/*
 * RFC 9112 section 3.  Targets that are neither a path nor in absolute-form are
 * let through here: they equal no path that is served.  Returns 0 or -1.
 */
static int
parse_request_line(struct text line, struct head *head)
{
	struct text target;

	head->method = text_take_until(&line, ' ');
	if (head->method.len == 0 ||
	    text_span(head->method, text_is_token) != head->method.len)
		return (-1);
	target = text_take_until(&line, ' ');
	if (target.len == 0 || text_span(target, text_is_graph) != target.len ||
	    http_target_host(&target, &head->host) == -1)
		return (-1);
	head->path = text_take_until(&target, '?');
	if (line.len != 8 || memcmp(line.p, "HTTP/1.", 7) != 0 ||
	    !text_is_digit(line.p[7]))
		return (-1);
	head->minor = line.p[7] != '0';
	return (0);
}

static int
is_zero(uint8_t c)
{
	return (c == '0');
}

/* Only the chunked coding, as the last, tells where a body ends. */
static void
take_codings(struct head *head, struct text list)
{
	struct text coding;

	while (list.len > 0) {
		coding = text_trim(text_take_until(&list, ','));
		if (coding.len > 0)
			head->chunked =
			    text_equals_nocase(coding, "chunked", 7);
	}
}

static void
take_field(struct head *head, enum field field, struct text value)
{
	if (head->seen[field] && known[field].once)
		head->bad = 1;
	head->seen[field] = 1;
	head->value[field] = value;
	switch (field) {
	case CONNECTION:
		head->connection_upgrade |= LIST_HAS(value, "upgrade", 1);
		break;
	case UPGRADE:
		head->websocket |= LIST_HAS(value, "websocket", 1);
		break;
	case PROTOCOL:
		head->pilot_v1 |= LIST_HAS(value, "pilot.v1", 0);
		break;
	case FORWARDS:
		http_forwarded_add(&head->forwarded[FORWARDED], value);
		break;
	case FORWARDS_FOR:
		http_forwarded_add(&head->forwarded[FORWARDED_FOR], value);
		break;
	case CONTENT_LENGTH:
		head->bad |= value.len == 0 ||
			     text_span(value, text_is_digit) != value.len;
		head->body |= text_span(value, is_zero) != value.len;
		break;
	case TRANSFER_ENCODING:
		head->body = 1;
		take_codings(head, value);
		break;
	case HOST:
		/* Empty where the target has no host: RFC 9112 section 3.2. */
		head->bad |= value.len > 0 && !http_host_valid(value);
		if (head->host.len == 0)
			head->host = value;
		break;
	default:
		break;
	}
}

/* RFC 9112 section 5; a folded line begins with no token.  Returns 0 or -1. */
static int
parse_field(struct text line, struct head *head)
{
	struct text name, value;
	int field;

	name = line;
	name.len = text_span(line, text_is_token);
	if (name.len == 0 || name.len == line.len || line.p[name.len] != ':')
		return (-1);
	value.p = line.p + name.len + 1;
	value.len = line.len - name.len - 1;
	for (field = 0; field < FIELDS; field++)
		if (text_equals_nocase(
			name, known[field].name, known[field].len))
			take_field(head, field, text_trim(value));
	return (0);
}

/*
 * The request line, after an empty one perhaps (RFC 9112 section 2.2).  Returns
 * as parse_head() does.
 */
static int
parse_first_line(struct text *rest, struct head *head)
{
	struct text line;
	int got;

	got = take_line(rest, &line);
	if (got == 1 && line.len == 0)
		got = take_line(rest, &line);
	if (line.len > HTTP_LINE_MAX)
		return (414);
	if (got == -1 || (got == 1 && parse_request_line(line, head) == -1))
		return (400);
	return (got == 1 ? 200 : 0);
}

/*
 * Read a head from *rest, and leave there what follows it.  Returns the status
 * that it fails with, 200 if it is whole, 0 if more bytes are needed.
 */
static int
parse_head(struct text *rest, struct head *head)
{
	struct text line;
	int got, n, status;

	status = parse_first_line(rest, head);
	if (status != 200)
		return (status);
	for (n = 0; n <= HTTP_FIELDS_MAX; n++) {
		got = take_line(rest, &line);
		if (got == 0)
			return (0);
		if (got == 1 && line.len == 0)
			return (200);
		if (got == -1 || parse_field(line, head) == -1)
			return (400);
	}
	return (431);
}

/* Fill in accept; returns -1 if the client's key is none. */
static int
accept_key(struct text key, struct http_request *req)
{
	uint8_t nonce[KEY_LEN];
	size_t len;

	if (sodium_base642bin(nonce, sizeof(nonce), (const char *)key.p,
		key.len, NULL, &len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != sizeof(nonce))
		return (-1);
	ws_accept((const char *)key.p, key.len, req->accept);
	return (0);
}

/* A browser's page of another site, as coder/websocket tells it. */
static int
origin_is_foreign(const struct head *head)
{
	struct text host, origin, scheme;

	origin = head->value[ORIGIN];
	if (origin.len == 0)
		return (0);
	scheme = text_take_until(&origin, ':');
	if (text_equals_nocase(scheme, "pilot", 5))
		return (0);
	if (origin.len < 2 || memcmp(origin.p, "//", 2) != 0)
		return (1);
	origin.p += 2;
	origin.len -= 2;
	host = text_take_until(&origin, '/');
	return (!text_equals_nocase(
	    host, (const char *)head->host.p, head->host.len));
}

static int
judge_upgrade(const struct head *head, struct http_request *req)
{
	if (!TEXT_IS(head->value[VERSION], "13"))
		return (426);
	if (head->minor < 1 || head->body ||
	    accept_key(head->value[KEY], req) == -1)
		return (400);
	if (origin_is_foreign(head))
		return (403);
	return (101);
}

/* What the request deserves, in the order of doc/protocol.md 1. */
static int
judge(const struct head *head, struct http_request *req)
{
	int compat, get;

	compat = TEXT_IS(head->path, "/v1/compat");
	get = TEXT_IS(head->method, "GET");
	req->head_only = TEXT_IS(head->method, "HEAD");
	req->health = TEXT_IS(head->path, "/health");
	req->upgrade =
	    compat && get && head->connection_upgrade && head->websocket;
	req->pilot_v1 = head->pilot_v1;
	if (head->bad || (head->minor == 1 && !head->seen[HOST]))
		return (400);
	/* Where its end is, is not certain: RFC 9112 section 6.1 and 6.3. */
	if (head->seen[TRANSFER_ENCODING] &&
	    (head->minor == 0 || head->seen[CONTENT_LENGTH] || !head->chunked))
		return (400);
	if (!compat && !req->health)
		return (404);
	if (!get && !(req->health && req->head_only)) {
		req->allow = compat ? "GET" : "GET, HEAD";
		return (405);
	}
	if (req->upgrade)
		return (judge_upgrade(head, req));
	req->probe = 1;
	return (req->health ? 200 : 426);
}

/*
 * Read the head of a request from the len bytes at buf, all that has come on
 * the connection so far.  Returns 0 if more are needed, else 1 with *req
 * filled in; what is malformed or too large gets there as soon as it shows.
 */
int
http_request_parse(const uint8_t *buf, size_t len, struct http_request *req)
{
	struct head head;
	struct text rest;

	memset(req, 0, sizeof(*req));
	memset(&head, 0, sizeof(head));
	head.forwarded = req->forwarded;
	rest.p = buf;
	rest.len = MIN(len, HTTP_HEAD_MAX);
	req->status = parse_head(&rest, &head);
	if (req->status == 0 && len >= HTTP_HEAD_MAX)
		req->status = 431;
	if (req->status == 200) {
		req->head_len = rest.p - buf;
		req->status = judge(&head, req);
	}
	return (req->status != 0);
}
