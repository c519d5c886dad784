/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <poll.h>
#include <sha1.h>
#include <sodium.h>
#include <unistd.h>

#include "ctl/ws_client.h"
#include "regress/unit/test.h"

#define SECOND INT64_C(1000000000)

static struct ws_client *c;
static int far; /* the server's end */

static void
begin(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		abort();
	if (c != NULL)
		close(far);
	ws_client_free(c);
	c = ws_client_new();
	if (c == NULL)
		abort();
	c->fd = fds[0];
	far = fds[1];
}

static void
say(const void *bytes, size_t len)
{
	if (write(far, bytes, len) != (ssize_t)len)
		abort();
}

static int
hear(void)
{
	return (ws_client_recv(c, ws_now() + 5 * SECOND));
}

/* What is there now; the deadline is just long enough to look. */
static int
glance(void)
{
	return (ws_client_recv(c, ws_now() + SECOND / 100));
}

static int
url_is(const char *text, const char *host, const char *port, const char *path)
{
	struct ws_url url;
	const char *error;

	return (ws_url_parse(text, &url, &error) == 0 &&
		strcmp(url.host, host) == 0 && strcmp(url.port, port) == 0 &&
		strcmp(url.path, path) == 0);
}

static int
url_bad(const char *text)
{
	struct ws_url url;
	const char *error;

	return (ws_url_parse(text, &url, &error) == -1 && error != NULL);
}

static void
urls(void)
{
	CHECK(url_is("ws://a.example", "a.example", "80", "/v1/compat"));
	CHECK(url_is("ws://a:8443", "a", "8443", "/v1/compat"));
	CHECK(url_is("WS://a:1/", "a", "1", "/"));
	CHECK(url_is("ws://a/v2?x=y", "a", "80", "/v2?x=y"));
	CHECK(url_is("ws://[::1]:65535/p", "::1", "65535", "/p"));
	CHECK(url_is("ws://[::1]", "::1", "80", "/v1/compat"));
	CHECK(url_is("wss://a", "a", "443", "/v1/compat"));
	CHECK(url_is("WSS://[::1]:80/p", "::1", "80", "/p"));
}

static void
bad_urls(void)
{
	char text[1024];

	CHECK(url_bad("") && url_bad("a:80") && url_bad("http://a"));
	CHECK(url_bad("wsss://a") && url_bad("ws://") && url_bad("ws://:80"));
	CHECK(url_bad("ws://a:") && url_bad("ws://a:0"));
	CHECK(url_bad("ws://a:+80") && url_bad("ws://a:65536") &&
	      url_bad("ws://a:x"));
	CHECK(url_bad("ws://a:000080") && url_bad("ws://a:1:2"));
	CHECK(url_bad("ws://::1") && url_bad("ws://[::1"));
	CHECK(url_bad("ws://[::1]x") && url_bad("ws://[]"));
	CHECK(url_bad("ws://u@a") && url_bad("ws://a/#f"));
	CHECK(url_bad("ws://a/b c") && url_bad("ws://a/\r\nX: y"));
	CHECK(url_bad("ws://a?b"));
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "ws://", 5);
	CHECK(url_bad(text));
	text[6] = '/';
	CHECK(url_bad(text));
}

static void
whole_and_split(void)
{
	static const uint8_t frames[] = { 0x82, 3, 'a', 'b', 'c', 0x81, 1,
		'd' };
	size_t i;

	begin();
	say(frames, sizeof(frames));
	CHECK(hear() == 1 && c->opcode == WS_BINARY && c->msg_len == 3);
	CHECK(memcmp(c->msg, "abc", 3) == 0);
	CHECK(hear() == 1 && c->opcode == WS_TEXT && c->msg_len == 1);
	CHECK(c->msg[0] == 'd');
	for (i = 0; i < 4; i++) {
		say(frames + i, 1);
		CHECK(glance() == 0);
	}
	say(frames + 4, 1);
	CHECK(hear() == 1 && memcmp(c->msg, "abc", 3) == 0);
}

static void
fragments_with_a_ping_between(void)
{
	static const uint8_t frames[] = { 0x02, 1, 'a', 0x89, 2, 'h', 'i', 0x00,
		1, 'b', 0x80, 1, 'c' };
	struct ws_header h;
	uint8_t pong[32];
	ssize_t n;

	begin();
	say(frames, sizeof(frames));
	CHECK(hear() == 1 && c->opcode == WS_BINARY && c->msg_len == 3);
	CHECK(memcmp(c->msg, "abc", 3) == 0);
	n = read(far, pong, sizeof(pong));
	CHECK(n > 0 && ws_header_parse(pong, (size_t)n, &h) == 1);
	CHECK(h.opcode == WS_PONG && h.masked && h.fin && h.payload_len == 2);
	CHECK(n == h.len + 2);
	ws_unmask(pong + h.len, pong + h.len, 2, h.mask, 0);
	CHECK(memcmp(pong + h.len, "hi", 2) == 0);
}

