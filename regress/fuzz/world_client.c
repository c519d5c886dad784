/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/ws_frame.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/world.h"
#include "worker/packet.h"

/*
 * Clients.  Whatever they send, what they get is held against doc/protocol.md:
 * an HTTP answer, or a 101 and frames, each of which may come where it comes.
 */
enum state {
	CLIENT_HEAD,      /* an HTTP answer is to come */
	CLIENT_BODY,      /* the rest of it, then the end */
	CLIENT_CHALLENGE, /* a challenge */
	CLIENT_LOGIN,     /* whether the reply was right */
	CLIENT_PEER,      /* packets */
	CLIENT_OVER       /* nothing: a close frame was there */
};

#define DELIVERY_LEN 32768 /* longest message to a client */

struct client clients[CLIENTS];
static uint32_t parties; /* numbers given out in this run */
static uint32_t frames;  /* binary ones that were read in it */

void
clients_begin(void)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	parties = PARTY_CLIENT;
	frames = 0;
}

uint32_t
clients_frames(void)
{
	return (frames);
}

/* Who has that number, if he is still there. */
struct client *
client_of(uint32_t party)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		if (clients[i].fd != -1 && clients[i].party == party)
			return (&clients[i]);
	return (NULL);
}

int
client_logged_in(const struct client *c)
{
	return (c->fd != -1 && c->state == CLIENT_PEER);
}

void
client_hang_up(struct client *c)
{
	if (c->fd == -1)
		return;
	(void)close(c->fd);
	c->fd = -1;
	ledger_wild(c->party);
	world.ended = 1;
}

/* With what a proxy begins a connection; some do not do it well, or not yet. */
static void
client_header(struct client *c, int which)
{
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
	static const struct {
		const char *bytes;
		size_t len;
	} headers[8] = {
#define HEADER(s) { s, sizeof(s) - 1 }
		HEADER("PROXY TCP4 192.0.2.9 192.0.2.1 4711 443\r\n"),
		HEADER("PROXY TCP6 2001:db8::9 ::1 4711 443\r\n"),
		HEADER(SIGNATURE "\x21\x11\0\x0f\xc0\0\x02\x09\xc0\0\x02\x01"
				 "\x12\x67\x01\xbb\x04\0\0"),
		HEADER("PROXY UNKNOWN\r\n"),
		HEADER(SIGNATURE "\x20\0\0\0"),
		HEADER("PROXY TCP4 127.0.0.3 127.0.0.1 4711 443\r\n"),
		HEADER(SIGNATURE "\x21\x11"),
		HEADER(""),
#undef HEADER
	};

	client_add(c, headers[which].bytes, headers[which].len);
	(void)client_push(c, sizeof(c->tx));
}

/*
 * how: from where it comes, how little the worker's kernel holds for it, and
 * whether a header of the PROXY protocol comes first, and which.
 */
void
client_connect(struct client *c, uint8_t how)
{
	static const int little = 1;
	uint8_t addr[16];
	uint16_t port;
	int pair[2];

	client_hang_up(c);
	if (parties == PARTIES)
		return;
	REQUIRE(channel_pair(pair) == 0);
	if (how & 0x80)
		REQUIRE(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &little,
			    sizeof(little)) == 0);
	memset(c, 0, offsetof(struct client, rx));
	c->fd = pair[0];
	c->server = pair[1];
	c->party = parties++;
	net_source(how & 3, addr, &port);
	if (how & 4) { /* a proxy on the same machine */
		memset(addr + 12, 0, 4);
		addr[12] = 127;
		addr[15] = 1;
	}
	net_offer(pair[1], addr, port, how & 0x40);
	if (how & 0x40)
		client_header(c, how >> 3 & 7);
}

/*
 * One that has been a peer of another worker; returns that one's end, of which
 * the kernel holds little if the node is an odd one.
 */
int
client_come(struct client *c, uint32_t node)
{
	static const int little = 1;
	int pair[2];

	client_hang_up(c);
	if (parties == PARTIES)
		return (-1);
	REQUIRE(channel_pair(pair) == 0);
	memset(c, 0, offsetof(struct client, rx));
	if (node & 1)
		REQUIRE(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &little,
			    sizeof(little)) == 0);
	c->fd = pair[0];
	c->server = -1;
	c->party = parties++;
	c->node = node;
	c->open = 1;
	c->state = CLIENT_PEER;
	return (pair[1]);
}

