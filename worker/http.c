/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <sha1.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "worker/http.h"

/* RFC 6455 section 1.3. */
#define GUID    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN 16

/* Bytes of the head, in place. */
struct text {
	const uint8_t *p;
	size_t len;
};

enum field {
	CONNECTION,
	CONTENT_LENGTH,
	FORWARDED_FOR,
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
	[FORWARDED_FOR] = { NAME("X-Forwarded-For"), 0 },
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
	int minor;                 /* of HTTP/1.x */
	struct text value[FIELDS]; /* the last, of those that repeat */
	int seen[FIELDS];
	int connection_upgrade;
	int websocket;
	int pilot_v1;
	int body;
	int bad; /* well-formed, but 400 all the same */
};

static int
is_token(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	    (c >= '0' && c <= '9'))
		return (1);
	return (c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

static int
is_graph(uint8_t c)
{
	return (c > ' ' && c < 0x7f);
}

static size_t
span(struct text t, int (*is)(uint8_t))
{
	size_t n;

	for (n = 0; n < t.len && is(t.p[n]); n++)
		;
	return (n);
}

static int
text_is(struct text t, const char *s, size_t len)
{
	return (t.len == len && memcmp(t.p, s, len) == 0);
}

static int
text_equals_nocase(struct text t, const char *s, size_t len)
{
	return (t.len == len && strncasecmp((const char *)t.p, s, len) == 0);
}

#define TEXT_IS(t, s) text_is((t), (s), sizeof(s) - 1)

static struct text
trim(struct text t)
{
	while (t.len > 0 && (t.p[0] == ' ' || t.p[0] == '\t')) {
		t.p++;
		t.len--;
	}
	while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return (t);
}

/* Take what precedes the first `c` (or all) from the front of *t. */
static struct text
take_until(struct text *t, uint8_t c)
{
	struct text front;
	const uint8_t *end;

	front = *t;
	end = t->len == 0 ? NULL : memchr(t->p, c, t->len);
	if (end == NULL) {
		t->len = 0;
		return (front);
	}
	front.len = end - t->p;
	t->p = end + 1;
	t->len -= front.len + 1;
	return (front);
}

static int
list_has(struct text list, const char *token, size_t len)
{
	while (list.len > 0)
		if (text_equals_nocase(
			trim(take_until(&list, ',')), token, len))
			return (1);
	return (0);
}

#define LIST_HAS(list, token) list_has((list), (token), sizeof(token) - 1)

/* How many bytes at the front of t are no control characters but tabs. */
static size_t
printable(struct text t)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t word, low, del;
	size_t n;

	for (n = 0; t.len - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, t.p + n, sizeof(word));
		/* A byte below 20, and one that is 7f, borrow into bit 7. */
		low = (word - ones * 0x20) & ~word;
		word ^= ones * 0x7f;
		del = (word - ones) & ~word;
		if (((low | del) & ones * 0x80) != 0)
			break;
	}
	while (
	    n < t.len && ((t.p[n] >= ' ' && t.p[n] != 0x7f) || t.p[n] == '\t'))
		n++;
	return (n);
}

/*
 * Take a line and its CRLF from the front of *rest.  Returns 1, 0 if it is not
 * all there yet, -1 if it has a control character or another line end.
 */
static int
take_line(struct text *rest, struct text *line)
{
	size_t n;

	n = printable(*rest);
	if (n < rest->len && rest->p[n] != '\r')
		return (-1);
	if (rest->len - n < 2)
		return (0);
	if (rest->p[n + 1] != '\n')
		return (-1);
	line->p = rest->p;
	line->len = n;
	rest->p += n + 2;
	rest->len -= n + 2;
	return (1);
}

/*
 * RFC 9112 section 3.  Forms of the target other than a path are let through
 * here: they equal no path that is served.  Returns 0 or -1.
 */
static int
parse_request_line(struct text line, struct head *head)
{
	struct text target;

	head->method = take_until(&line, ' ');
	if (head->method.len == 0 ||
	    span(head->method, is_token) != head->method.len)
		return (-1);
	target = take_until(&line, ' ');
	if (target.len == 0 || span(target, is_graph) != target.len)
		return (-1);
	head->path = take_until(&target, '?');
	if (TEXT_IS(line, "HTTP/1.1"))
		head->minor = 1;
	else if (!TEXT_IS(line, "HTTP/1.0"))
		return (-1);
	return (0);
}

static int
is_digit(uint8_t c)
{
	return (c >= '0' && c <= '9');
}

static int
is_zero(uint8_t c)
{
	return (c == '0');
}

