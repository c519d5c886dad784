/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/ws_client.h"

/* The clock of all deadlines, in nanoseconds. */
int64_t
ws_now(void)
{
	return ((int64_t)clock_ns());
}

/* A text of the other end, cut and without what a terminal would obey. */
void
ws_client_quote(char out[WS_REMOTE_LEN], const void *text, size_t len)
{
	const unsigned char *p;
	size_t i;

	p = text;
	for (i = 0; i < len && i < WS_REMOTE_LEN - 1; i++)
		out[i] = p[i] >= ' ' && p[i] <= '~' ? (char)p[i] : '?';
	out[i] = '\0';
}

static int
fail(struct ws_client *c, const char *what)
{
	(void)strlcpy(c->error, what, sizeof(c->error));
	return (-1);
}

/* Returns 1, or 0 when the deadline has passed or a signal came, or -1. */
static int
wait_until(struct pollfd *pfd, nfds_t count, int64_t deadline)
{
	struct timespec ts;
	int64_t left;
	int n;

	left = deadline - ws_now();
	if (left <= 0)
		return (0);
	ts.tv_sec = left / 1000000000;
	ts.tv_nsec = left % 1000000000;
	n = ppoll(pfd, count, &ts, NULL);
	if (n == -1)
		return (errno == EINTR ? 0 : -1);
	return (n > 0);
}

/*
 * Waits for events (POLLIN, POLLOUT).  Returns 1, or 0 when the deadline has
 * passed or a signal came, or -1.
 */
int
ws_client_wait(struct ws_client *c, short events, int64_t deadline)
{
	struct pollfd pfd;
	int n;

	pfd.fd = c->fd;
	pfd.events = events;
	n = wait_until(&pfd, 1, deadline);
	return (n == -1 ? fail(c, strerror(errno)) : n);
}

/*
 * Waits for what either of two needs that have nothing to take (they may be the
 * same).  Returns as ws_client_wait(), with the error in the first.
 */
int
ws_client_wait_either(struct ws_client *c[2], int64_t deadline)
{
	struct pollfd pfd[2];
	int i, n;

	for (i = 0; i < 2; i++) {
		pfd[i].fd = c[i]->fd;
		pfd[i].events = c[i]->want;
	}
	n = wait_until(pfd, 2, deadline);
	return (n == -1 ? fail(c[0], strerror(errno)) : n);
}

/* As recv(2) and send(2) return; 0: would block, until what want says. */
static ssize_t
plain(struct ws_client *c, ssize_t n, short want)
{
	if (n != -1)
		return (n);
	if (errno != EAGAIN && errno != EINTR)
		return (fail(c, strerror(errno)));
	c->want = want;
	return (0);
}

static ssize_t
stream_read(struct ws_client *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->tls != NULL)
		return (ws_tls_read(c, buf, len));
	n = recv(c->fd, buf, len, 0);
	if (n == 0)
		return (fail(c, "the other end closed the connection"));
	return (plain(c, n, POLLIN));
}

static ssize_t
stream_write(struct ws_client *c, const void *buf, size_t len)
{
	if (c->tls != NULL)
		return (ws_tls_write(c, buf, len));
	return (plain(c, send(c->fd, buf, len, MSG_NOSIGNAL), POLLOUT));
}

/*
 * Reads what there is behind the bytes of rx, of which at most max are used.
 * Returns 1, or 0 at the deadline or a signal, or -1 (also at the end).  With a
 * deadline that has passed it only looks.
 */
int
ws_client_fill(struct ws_client *c, size_t max, int64_t deadline)
{
	ssize_t n;
	int ready;

	while ((n = stream_read(c, c->rx + c->rx_len, max - c->rx_len)) == 0) {
		ready = ws_client_wait(c, c->want, deadline);
		if (ready != 1)
			return (ready);
	}
	if (n == -1)
		return (-1);
	c->rx_len += (size_t)n;
	return (1);
}

/* Forgets the first len bytes of rx. */
void
ws_client_consume(struct ws_client *c, size_t len)
{
	c->rx_len -= len;
	memmove(c->rx, c->rx + len, c->rx_len);
}

/* Writes it all until the deadline.  Returns 0 or -1. */
int
ws_client_write(
    struct ws_client *c, const void *data, size_t len, int64_t deadline)
{
	const uint8_t *p;
	ssize_t n;
	int ready;

	for (p = data; len > 0; p += n, len -= (size_t)n) {
		n = stream_write(c, p, len);
		if (n > 0)
			continue;
		if (n == -1)
			return (-1);
		ready = ws_client_wait(c, c->want, deadline);
		if (ready == -1)
			return (-1);
		if (ready == 0 && ws_now() >= deadline)
			return (fail(c, "the other end does not read"));
	}
	return (0);
}