/* Room for len bytes that are to be sent, or NULL. */
uint8_t *
client_room(struct client *c, size_t len)
{
	if (c->fd == -1 || len > sizeof(c->tx) - c->tx_len)
		return (NULL);
	return (c->tx + c->tx_len);
}

void
client_add(struct client *c, const void *bytes, size_t len)
{
	uint8_t *to;

	to = client_room(c, len);
	if (to == NULL)
		return;
	memcpy(to, bytes, len);
	c->tx_len += len;
}

/* A masked frame; first is its first octet, FIN and all. */
void
client_frame(struct client *c, int first, const uint8_t *payload, size_t len)
{
	static const uint8_t mask[WS_MASK_LEN] = { 0x11, 0, 0xfe, 0x80 };
	uint8_t header[WS_HEADER_MAX], *to;
	size_t n;

	n = ws_header_build_masked(header, first & 0x7f, len, mask);
	header[0] = (uint8_t)first;
	to = client_room(c, n + len);
	if (to == NULL)
		return;
	memcpy(to, header, n);
	ws_unmask(to + n, payload, len, mask, 0);
	c->tx_len += n + len;
}

void
client_ping(struct client *c, size_t len)
{
	uint8_t payload[WS_CONTROL_MAX];
	size_t i;

	len %= sizeof(payload) + 1;
	c->pings++;
	for (i = 0; i < len; i++)
		payload[i] = (uint8_t)(c->pings + i);
	if (len >= sizeof(c->pings))
		memcpy(payload, &c->pings, sizeof(c->pings));
	client_frame(c, 0x80 | WS_PING, payload, len);
}

/* Sends up to so many of the bytes; returns how many there were. */
int
client_push(struct client *c, size_t most)
{
	ssize_t n;

	if (c->fd == -1 || c->tx_len == 0)
		return (0);
	if (most > c->tx_len)
		most = c->tx_len;
	n = send(c->fd, c->tx, most, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0)
		return (0);
	c->tx_len -= (size_t)n;
	memmove(c->tx, c->tx + n, c->tx_len);
	return ((int)n);
}

/* The value behind `name` in a head; NULL: it is not there. */
static const char *
field(const char *head, const char *name)
{
	const char *p;

	p = strstr(head, name);
	return (p == NULL ? NULL : p + strlen(name));
}

/* Returns the bytes that were understood; 0: more are needed. */
static size_t
take_head(struct client *c)
{
	char head[1024];
	const char *length;
	size_t len;
	uint8_t *end;
	int status;

	end = memmem(c->rx, c->rx_len, "\r\n\r\n", 4);
	REQUIRE(end != NULL || c->rx_len < sizeof(head));
	if (end == NULL)
		return (0);
	len = (size_t)(end - c->rx) + 4;
	REQUIRE(len < sizeof(head));
	memcpy(head, c->rx, len);
	head[len] = '\0';
	REQUIRE(strlen(head) == len && strncmp(head, "HTTP/1.1 ", 9) == 0);
	status = (int)strtol(head + 9, NULL, 10);
	REQUIRE(status == 101 || (status >= 200 && status <= 599));
	if (status == 101) {
		REQUIRE(field(head, "\r\nSec-WebSocket-Accept: ") != NULL);
		c->state = CLIENT_CHALLENGE;
		return (len);
	}
	length = field(head, "\r\nContent-Length: ");
	REQUIRE(length != NULL);
	c->left = strtoul(length, NULL, 10);
	c->state = CLIENT_BODY;
	return (len);
}

static size_t
take_body(struct client *c)
{
	size_t n;

	n = c->rx_len;
	REQUIRE(n <= c->left);
	c->left -= n;
	return (n);
}

static void
take_text(struct client *c, const char *text, size_t len)
{
	static const char ok[] = "{\"type\":\"auth_ok\"}";
	char json[256], hex[9];
	const char *nonce;
	uint32_t number;

	REQUIRE(len < sizeof(json));
	memcpy(json, text, len);
	json[len] = '\0';
	if (c->state == CLIENT_LOGIN) {
		REQUIRE(strcmp(json, ok) == 0 && (c->open || c->wild));
		c->state = CLIENT_PEER;
		return;
	}
	REQUIRE(c->state == CLIENT_CHALLENGE);
	nonce = field(json, "{\"type\":\"auth_challenge\",\"nonce\":\"");
	REQUIRE(nonce != NULL && strspn(nonce, "0123456789abcdef") == 64);
	memcpy(hex, nonce, 8);
	hex[8] = '\0';
	number = (uint32_t)strtoul(hex, NULL, 16);
	c->nonce = __builtin_bswap32(number);
	c->state = CLIENT_LOGIN;
}