static int
refused(const void *bytes, size_t len)
{
	begin();
	say(bytes, len);
	return (hear() == -1 && c->error[0] != '\0');
}

static void
violations(void)
{
	CHECK(refused("\x82\x81\1\1\1\1a", 7)); /* masked */
	CHECK(refused("\x80\1a", 3));           /* nothing to continue */
	CHECK(refused("\x02\1a\x02\1a", 6));    /* begun twice */
	CHECK(refused("\x83\1a", 3));           /* no such opcode */
	CHECK(refused("\x82\x7f\0\0\0\0\0\1\0\1", 10)); /* 65537 bytes */
	CHECK(refused("\x88\1a", 3));                   /* half a close code */
}

static void
fragments_are_bounded(void)
{
	static uint8_t frame[4 + 40000];

	begin();
	frame[1] = 126;
	frame[2] = 40000 >> 8;
	frame[3] = 40000 & 0xff;
	frame[0] = WS_BINARY;
	say(frame, sizeof(frame));
	CHECK(glance() == 0);
	frame[0] = 0x80;
	say(frame, sizeof(frame));
	CHECK(hear() == -1);
	CHECK(strstr(c->error, "too large") != NULL);
}

static void
largest_message(void)
{
	static uint8_t frame[10 + WS_CLIENT_MAX];

	begin();
	frame[0] = 0x80 | WS_BINARY;
	frame[1] = 127;
	frame[7] = 1;
	say(frame, sizeof(frame));
	CHECK(hear() == 1 && c->msg_len == WS_CLIENT_MAX);
}

static void
close_frame(void)
{
	begin();
	say("\x88\x09\x03\xf0go\033away", 11);
	CHECK(hear() == -1 && c->close_code == 1008);
	CHECK(strstr(c->error, "1008 go?away") != NULL);
	begin();
	close(far);
	CHECK(hear() == -1 && c->close_code == 0);
	far = dup(c->fd);
}

static void
sending(void)
{
	uint8_t big[WS_SEND_MAX + 1], got[2 * WS_SEND_MAX];
	struct ws_header h;
	ssize_t n;

	begin();
	memset(big, 'x', sizeof(big));
	CHECK(ws_client_send(
		  c, WS_BINARY, big, sizeof(big), ws_now() + SECOND) == -1);
	CHECK(ws_client_send(
		  c, WS_BINARY, big, WS_SEND_MAX, ws_now() + SECOND) == 0);
	n = read(far, got, sizeof(got));
	CHECK(n > 0 && ws_header_parse(got, (size_t)n, &h) == 1 && h.masked);
	CHECK(h.payload_len == WS_SEND_MAX);
	CHECK(memcmp(got + h.len, big, WS_SEND_MAX) != 0);
	ws_unmask(got + h.len, got + h.len, WS_SEND_MAX, h.mask, 0);
	CHECK(memcmp(got + h.len, big, WS_SEND_MAX) == 0);
}

static void
other_end_does_not_read(void)
{
	uint8_t data[WS_SEND_MAX];
	int i, n;

	begin();
	memset(data, 0, sizeof(data));
	n = 0;
	for (i = 0; n == 0 && i < 100000; i++)
		n = ws_client_send(
		    c, WS_BINARY, data, sizeof(data), ws_now() + SECOND / 100);
	CHECK(n == -1 && strstr(c->error, "does not read") != NULL);
}

/* Upgrades against the answer in text, in which %s is the right accept. */
static int
upgrade(const char *text)
{
	static const struct ws_url url = { .authority = "h", .path = "/" };

	begin();
	say(text, strlen(text));
	return (ws_client_upgrade(c, &url, ws_now() + SECOND / 10));
}

