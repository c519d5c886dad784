/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <string.h>

#include "regress/unit/test.h"
#include "worker/http.h"

/* The key and its answer of RFC 6455 section 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define GET   "GET /v1/compat HTTP/1.1\r\n"
#define HOST  "Host: a.example\r\n"
#define ASK   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define V13   "Sec-WebSocket-Version: 13\r\n"
#define WSKEY "Sec-WebSocket-Key: " KEY "\r\n"
#define END   "\r\n"

#define UPGRADE(more) GET HOST ASK V13 WSKEY more END

static struct http_request req;

static int
same(const struct http_request *a, const struct http_request *b)
{
	return (a->status == b->status && a->head_len == b->head_len &&
		a->head_only == b->head_only && a->health == b->health &&
		a->upgrade == b->upgrade && a->probe == b->probe &&
		a->pilot_v1 == b->pilot_v1 && a->allow == b->allow &&
		strcmp(a->accept, b->accept) == 0 &&
		a->forwarded[0].n == b->forwarded[0].n &&
		a->forwarded[1].n == b->forwarded[1].n);
}

/*
 * The status of a head, which must not depend on how many of its bytes come
 * at once; 0: more are needed; -1: it does depend.  Each piece is a copy of
 * its own, so that a sanitizer sees a byte read too far.
 */
static int
status_of(const char *head, size_t len)
{
	struct http_request whole;
	uint8_t *piece;
	size_t n;
	int got, want;

	want = http_request_parse((const uint8_t *)head, len, &whole);
	got = 0;
	for (n = 0; n <= len && got == 0; n++) {
		piece = malloc(n + 1);
		if (piece == NULL)
			return (-1);
		memcpy(piece + 1, head, n);
		got = http_request_parse(piece + 1, n, &req);
		free(piece);
	}
	if (got != want || (got == 1 && !same(&req, &whole)))
		return (-1);
	return (got == 1 ? req.status : 0);
}

static int
ask(const char *head)
{
	return (status_of(head, strlen(head)));
}

static void
upgrade(void)
{
	CHECK(ask(UPGRADE("")) == 101);
	CHECK(req.upgrade && !req.probe && !req.health && !req.head_only);
	CHECK(!req.pilot_v1);
	CHECK(req.head_len == strlen(UPGRADE("")));
	CHECK(strcmp(req.accept, ACCEPT) == 0);
	CHECK(ask("GET /v1/compat?a=b/c HTTP/1.1\r\n" HOST ASK V13 WSKEY END) ==
	      101);
}

static void
frames_after_the_head(void)
{
	static const char bytes[] = UPGRADE("") "\x81\x00\r\n\r\n";

	CHECK(status_of(bytes, sizeof(bytes) - 1) == 101);
	CHECK(req.head_len == sizeof(UPGRADE("")) - 1);
}

static void
upgrade_spellings(void)
{
	CHECK(ask(GET "hOST:a.example\r\nUPGRADE:\tWebSocket \r\n"
		      "connection:keep-alive , uPGRADE\r\n"
		      "sec-websocket-version:13\t\r\n"
		      "SEC-WEBSOCKET-KEY:" KEY "\r\n" END) == 101);
	CHECK(
	    ask(GET HOST
		"Connection: keep-alive\r\nConnection: upgrade\r\n"
		"Upgrade: h2c\r\nUpgrade: foo, websocket\r\n" V13 WSKEY END) ==
	    101);
	CHECK(ask(UPGRADE("Connection: keep-alive\r\nUpgrade: h2c\r\n"
			  "Sec-WebSocket-Protocol: pilot.v1\r\n"
			  "Sec-WebSocket-Protocol: chat\r\n")) == 101);
	CHECK(req.pilot_v1);
	CHECK(ask(UPGRADE("X-Latin: caf\xe9\r\nX-Empty:\r\nX-Tab: a\tb\r\n")) ==
	      101);
	CHECK(ask(UPGRADE("!#$%&'*+-.^_`|~09azAZ: x\r\n")) == 101);
	CHECK(ask(UPGRADE("Content-Length: 0\r\n")) == 101);
}

