/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ws_accept.h"

#include "ctl/ws_client.h"

#define DEFAULT_PATH "/v1/compat"
/* RFC 6455 section 1.3 */
#define WS_KEY_LEN 25 /* base64 of 16 bytes, NUL included */

static int
url_port(struct ws_url *url, const char *port)
{
	const char *errstr;

	(void)strtonum(port, 1, 65535, &errstr);
	if (errstr != NULL || strlen(port) >= sizeof(url->port) ||
	    !isdigit((unsigned char)port[0]))
		return (-1);
	(void)strlcpy(url->port, port, sizeof(url->port));
	return (0);
}

/* Takes HOST, HOST:PORT, [HOST] or [HOST]:PORT apart. */
static int
url_authority(struct ws_url *url)
{
	const char *host, *p;
	size_t len;

	host = url->authority;
	len = strcspn(host, ":");
	p = host + len;
	if (host[0] == '[') {
		host++;
		len = strcspn(host, "]");
		p = host + len + (host[len] == ']');
	}
	if (len == 0 || len >= sizeof(url->host) ||
	    memchr(host, '@', len) != NULL ||
	    (host != url->authority && host[len] != ']'))
		return (-1);
	memcpy(url->host, host, len);
	if (*p == '\0')
		return (url_port(url, url->tls ? "443" : "80"));
	return (*p == ':' ? url_port(url, p + 1) : -1);
}

/*
 * ws://HOST[:PORT][PATH] or wss://, an IPv6 HOST in brackets.  Returns 0, or -1
 * with what is wrong.
 */
int
ws_url_parse(const char *text, struct ws_url *url, const char **error)
{
	const char *p;
	size_t len;

	memset(url, 0, sizeof(*url));
	*error = "not ws[s]://HOST[:PORT][/PATH]";
	url->tls = strncasecmp(text, "wss://", 6) == 0;
	if (!url->tls && strncasecmp(text, "ws://", 5) != 0)
		return (-1);
	text += url->tls ? 6 : 5;
	for (p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p) || *p == '#')
			return (-1);
	len = strcspn(text, "/?");
	if (len >= sizeof(url->authority) || text[len] == '?')
		return (-1);
	memcpy(url->authority, text, len);
	p = text[len] == '\0' ? DEFAULT_PATH : text + len;
	if (strlcpy(url->path, p, sizeof(url->path)) >= sizeof(url->path))
		return (-1);
	return (url_authority(url));
}

struct ws_client *
ws_client_new(void)
{
	struct ws_client *c;

	c = calloc(1, sizeof(*c));
	if (c != NULL)
		c->fd = -1;
	return (c);
}

void
ws_client_free(struct ws_client *c)
{
	if (c == NULL)
		return;
	ws_tls_end(c);
	if (c->fd != -1)
		close(c->fd);
	free(c);
}

static int
await_connect(struct ws_client *c, int64_t deadline)
{
	socklen_t len;
	int error, ready;

	ready = ws_client_wait(c, POLLOUT, deadline);
	if (ready == -1)
		return (errno);
	if (ready == 0)
		return (ETIMEDOUT);
	len = sizeof(error);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return (errno);
	return (error);
}

static int
connect_one(struct ws_client *c, const struct addrinfo *ai, int64_t deadline)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	int error, on;

	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		(void)snprintf(c->address, sizeof(c->address),
		    ai->ai_family == AF_INET6 ? "[%.64s]:%.5s" : "%.64s:%.5s",
		    host, port);
	c->fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = c->fd == -1 ? errno : 0;
	if (error == 0 && connect(c->fd, ai->ai_addr, ai->ai_addrlen) == -1)
		error =
		    errno == EINPROGRESS ? await_connect(c, deadline) : errno;
	if (error != 0) {
		(void)snprintf(c->error, sizeof(c->error), "%s: %s", c->address,
		    strerror(error));
		if (c->fd != -1)
			close(c->fd);
		c->fd = -1;
		return (-1);
	}
	on = 1;
	/* Packets must not wait for each other; if they do, so be it. */
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return (0);
}

/*
 * TLS with the server whose name stands in the URL.  Returns 0 or -1.
 */
static int
secure(struct ws_client *c, const struct ws_url *url, int64_t deadline)
{
	int n;

	if (ws_tls_begin(c, url->host) == -1)
		return (-1);
	while ((n = ws_tls_handshake(c)) == 0) {
		n = ws_client_wait(c, c->want, deadline);
		if (n == -1)
			return (-1);
		if (n == 0 && ws_now() >= deadline) {
			(void)snprintf(c->error, sizeof(c->error),
			    "%s: no answer to the TLS handshake in time",
			    c->address);
			return (-1);
		}
	}
	return (n == 1 ? 0 : -1);
}