static void
upgrade_answers(void)
{
	CHECK(upgrade("HTTP/1.1 503 Service Unavailable\r\n"
		      "Content-Length: 16\r\n\r\nwss: at capacity") == -1);
	CHECK(strcmp(c->error, "refused: HTTP/1.1 503 Service Unavailable:"
			       " wss: at capacity") == 0);
	CHECK(upgrade("HTTP/1.1 101 Switching Protocols\r\n"
		      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
		      "\r\n\r\n") == -1);
	CHECK(strstr(c->error, "wrong Sec-WebSocket-Accept") != NULL);
	CHECK(upgrade("HTTP/1.1 101 x\r\n\r\n") == -1);
	CHECK(upgrade("nonsense\r\n\r\n") == -1);
	CHECK(strstr(c->error, "nonsense") != NULL);
	CHECK(upgrade("HTTP/1.1 101 x\r\n") == -1);
	CHECK(strcmp(c->error, "no answer in time") == 0);
}

/* Answers one upgrade at far as a server does, then sends the frame "hi". */
static void
serve_upgrade(void)
{
	char head[2048], answer[512], accept[32], text[128];
	uint8_t digest[SHA1_DIGEST_LENGTH];
	struct pollfd pfd;
	SHA1_CTX sha1;
	char *key;
	ssize_t n;

	pfd.fd = far;
	pfd.events = POLLIN;
	if (poll(&pfd, 1, 5000) != 1)
		_exit(1);
	n = read(far, head, sizeof(head) - 1);
	head[n > 0 ? n : 0] = '\0';
	key = strstr(head, "\r\nSec-WebSocket-Key: ");
	if (strncmp(head, "GET /p HTTP/1.1\r\nHost: h:1\r\n", 28) != 0 ||
	    key == NULL)
		_exit(1);
	(void)snprintf(text, sizeof(text), "%.24s%s", key + 21,
	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	SHA1Init(&sha1);
	SHA1Update(&sha1, (uint8_t *)text, strlen(text));
	SHA1Final(digest, &sha1);
	(void)sodium_bin2base64(accept, sizeof(accept), digest, sizeof(digest),
	    sodium_base64_VARIANT_ORIGINAL);
	n = snprintf(answer, sizeof(answer),
	    "HTTP/1.1 101 Switching Protocols\r\nupgrade:  WebSocket \r\n"
	    "CONNECTION: keep-alive, Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi",
	    accept);
	say(answer, (size_t)n);
	_exit(0);
}

static void
upgrade_succeeds(void)
{
	static const struct ws_url url = { .authority = "h:1", .path = "/p" };
	pid_t pid;
	int status;

	begin();
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		serve_upgrade();
	CHECK(ws_client_upgrade(c, &url, ws_now() + 5 * SECOND) == 0);
	CHECK(hear() == 1 && c->opcode == WS_TEXT && c->msg_len == 2);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
endless_head(void)
{
	static char text[WS_HEAD_MAX + 1];

	memset(text, 'a', WS_HEAD_MAX);
	CHECK(upgrade(text) == -1);
	CHECK(strstr(c->error, "too large") != NULL);
}

static void
connection_refused(void)
{
	static struct ws_url url = { .host = "127.0.0.1" };
	struct sockaddr_in sin;
	socklen_t len;
	int s;

	/* A port that is bound but does not listen refuses for certain. */
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof(sin);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(s != -1 && bind(s, (struct sockaddr *)&sin, len) == 0 &&
	      getsockname(s, (struct sockaddr *)&sin, &len) == 0);
	(void)snprintf(url.port, sizeof(url.port), "%u", ntohs(sin.sin_port));
	begin();
	close(c->fd);
	CHECK(ws_client_connect(c, &url, SECOND) == -1);
	CHECK(strstr(c->error, "Connection refused") != NULL);
	CHECK(strstr(c->error, url.port) != NULL && c->fd == -1);
	close(s);
}

static void
quote(void)
{
	char long_text[2 * WS_REMOTE_LEN], out[WS_REMOTE_LEN];

	ws_client_quote(out, "a\033[2Jb\xc3\xa4", 8);
	CHECK(strcmp(out, "a?[2Jb??") == 0);
	memset(long_text, 'a', sizeof(long_text));
	ws_client_quote(out, long_text, sizeof(long_text));
	CHECK(strlen(out) == WS_REMOTE_LEN - 1);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	RUN(urls);
	RUN(bad_urls);
	RUN(whole_and_split);
	RUN(fragments_with_a_ping_between);
	RUN(violations);
	RUN(fragments_are_bounded);
	RUN(largest_message);
	RUN(close_frame);
	RUN(sending);
	RUN(other_end_does_not_read);
	RUN(upgrade_answers);
	RUN(upgrade_succeeds);
	RUN(endless_head);
	RUN(connection_refused);
	RUN(quote);
	return (test_failed());
}