static void
subprotocol(void)
{
#define PROTOCOL(list) UPGRADE("Sec-WebSocket-Protocol: " list "\r\n")
	CHECK(ask(PROTOCOL("pilot.v1")) == 101 && req.pilot_v1);
	CHECK(ask(PROTOCOL("chat, pilot.v1")) == 101 && req.pilot_v1);
	CHECK(ask(PROTOCOL("pilot.v1,chat")) == 101 && req.pilot_v1);
	CHECK(ask(PROTOCOL("chat\r\nSec-WebSocket-Protocol: pilot.v1")) == 101);
	CHECK(req.pilot_v1);
	CHECK(ask(PROTOCOL("pilot.v11")) == 101 && !req.pilot_v1);
	CHECK(ask(PROTOCOL("xpilot.v1")) == 101 && !req.pilot_v1);
	CHECK(ask(PROTOCOL("pilot.v1 x")) == 101 && !req.pilot_v1);
	CHECK(ask(PROTOCOL("")) == 101 && !req.pilot_v1);
	CHECK(ask(PROTOCOL("Pilot.v1")) == 101 && !req.pilot_v1);
	CHECK(ask(PROTOCOL("PILOT.V1, pilot.V1")) == 101 && !req.pilot_v1);
}

static void
probe(void)
{
	CHECK(ask(GET HOST END) == 426);
	CHECK(req.probe && !req.upgrade && req.head_len != 0);
	CHECK(ask(GET HOST "Connection: close\r\n" END) == 426 && req.probe);
	CHECK(ask(GET HOST "Connection: Upgrade\r\n" V13 WSKEY END) == 426);
	CHECK(req.probe);
	CHECK(ask(GET HOST "Upgrade: websocket\r\n" V13 WSKEY END) == 426);
	CHECK(req.probe);
	CHECK(
	    ask(GET HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n" END) == 426);
	CHECK(ask(GET HOST
		  "Connection: xUpgrade\r\nUpgrade: websocket\r\n" V13 WSKEY
		      END) == 426);
	CHECK(ask("GET /v1/compat HTTP/1.0\r\n" END) == 426 && req.probe);
	CHECK(ask(GET HOST "Origin: https://b.example\r\n" END) == 426);
}

static void
other_version(void)
{
#define VERSION(v) GET HOST ASK WSKEY "Sec-WebSocket-Version: " v "\r\n" END
	CHECK(ask(VERSION("8")) == 426 && req.upgrade && !req.probe);
	CHECK(ask(VERSION("14")) == 426 && ask(VERSION("130")) == 426);
	CHECK(ask(VERSION("")) == 426 && ask(VERSION("13, 8")) == 426);
	CHECK(ask(GET HOST ASK WSKEY END) == 426 && req.upgrade);
	/* The version comes before the key. */
	CHECK(ask(GET HOST ASK "Sec-WebSocket-Version: 8\r\n" END) == 426);
}

static void
bad_key(void)
{
#define WITH_KEY(k) GET HOST ASK V13 "Sec-WebSocket-Key: " k "\r\n" END
	CHECK(ask(GET HOST ASK V13 END) == 400 && req.upgrade);
	CHECK(ask(WITH_KEY("")) == 400);
	CHECK(ask(WITH_KEY("dGhlIHNhbXBsZSBub25jZQ")) == 400);
	CHECK(ask(WITH_KEY("dGhlIHNhbXBsZSBub25jZQ=")) == 400);
	CHECK(ask(WITH_KEY("dGhlIHNhbXBsZSBub25jZQ===")) == 400);
	CHECK(ask(WITH_KEY("dGhlIHNhbXBsZSBub25j")) == 400);     /* 15 */
	CHECK(ask(WITH_KEY("dGhlIHNhbXBsZSBub25jZWE=")) == 400); /* 17 */
	CHECK(ask(WITH_KEY("dGhlIHNhbXBsZSBub25jZR==")) == 400);
	CHECK(ask(WITH_KEY("dGhl IHNhbXBsZSBub25jZQ==")) == 400);
	CHECK(ask(WITH_KEY("dGhl_HNhbXBsZSBub25jZQ==")) == 400);
	CHECK(ask(WITH_KEY("////////////////////"
			   "/w==")) == 101);
	CHECK(ask(WITH_KEY("____________________"
			   "_w==")) == 400);
}

static void
body(void)
{
	CHECK(ask(UPGRADE("Content-Length: 5\r\n")) == 400 && req.upgrade);
	CHECK(ask(UPGRADE("Content-Length: 05\r\n")) == 400);
	CHECK(ask(UPGRADE("Content-Length: 00\r\n")) == 101);
	CHECK(ask(UPGRADE("Content-Length:\r\n")) == 400);
	CHECK(ask(UPGRADE("Content-Length: -0\r\n")) == 400);
	CHECK(ask(UPGRADE("Content-Length: 0, 0\r\n")) == 400);
	CHECK(ask(UPGRADE("Content-Length: 0x0\r\n")) == 400);
	CHECK(ask(UPGRADE("Transfer-Encoding: chunked\r\n")) == 400);
	CHECK(ask(UPGRADE("Transfer-Encoding: identity\r\n")) == 400);
	CHECK(ask(UPGRADE("Transfer-Encoding:\r\n")) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\n" HOST
		  "Content-Length: 5\r\n" END) == 200);
#define CODING(c) \
	"GET /health HTTP/1.1\r\n" HOST "Transfer-Encoding: " c "\r\n" END
	CHECK(ask(CODING("chunked")) == 200 && ask(CODING("Chunked")) == 200);
	CHECK(ask(CODING("gzip, chunked")) == 200);
	CHECK(ask(CODING(", gzip ,chunked,")) == 200);
	CHECK(ask(CODING("gzip\r\nTransfer-Encoding: chunked")) == 200);
	CHECK(ask(CODING("gzip")) == 400 && ask(CODING("")) == 400);
	CHECK(ask(CODING("chunked, gzip")) == 400);
	CHECK(ask(CODING("chunked\r\nTransfer-Encoding: gzip")) == 400);
	CHECK(ask(CODING("xchunked")) == 400);
	CHECK(ask(CODING("chunked,x")) == 400);
	CHECK(ask(CODING("chunked, ,")) == 200);
	CHECK(ask(CODING("chunked;q=1")) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\n" HOST
		  "Content-Length: 5x\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\n" HOST "Content-Length: 0\r\n"
		  "Transfer-Encoding: chunked\r\n" END) == 400);
	CHECK(
	    ask("GET /health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END) ==
	    400);
}

static void
duplicates(void)
{
	CHECK(ask(UPGRADE(HOST)) == 400 && req.upgrade);
	CHECK(ask(UPGRADE("host: a.example\r\n")) == 400);
	CHECK(ask(UPGRADE(WSKEY)) == 400);
	CHECK(ask(UPGRADE(V13)) == 400);
	CHECK(
	    ask(UPGRADE("Content-Length: 0\r\nContent-Length: 0\r\n")) == 400);
	CHECK(ask(UPGRADE("Origin: http://a.example\r\n"
			  "Origin: http://a.example\r\n")) == 400);
	CHECK(ask(GET HOST HOST END) == 400);
	CHECK(ask(UPGRADE("X-A: 1\r\nX-A: 1\r\n" ASK)) == 101);
}

static void
origin(void)
{
#define ORIGIN(o) UPGRADE("Origin: " o "\r\n")
	CHECK(ask(ORIGIN("https://a.example")) == 101);
	CHECK(ask(ORIGIN("http://A.EXAMPLE")) == 101);
	CHECK(ask(ORIGIN("https://a.example/x")) == 101);
	CHECK(ask(ORIGIN("")) == 101);
	CHECK(ask(ORIGIN("pilot://anything")) == 101);
	CHECK(ask(ORIGIN("PILOT:x")) == 101);
	CHECK(ask(ORIGIN("https://b.example")) == 403 && req.upgrade);
	CHECK(ask(ORIGIN("https://a.example:443")) == 403);
	CHECK(ask(ORIGIN("https://a.example.b.example")) == 403);
	CHECK(ask(ORIGIN("https://b.a.example")) == 403);
	CHECK(ask(ORIGIN("https://a.exampl")) == 403);
	CHECK(ask(ORIGIN("https://b.example/a.example")) == 403);
	CHECK(ask(ORIGIN("https://b.example/https://a.example")) == 403);
	CHECK(ask(ORIGIN("https://a.example@b.example")) == 403);
	CHECK(ask(ORIGIN("pilotx://a")) == 403 && ask(ORIGIN("null")) == 403);
	CHECK(ask(ORIGIN("a.example")) == 403);
	CHECK(ask(ORIGIN("https:a.example")) == 403);
	CHECK(ask(ORIGIN("https:xxa.example")) == 403);
	CHECK(ask(ORIGIN("https:/xa.example")) == 403);
	CHECK(ask(GET "Host:\r\n" ASK V13 WSKEY "Origin: https://\r\n" END) ==
	      101);
	CHECK(ask(ORIGIN("https:/")) == 403 && ask(ORIGIN("https:")) == 403);
	CHECK(ask(ORIGIN("https://")) == 403);
	CHECK(ask(GET "Host: a.example:8443\r\n" ASK V13 WSKEY
		      "Origin: https://a.example:8443\r\n" END) == 101);
	/* The key comes before the origin. */
	CHECK(ask(GET HOST ASK V13 "Origin: https://b.example\r\n" END) == 400);
}

static void
health(void)
{
	CHECK(ask("GET /health HTTP/1.1\r\n" HOST END) == 200);
	CHECK(req.health && req.probe && !req.head_only && !req.upgrade);
	CHECK(ask("HEAD /health HTTP/1.1\r\n" HOST END) == 200);
	CHECK(req.health && req.probe && req.head_only);
	CHECK(ask("GET /health HTTP/1.0\r\n" END) == 200);
	CHECK(ask("GET /health?x HTTP/1.1\r\n" HOST END) == 200);
	CHECK(ask("GET /health HTTP/1.1\r\n" HOST ASK V13 WSKEY END) == 200);
	CHECK(!req.upgrade);
}

static void
paths_and_methods(void)
{
	CHECK(ask("GET / HTTP/1.1\r\n" HOST END) == 404 && !req.probe);
	CHECK(ask("GET /v1/compat/ HTTP/1.1\r\n" HOST END) == 404);
	CHECK(ask("GET /V1/compat HTTP/1.1\r\n" HOST END) == 404);
	CHECK(ask("GET /v1/compat%20 HTTP/1.1\r\n" HOST END) == 404);
	CHECK(ask("GET //v1/compat HTTP/1.1\r\n" HOST END) == 404);
	CHECK(ask("GET /x HTTP/1.1\r\n" HOST ASK V13 WSKEY END) == 404);
	CHECK(!req.upgrade);
	CHECK(ask("POST /x HTTP/1.1\r\n" HOST END) == 404);
	CHECK(ask("HEAD /x HTTP/1.1\r\n" HOST END) == 404 && req.head_only);
	CHECK(ask("OPTIONS * HTTP/1.1\r\n" HOST END) == 404);
	CHECK(ask("CONNECT a.example:1 HTTP/1.1\r\n" HOST END) == 404);
	CHECK(
	    ask("POST /v1/compat HTTP/1.1\r\n" HOST ASK V13 WSKEY END) == 405);
	CHECK(strcmp(req.allow, "GET") == 0 && !req.upgrade);
	CHECK(ask("HEAD /v1/compat HTTP/1.1\r\n" HOST END) == 405);
	CHECK(ask("get /v1/compat HTTP/1.1\r\n" HOST END) == 405);
	CHECK(ask("DELETE /health HTTP/1.1\r\n" HOST END) == 405);
	CHECK(strcmp(req.allow, "GET, HEAD") == 0);
}

/* RFC 9112 section 3.2.2: the target's host stands for the field. */
static void
absolute_form(void)
{
#define TARGET(t, more) \
	"GET " t " HTTP/1.1\r\nHost: b.example\r\n" ASK V13 WSKEY more END
	CHECK(ask(TARGET("http://a.example/v1/compat", "")) == 101);
	CHECK(ask(TARGET("HTTPS://a.example:8443/v1/compat?x", "")) == 101);
	CHECK(ask(TARGET("https://[::1]:/v1/compat", "")) == 101);
	CHECK(ask("GET http://a/health HTTP/1.1\r\n" HOST END) == 200);
	CHECK(ask("GET http://a/health HTTP/1.0\r\n" END) == 200);
	CHECK(ask("POST http://a/health HTTP/1.1\r\n" HOST END) == 405);
	CHECK(ask("GET http://a/health HTTP/1.1\r\n" END) == 400);
	CHECK(ask("GET http://a/health HTTP/1.1\r\n" HOST HOST END) == 400);
	CHECK(ask("GET http://a/health HTTP/1.1\r\nHost: b:c\r\n" END) == 400);
	CHECK(ask(TARGET("http://a.example/v1/compat",
		  "Origin: https://a.example\r\n")) == 101);
	CHECK(ask(TARGET("http://a.example/v1/compat",
		  "Origin: https://b.example\r\n")) == 403);
	CHECK(ask(TARGET("http://a", "")) == 404);
	CHECK(ask(TARGET("http://a?/v1/compat", "")) == 404);
	CHECK(ask(TARGET("http://a#/v1/compat", "")) == 404);
	CHECK(ask(TARGET("http://a//v1/compat", "")) == 404);
	CHECK(ask(TARGET("ws://a/v1/compat", "")) == 404);
	CHECK(ask(TARGET("http:/v1/compat", "")) == 404);
	CHECK(ask(TARGET("http:", "")) == 404 && ask(TARGET(":", "")) == 404);
	CHECK(ask(TARGET("http:///v1/compat", "")) == 400);
	CHECK(ask(TARGET("http://", "")) == 400);
	CHECK(ask(TARGET("http://:80/v1/compat", "")) == 400);
	CHECK(ask(TARGET("http://u@a/v1/compat", "")) == 400);
	CHECK(ask(TARGET("http://u:1@a/v1/compat", "")) == 400);
	CHECK(ask(TARGET("http://a:b/v1/compat", "")) == 400);
}

static void
request_line(void)
{
	CHECK(ask("GET /health HTTP/1.2\r\n" HOST END) == 200);
	CHECK(ask("GET /health HTTP/1.9\r\n" HOST END) == 200);
	CHECK(ask("GET /health HTTP/1.2\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.10\r\n" HOST END) == 400);
	CHECK(ask("GET /health HTTP/1.\r\n" HOST END) == 400);
	CHECK(ask("GET /health HTTP/1.x\r\n" HOST END) == 400);
	CHECK(ask("GET /v1/compat HTTP/1.2\r\n" HOST ASK V13 WSKEY END) == 101);
	CHECK(ask("GET /health HTTP/0.9\r\n" HOST END) == 400);
	CHECK(ask("GET /health HTTP/2.0\r\n" HOST END) == 400);
	CHECK(ask("GET /health http/1.1\r\n" HOST END) == 400);
	CHECK(ask("GET /health HTTP/1.1 \r\n" HOST END) == 400);
	CHECK(ask("GET /health\r\n" HOST END) == 400);
	CHECK(ask("GET  /health HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("GET /health  HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask(" GET /health HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask(" /health HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("G /health HTTP/1.1\r\n" HOST END) == 405);
	CHECK(ask("GET  HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("GET /health HTTP/1,1\r\n" HOST END) == 400);
	CHECK(ask("GET\t/health\tHTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("GET /hea\tlth HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("GET /h\xe9 HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("G(T /health HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("GET\r\n") == 400 && req.head_len == 0);
}

/* RFC 9112 section 2.2. */
static void
empty_line_before(void)
{
	CHECK(ask(END) == 0 && ask("\r") == 0 && ask(END "GET") == 0);
	CHECK(ask(END "GET /health HTTP/1.1\r\n" HOST END) == 200);
	CHECK(req.head_len == strlen("GET /health HTTP/1.1\r\n" HOST END) + 2);
	CHECK(ask(END UPGRADE("")) == 101);
	CHECK(ask(END END) == 400);
	CHECK(ask(END END "GET /health HTTP/1.1\r\n" HOST END) == 400);
	CHECK(ask("\n" UPGRADE("")) == 400 && ask("\r\r\n") == 400);
}

static void
line_ends(void)
{
	CHECK(ask("GET /health HTTP/1.1\nHost: a\n\n") == 400);
	CHECK(ask("GET /health HTTP/1.1\n") == 400);
	CHECK(ask(GET "Host: a.example\n" END) == 400);
	CHECK(ask(GET HOST "\n") == 400);
	CHECK(ask(GET HOST "\rX") == 400);
	CHECK(ask(GET "Host: a\r.example\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\r\n" HOST END) == 400);
	CHECK(ask("") == 0 && ask("GET") == 0 && ask(GET) == 0);
	CHECK(ask(GET HOST) == 0 && ask(GET HOST "\r") == 0);
	CHECK(ask(GET HOST "X: y") == 0 && ask(GET HOST "X: y\r") == 0);
}

static void
fields(void)
{
	CHECK(ask(UPGRADE("X : y\r\n")) == 400);
	CHECK(ask(UPGRADE("X\t: y\r\n")) == 400);
	CHECK(ask(UPGRADE(" X: y\r\n")) == 400);
	CHECK(ask(UPGRADE("X: y\r\n folded\r\n")) == 400);
	CHECK(ask(UPGRADE("X: y\r\n\tfolded\r\n")) == 400);
	CHECK(ask(UPGRADE(": y\r\n")) == 400);
	CHECK(ask(UPGRADE("no colon\r\n")) == 400);
	CHECK(ask(UPGRADE("X(y): z\r\n")) == 400);
	CHECK(ask(UPGRADE("X\xe9: z\r\n")) == 400);
	CHECK(ask(UPGRADE("X: y:z\r\n")) == 101);
}

/* Every byte in a value, at each place of a word. */
static void
control_characters(void)
{
	static const char head[] = UPGRADE("X: abcdefgh\r\n");
	char copy[sizeof(head)];
	const char *place;
	size_t at;
	int c, want;

	place = strstr(head, "abcdefgh");
	for (at = place - head; head[at] != '\r'; at++)
		for (c = 0; c < 256; c++) {
			memcpy(copy, head, sizeof(head));
			copy[at] = (char)c;
			want = (c >= 0x20 && c != 0x7f) || c == '\t';
			/* A CR before the CRLF is no line end either. */
			CHECK(http_request_parse((uint8_t *)copy,
				  sizeof(head) - 1, &req) == 1);
			CHECK(req.status == (want ? 101 : 400));
		}
}

static void
host(void)
{
	CHECK(ask(GET ASK V13 WSKEY END) == 400 && req.upgrade);
	CHECK(ask("GET /health HTTP/1.1\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\nHost:\r\n" END) == 200);
	CHECK(ask("GET /health HTTP/1.1\r\nHost: [::1]:80\r\n" END) == 200);
	CHECK(ask("GET /health HTTP/1.1\r\nHost: a b\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\nHost: a,b\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\nHost: a/b\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\nHost: a@b\r\n" END) == 400);
	CHECK(ask("GET /health HTTP/1.1\r\nHost: \xc3\xa9\r\n" END) == 400);
	CHECK(ask("GET /v1/compat HTTP/1.0\r\n" HOST ASK V13 WSKEY END) == 400);
}

static int
with_host(const char *value)
{
	char head[512];

	snprintf(
	    head, sizeof(head), GET "Host: %s\r\n" ASK V13 WSKEY END, value);
	return (ask(head));
}

/* RFC 9110 section 7.2, RFC 3986 section 3.2.2 and 3.2.3. */
static void
host_and_port(void)
{
	static const char *const good[] = { "a", "a.example", "a:", "a:0",
		"a:80", "a:65535", "a:000080", "1.2.3.4", "1.2.3.4:5", "a-b_c~",
		"a%20b", "%Fe:1", "!$&'()*+;=", "[::]", "[::1]:443",
		"[::1]:", "[2001:DB8::1]", "[::ffff:1.2.3.4]", "[v1.a:b]",
		"[VfF.~]:1" };
	static const char *const bad[] = { "a:b", "a:1:2", "a::", "::1", ":80",
		":", "a:65536", "a:99999999999999999999", "a:-1", "a:+1",
		"a: 1", "[", "]", "[]", "[]:1", "[::1", "::1]", "[::1]]",
		"[[::1]]", "[::1]1", "[::1]a:1", "[::1]:a", "[a]", "[1.2.3.4]",
		"[::1%25lo]", "[v.a]", "[v1.]", "[v1]", "[vg.a]",
		"[1:2:3:4:5:6:7:8:9]", "[::1][::1]", "a[::1]", "%", "%2", "%zz",
		"%4g", "a%", "a%2", "a%g0", "u@a", "a/b", "a?b", "a#b", "a\\b",
		"\"a\"", "<a>", "a|b", "a^b", "`a`", "{a}", "\xc3\xa9",
		"[::1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21]" };
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(with_host(good[i]) == 101);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(with_host(bad[i]) == 400);
	CHECK(with_host(" a:1\t") == 101);
}

/* A head of exactly n bytes, blank line and all. */
static size_t
head_of(char *buf, size_t n)
{
	size_t len;

	len = strlen(UPGRADE("X: "));
	memcpy(buf, UPGRADE("X: "), len - 2);
	memset(buf + len - 2, 'a', n - len - 2);
	memcpy(buf + n - 4, "\r\n\r\n", 4);
	return (n);
}

static void
size_limit(void)
{
	char buf[3 * HTTP_HEAD_MAX];

	CHECK(status_of(buf, head_of(buf, HTTP_HEAD_MAX)) == 101);
	CHECK(req.head_len == HTTP_HEAD_MAX);
	CHECK(status_of(buf, head_of(buf, HTTP_HEAD_MAX + 1)) == 431);
	CHECK(status_of(buf, head_of(buf, HTTP_HEAD_MAX + 2)) == 431);
	CHECK(req.head_len == 0);
	CHECK(status_of(buf, HTTP_HEAD_MAX) == 431);
	CHECK(status_of(buf, HTTP_HEAD_MAX - 1) == 0);
	/* What stands beyond the limit has no say. */
	head_of(buf, sizeof(buf));
	buf[HTTP_HEAD_MAX] = '\n';
	CHECK(status_of(buf, sizeof(buf)) == 431);
	buf[HTTP_HEAD_MAX - 1] = '\n';
	CHECK(status_of(buf, sizeof(buf)) == 400);
}

/* A head whose request line has n octets, after `before`. */
static int
with_line_of(const char *before, size_t n)
{
	char buf[2 * HTTP_HEAD_MAX];
	size_t len, line;

	len = (size_t)snprintf(buf, sizeof(buf), "%sGET /health?", before);
	line = strlen(before);
	memset(buf + len, 'a', n);
	len = line + n - 9;
	(void)snprintf(
	    buf + len, sizeof(buf) - len, "%s", " HTTP/1.1\r\n" HOST END);
	return (ask(buf));
}

static void
line_limit(void)
{
	char buf[2 * HTTP_HEAD_MAX];

	CHECK(with_line_of("", HTTP_LINE_MAX) == 200);
	CHECK(with_line_of("", HTTP_LINE_MAX + 1) == 414);
	CHECK(with_line_of(END, HTTP_LINE_MAX) == 200);
	CHECK(with_line_of(END, HTTP_LINE_MAX + 1) == 414);
	memset(buf, 'a', sizeof(buf));
	CHECK(status_of(buf, HTTP_LINE_MAX) == 0);
	CHECK(status_of(buf, HTTP_LINE_MAX + 1) == 414);
	CHECK(status_of(buf, sizeof(buf)) == 414 && req.head_len == 0);
	/* What stands beyond the limit has no say. */
	buf[HTTP_LINE_MAX + 1] = '\n';
	CHECK(status_of(buf, sizeof(buf)) == 414);
	buf[HTTP_LINE_MAX] = '\n';
	CHECK(status_of(buf, sizeof(buf)) == 400);
}

/* The largest request line beside as much as a proxy adds. */
static void
line_and_fields_fit_together(void)
{
	char buf[HTTP_HEAD_MAX + 1];
	size_t len;

	len = (size_t)snprintf(buf, sizeof(buf),
	    "GET /v1/compat?%0*d HTTP/1.1\r\n", HTTP_LINE_MAX - 24, 0);
	CHECK(len == HTTP_LINE_MAX + 2);
	(void)snprintf(buf + len, sizeof(buf) - len,
	    HOST ASK V13 WSKEY "X: %0*d\r\n" END, 8000, 0);
	CHECK(ask(buf) == 101);
}

static void
field_limit(void)
{
	char buf[HTTP_HEAD_MAX];
	size_t len;
	int n;

	for (n = HTTP_FIELDS_MAX - 1; n <= HTTP_FIELDS_MAX + 1; n++) {
		len = strlen(GET HOST);
		memcpy(buf, GET HOST, len);
		while (len < strlen(GET HOST) + 6 * (n - 1)) {
			memcpy(buf + len, "X: y\r\n", 6);
			len += 6;
		}
		memcpy(buf + len, "\r\n", 2);
		CHECK(status_of(buf, len + 2) ==
		      (n <= HTTP_FIELDS_MAX ? 426 : 431));
	}
}

/* Where they stand, of those that say whom a proxy speaks for. */
static void
forwarded_lines(void)
{
	static const char head[] = GET HOST "X-Forwarded-For: 1\r\n"
					    "Forwarded: for=2\r\n"
					    "x-forwarded-for:\t3, 4 \r\n" END;
	const struct forwarded *f;

	CHECK(
	    http_request_parse((const uint8_t *)head, strlen(head), &req) == 1);
	f = &req.forwarded[FORWARDED_FOR];
	CHECK(f->n == 2 && TEXT_IS(f->lines[0], "1"));
	CHECK(TEXT_IS(f->lines[1], "3, 4"));
	f = &req.forwarded[FORWARDED];
	CHECK(f->n == 1 && TEXT_IS(f->lines[0], "for=2"));
	CHECK(ask(GET HOST END) == 426 && req.forwarded[FORWARDED].n == 0);
	CHECK(req.forwarded[FORWARDED_FOR].n == 0);
}

int
main(void)
{
	RUN(upgrade);
	RUN(frames_after_the_head);
	RUN(upgrade_spellings);
	RUN(subprotocol);
	RUN(probe);
	RUN(other_version);
	RUN(bad_key);
	RUN(body);
	RUN(duplicates);
	RUN(origin);
	RUN(health);
	RUN(paths_and_methods);
	RUN(absolute_form);
	RUN(request_line);
	RUN(empty_line_before);
	RUN(line_ends);
	RUN(fields);
	RUN(control_characters);
	RUN(host);
	RUN(host_and_port);
	RUN(size_limit);
	RUN(line_limit);
	RUN(line_and_fields_fit_together);
	RUN(field_limit);
	RUN(forwarded_lines);
	return (test_failed());
}