/*
 * Sends one frame, masked (RFC 6455 section 5.3), of at most WS_SEND_MAX bytes.
 * Returns 0 or -1.
 */
int
ws_client_send(struct ws_client *c, int opcode, const void *data, size_t len,
    int64_t deadline)
{
	uint8_t frame[WS_HEADER_MAX + WS_SEND_MAX], mask[WS_MASK_LEN];
	size_t n;

	if (len > WS_SEND_MAX)
		return (fail(c, "message too large"));
	randombytes_buf(mask, sizeof(mask));
	n = ws_header_build_masked(frame, opcode, len, mask);
	if (len > 0) {
		memcpy(frame + n, data, len);
		ws_unmask(frame + n, frame + n, len, mask, 0);
	}
	return (ws_client_write(c, frame, n + len, deadline));
}

/* The other end says goodbye: that is the end of what we can do. */
static int
closed(struct ws_client *c, const uint8_t *payload, size_t len)
{
	char reason[WS_REMOTE_LEN];

	if (ws_close_parse(payload, len, &c->close_code) == -1)
		return (fail(c, "closed with a malformed close frame"));
	reason[0] = '\0';
	if (len > 2)
		ws_client_quote(reason, payload + 2, len - 2);
	(void)snprintf(c->error, sizeof(c->error),
	    "closed by the other end: %d%s%s", c->close_code,
	    reason[0] != '\0' ? " " : "", reason);
	return (-1);
}

static int
control_frame(struct ws_client *c, const struct ws_header *h,
    const uint8_t *payload, int64_t deadline)
{
	size_t len;

	len = (size_t)h->payload_len;
	switch (h->opcode) {
	case WS_PING:
		return (ws_client_send(c, WS_PONG, payload, len, deadline));
	case WS_CLOSE:
		return (closed(c, payload, len));
	default:
		return (0);
	}
}

/* Returns 1 when the frame completes a message, 0 when it does not, or -1. */
static int
data_frame(
    struct ws_client *c, const struct ws_header *h, const uint8_t *payload)
{
	if (c->complete) {
		c->opcode = 0;
		c->complete = 0;
		c->msg_len = 0;
	}
	if ((h->opcode == WS_CONTINUATION) != (c->opcode != 0))
		return (fail(c, "frames of a message out of order"));
	if (h->payload_len > sizeof(c->msg) - c->msg_len)
		return (fail(c, "message too large"));
	if (h->opcode != WS_CONTINUATION)
		c->opcode = h->opcode;
	memcpy(c->msg + c->msg_len, payload, (size_t)h->payload_len);
	c->msg_len += (size_t)h->payload_len;
	c->complete = h->fin;
	return (h->fin);
}

/* Works off the frames in rx up to the end of the first message. */
static int
take(struct ws_client *c, int64_t deadline)
{
	struct ws_header h;
	size_t len;
	int n;

	while ((n = ws_header_parse(c->rx, c->rx_len, &h)) == 1) {
		if (h.masked)
			return (fail(c, "masked frame from a server"));
		if (h.payload_len > WS_CLIENT_MAX)
			return (fail(c, "frame too large"));
		len = h.len + (size_t)h.payload_len;
		if (len > c->rx_len)
			return (0);
		if (WS_OPCODE_IS_CONTROL(h.opcode))
			n = control_frame(c, &h, c->rx + h.len, deadline);
		else
			n = data_frame(c, &h, c->rx + h.len);
		ws_client_consume(c, len);
		if (n != 0)
			return (n);
	}
	return (n == 0 ? 0 : fail(c, "malformed frame"));
}

/*
 * Waits for a whole message, which then is in msg, msg_len and opcode until the
 * next call; pings are answered meanwhile.  Returns 1, or 0 at the deadline or
 * a signal, or -1, also when a close frame came (close_code).
 */
int
ws_client_recv(struct ws_client *c, int64_t deadline)
{
	int n;

	while ((n = take(c, deadline)) == 0) {
		n = ws_client_fill(c, sizeof(c->rx), deadline);
		if (n != 1)
			break;
	}
	return (n);
}

/* The closing handshake of RFC 6455 section 7.1.2, as far as time permits. */
void
ws_client_goodbye(struct ws_client *c, int64_t deadline)
{
	static const uint8_t normal[2] = { WS_STATUS_NORMAL >> 8,
		WS_STATUS_NORMAL & 0xff };

	if (ws_client_send(c, WS_CLOSE, normal, sizeof(normal), deadline) == -1)
		return;
	while (ws_client_recv(c, deadline) == 1)
		continue;
}