static int
is_host(uint8_t c)
{
	return (is_graph(c) && strchr("\"#,/<>?@\\^`{|}", c) == NULL);
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
		head->connection_upgrade |= LIST_HAS(value, "upgrade");
		break;
	case UPGRADE:
		head->websocket |= LIST_HAS(value, "websocket");
		break;
	case PROTOCOL:
		head->pilot_v1 |= LIST_HAS(value, "pilot.v1");
		break;
	case CONTENT_LENGTH:
		head->bad |=
		    value.len == 0 || span(value, is_digit) != value.len;
		head->body |= span(value, is_zero) != value.len;
		break;
	case TRANSFER_ENCODING:
		head->body = 1;
		break;
	case HOST:
		head->bad |= span(value, is_host) != value.len;
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
	name.len = span(line, is_token);
	if (name.len == 0 || name.len == line.len || line.p[name.len] != ':')
		return (-1);
	value.p = line.p + name.len + 1;
	value.len = line.len - name.len - 1;
	for (field = 0; field < FIELDS; field++)
		if (text_equals_nocase(
			name, known[field].name, known[field].len))
			take_field(head, field, trim(value));
	return (0);
}

/*
 * Read a head from *rest, and leave there what follows it.  Returns the status
 * that it fails with, 200 if it is whole, 0 if more bytes are needed.
 */
static int
parse_head(struct text *rest, struct head *head)
{
	struct text line;
	int got, n;

	got = take_line(rest, &line);
	if (got == 1 && parse_request_line(line, head) == -1)
		return (400);
	for (n = 0; got == 1 && n <= HTTP_FIELDS_MAX; n++) {
		got = take_line(rest, &line);
		if (got == 1 && line.len == 0)
			return (200);
		if (got == 1 && parse_field(line, head) == -1)
			return (400);
	}
	if (got == 1)
		return (431);
	return (got == -1 ? 400 : 0);
}

/* Fill in accept; returns -1 if the client's key is none. */
static int
accept_key(struct text key, struct http_request *req)
{
	SHA1_CTX ctx;
	uint8_t digest[SHA1_DIGEST_LENGTH], nonce[KEY_LEN];
	size_t len;

	if (sodium_base642bin(nonce, sizeof(nonce), (const char *)key.p,
		key.len, NULL, &len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != sizeof(nonce))
		return (-1);
	SHA1Init(&ctx);
	SHA1Update(&ctx, key.p, key.len);
	SHA1Update(&ctx, (const uint8_t *)GUID, sizeof(GUID) - 1);
	SHA1Final(digest, &ctx);
	sodium_bin2base64(req->accept, sizeof(req->accept), digest,
	    sizeof(digest), sodium_base64_VARIANT_ORIGINAL);
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
	scheme = take_until(&origin, ':');
	if (text_equals_nocase(scheme, "pilot", 5))
		return (0);
	if (origin.len < 2 || memcmp(origin.p, "//", 2) != 0)
		return (1);
	origin.p += 2;
	origin.len -= 2;
	host = take_until(&origin, '/');
	return (!text_equals_nocase(
	    host, (const char *)head->value[HOST].p, head->value[HOST].len));
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
	if (head->seen[TRANSFER_ENCODING] &&
	    (head->minor == 0 || head->seen[CONTENT_LENGTH]))
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

/* "1.2.3.4:5", "[2001:db8::1]:5" and "[2001:db8::1]" without the rest. */
static struct text
without_port(struct text t)
{
	struct text front, rest;

	rest = t;
	if (t.len > 0 && t.p[0] == '[') {
		rest.p++;
		rest.len--;
		return (take_until(&rest, ']'));
	}
	front = take_until(&rest, ':');
	/* With a second colon it is IPv6, and they belong to it. */
	if (rest.len > 0 && memchr(rest.p, ':', rest.len) == NULL)
		return (front);
	return (t);
}

/* The proxy's word for the client's address: the last element is its own. */
static void
parse_forwarded(struct text list, struct http_request *req)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct text last;
	const uint8_t *comma;
	char address[INET6_ADDRSTRLEN];

	last = list;
	comma = list.len == 0 ? NULL : memrchr(list.p, ',', list.len);
	if (comma != NULL) {
		last.p = comma + 1;
		last.len = list.p + list.len - last.p;
	}
	last = without_port(trim(last));
	if (last.len == 0 || last.len >= sizeof(address))
		return;
	memcpy(address, last.p, last.len);
	address[last.len] = '\0';
	if (inet_pton(AF_INET, address, req->forwarded + 12) == 1)
		memcpy(req->forwarded, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, address, req->forwarded) != 1)
		return;
	req->has_forwarded = 1;
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
	rest.p = buf;
	rest.len = MIN(len, HTTP_HEAD_MAX);
	req->status = parse_head(&rest, &head);
	if (req->status == 0 && len >= HTTP_HEAD_MAX)
		req->status = 431;
	if (req->status == 200) {
		req->head_len = rest.p - buf;
		req->status = judge(&head, req);
		parse_forwarded(head.value[FORWARDED_FOR], req);
		req->bad_forwarded =
		    head.seen[FORWARDED_FOR] && !req->has_forwarded;
	}
	return (req->status != 0);
}