/*
 * Connects to the first address of url's host that answers; each gets timeout
 * nanoseconds, and so does TLS, if the URL asks for it.  Returns 0 or -1.
 */
int
ws_client_connect(
    struct ws_client *c, const struct ws_url *url, int64_t timeout)
{
	struct addrinfo hints, *ai, *res;
	int error;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	error = getaddrinfo(url->host, url->port, &hints, &res);
	if (error != 0) {
		(void)snprintf(c->error, sizeof(c->error), "%.128s: %s",
		    url->host, gai_strerror(error));
		return (-1);
	}
	for (ai = res; ai != NULL; ai = ai->ai_next)
		if (connect_one(c, ai, ws_now() + timeout) == 0)
			break;
	freeaddrinfo(res);
	if (ai == NULL)
		return (-1);
	return (url->tls ? secure(c, url, ws_now() + timeout) : 0);
}

static int
send_request(struct ws_client *c, const struct ws_url *url, const char *key,
    int64_t deadline)
{
	char head[WS_PATH_LEN + sizeof(url->authority) + 256];
	int n;

	n = snprintf(head, sizeof(head),
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Protocol: " WS_SUBPROTOCOL "\r\n"
	    "\r\n",
	    url->path, url->authority, key);
	return (ws_client_write(c, head, (size_t)n, deadline));
}

/* Waits for a whole response head; returns its size, or 0 after an error. */
static size_t
read_head(struct ws_client *c, int64_t deadline)
{
	const uint8_t *end;
	int n;

	for (;;) {
		end = memmem(c->rx, c->rx_len, "\r\n\r\n", 4);
		if (end != NULL)
			return ((size_t)(end - c->rx) + 4);
		if (c->rx_len >= WS_HEAD_MAX) {
			(void)snprintf(c->error, sizeof(c->error),
			    "answer's head is too large");
			return (0);
		}
		n = ws_client_fill(c, WS_HEAD_MAX, deadline);
		if (n == 0)
			(void)snprintf(
			    c->error, sizeof(c->error), "no answer in time");
		if (n != 1)
			return (0);
	}
}

/* An answer other than 101: its status line and the first of its body. */
static int
refused(struct ws_client *c, const char *head, size_t head_len)
{
	char body[WS_REMOTE_LEN], status[WS_REMOTE_LEN];
	const uint8_t *p;
	size_t len;

	p = c->rx + head_len;
	for (len = 0; len < c->rx_len - head_len; len++)
		if (p[len] == '\r' || p[len] == '\n')
			break;
	ws_client_quote(status, head, strcspn(head, "\r"));
	ws_client_quote(body, p, len);
	(void)snprintf(c->error, sizeof(c->error), "refused: %.100s%s%.100s",
	    status, body[0] != '\0' ? ": " : "", body);
	return (-1);
}

/*
 * Waits for the final answer and copies its head, with a NUL behind.  Any
 * number of interim ones may come before (RFC 9110 section 15.2).  Returns the
 * size of the head, which is still in rx, or 0 after an error.
 */
static size_t
await_answer(struct ws_client *c, char head[WS_HEAD_MAX + 1], int64_t deadline)
{
	size_t len;
	int status;

	for (;;) {
		len = read_head(c, deadline);
		memcpy(head, c->rx, len);
		head[len] = '\0';
		status = ws_answer_status(head);
		if (len == 0 || status < 100 || status > 199 || status == 101)
			return (len);
		ws_client_consume(c, len);
	}
}

/*
 * The opening handshake, RFC 6455 section 4.1.  Returns 0 or -1; what came
 * behind the answer stays in rx.
 */
int
ws_client_upgrade(
    struct ws_client *c, const struct ws_url *url, int64_t deadline)
{
	char accept[WS_ACCEPT_LEN], head[WS_HEAD_MAX + 1], key[WS_KEY_LEN];
	const char *wrong;
	uint8_t nonce[16];
	size_t len;

	randombytes_buf(nonce, sizeof(nonce));
	(void)sodium_bin2base64(key, sizeof(key), nonce, sizeof(nonce),
	    sodium_base64_VARIANT_ORIGINAL);
	if (send_request(c, url, key, deadline) == -1)
		return (-1);
	len = await_answer(c, head, deadline);
	if (len == 0)
		return (-1);
	if (ws_answer_status(head) != 101)
		return (refused(c, head, len));
	ws_accept(key, strlen(key), accept);
	wrong = strlen(head) != len ? "a NUL in the answer's head"
				    : ws_answer_wrong(head, accept);
	if (wrong != NULL) {
		(void)strlcpy(c->error, wrong, sizeof(c->error));
		return (-1);
	}
	ws_client_consume(c, len);
	return (0);
}