static void
take_packet(struct client *c, const uint8_t *packet, size_t len)
{
	REQUIRE(c->state == CLIENT_PEER && len > 0 && len <= DELIVERY_LEN);
	frames++;
	switch (packet[0]) {
	case PACKET_DISCOVER_REPLY:
	case PACKET_PUNCH_COMMAND:
		REQUIRE(len == 8 || len == 20);
		REQUIRE(packet[1] == len - 4);
		break;
	case PACKET_DELIVER:
		REQUIRE(len >= PACKET_DELIVER_LEN);
		ledger_got(c->party, packet_u32(packet + 1),
		    c->wild ? 0 : c->node, packet + PACKET_DELIVER_LEN,
		    len - PACKET_DELIVER_LEN);
		break;
	default:
		REQUIRE(!"packet of no known type");
	}
}

/* Each answers a ping, and perhaps those before it. */
static void
take_pong(struct client *c, const uint8_t *payload, size_t len)
{
	uint32_t number;
	size_t i;

	REQUIRE(c->pings > c->ponged);
	if (len < sizeof(number))
		return;
	memcpy(&number, payload, sizeof(number));
	REQUIRE(number > c->ponged && number <= c->pings);
	for (i = sizeof(number); i < len; i++)
		REQUIRE(payload[i] == (uint8_t)(number + i));
	c->ponged = number;
}

static void
take_control(struct client *c, int opcode, const uint8_t *payload, size_t len)
{
	int code;

	REQUIRE(len <= WS_CONTROL_MAX);
	switch (opcode) {
	case WS_PING:
		REQUIRE(len == 0 && c->state == CLIENT_PEER);
		break;
	case WS_PONG:
		if (!c->wild)
			take_pong(c, payload, len);
		break;
	case WS_CLOSE:
		REQUIRE(ws_close_parse(payload, len, &code) == 0 && len >= 2);
		c->state = CLIENT_OVER;
		world.ended = 1;
		break;
	default:
		REQUIRE(!"opcode");
	}
}

static size_t
take_frame(struct client *c)
{
	struct ws_header h;
	uint8_t built[WS_HEADER_MAX], *payload;
	int r;

	r = ws_header_parse(c->rx, c->rx_len, &h);
	REQUIRE(r != -1);
	if (r == 0)
		return (0);
	REQUIRE(h.fin && !h.masked && c->state != CLIENT_OVER);
	REQUIRE(
	    ws_header_build(built, h.opcode, (size_t)h.payload_len) == h.len);
	REQUIRE(memcmp(built, c->rx, h.len) == 0);
	REQUIRE(h.payload_len <= DELIVERY_LEN);
	if (h.payload_len > c->rx_len - h.len)
		return (0);
	payload = c->rx + h.len;
	if (h.opcode == WS_TEXT)
		take_text(c, (char *)payload, (size_t)h.payload_len);
	else if (h.opcode == WS_BINARY)
		take_packet(c, payload, (size_t)h.payload_len);
	else
		take_control(c, h.opcode, payload, (size_t)h.payload_len);
	return (h.len + (size_t)h.payload_len);
}

static void
take_all(struct client *c)
{
	size_t n;

	do {
		if (c->state == CLIENT_HEAD)
			n = take_head(c);
		else if (c->state == CLIENT_BODY)
			n = take_body(c);
		else
			n = take_frame(c);
		c->rx_len -= n;
		memmove(c->rx, c->rx + n, c->rx_len);
	} while (n > 0);
}

/* The worker has hung up. */
static void
take_end(struct client *c)
{
	c->eof = 1;
	world.ended = 1;
	if (c->state == CLIENT_BODY)
		REQUIRE(c->left == 0 || c->head || c->wild || net_has_cut());
}

/* Reads up to so many bytes; returns how many there were. */
int
client_read(struct client *c, size_t most)
{
	ssize_t n;

	if (c->fd == -1 || c->eof)
		return (0);
	if (most > sizeof(c->rx) - c->rx_len)
		most = sizeof(c->rx) - c->rx_len;
	n = recv(c->fd, c->rx + c->rx_len, most, MSG_DONTWAIT);
	if ((n == 0 && most > 0) || (n == -1 && errno == ECONNRESET))
		take_end(c);
	if (n <= 0)
		return (0);
	if (c->deaf)
		return ((int)n);
	c->rx_len += (size_t)n;
	c->total += (uint64_t)n;
	if (c->server != -1)
		net_acked(c->server, c->total);
	take_all(c);
	return ((int)n);
}
