/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/ws_frame.h"
#include "regress/bench/load.h"

/* doc/protocol.md 4 */
#define DISCOVER_REPLY     2
#define RELAY              5
#define RELAY_LEN          9
#define RELAY_DELIVER      6
#define RELAY_DELIVER_LEN  5
#define RELAY_DELIVER_DEST 9

/* The records of the bare TCP relay. */
#define RECORD_LEN 8
#define HELLO_LEN  4

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (ntohl(v));
}

static void
put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

/* Masks need to differ here, not to be unforeseeable. */
static void
wire_mask(uint8_t mask[WS_MASK_LEN])
{
	static uint32_t x = 2463534242U;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	memcpy(mask, &x, WS_MASK_LEN);
}

/* Writes a client's frame; returns its size. */
size_t
wire_masked(uint8_t *buf, int opcode, const void *payload, size_t len)
{
	uint8_t mask[WS_MASK_LEN];
	size_t head;

	wire_mask(mask);
	head = ws_header_build_masked(buf, opcode, len, mask);
	memcpy(buf + head, payload, len);
	ws_unmask(buf + head, buf + head, len, mask, 0);
	return (head + len);
}

static size_t
wire_relay(struct peer *p, uint8_t *buf, uint64_t stamp)
{
	buf[0] = RELAY;
	put32(buf + 1, p->node);
	put32(buf + 5, p->mate->node);
	flow_fill(buf + RELAY_LEN, p->node, p->sent, stamp);
	return (RELAY_LEN + load.size);
}

/* Writes the next packet of p to its mate; returns its size on the wire. */
size_t
wire_packet(struct peer *p, uint8_t *buf, uint64_t stamp)
{
	uint8_t mask[WS_MASK_LEN];
	size_t head, len;

	switch (p->via) {
	case VIA_WS:
		wire_mask(mask);
		len = RELAY_LEN + load.size;
		head = ws_header_build_masked(buf, WS_BINARY, len, mask);
		(void)wire_relay(p, buf + head, stamp);
		ws_unmask(buf + head, buf + head, len, mask, 0);
		len += head;
		break;
	case VIA_TCP:
		put32(buf, load.size);
		put32(buf + 4, p->mate->node);
		flow_fill(buf + RECORD_LEN, p->node, p->sent, stamp);
		len = RECORD_LEN + load.size;
		break;
	default:
		len = wire_relay(p, buf, stamp);
		break;
	}
	p->sent++;
	return (len);
}

/* A packet from the beacon.  Returns 0, or -1 if there is no such packet. */
int
wire_datagram(struct peer *p, uint8_t *data, size_t len)
{
	if (len > RELAY_DELIVER_LEN && data[0] == RELAY_DELIVER) {
		flow_delivered(p, get32(data + 1), data + RELAY_DELIVER_LEN,
		    len - RELAY_DELIVER_LEN);
		return (0);
	}
	if (len > RELAY_LEN && data[0] == RELAY_DELIVER_DEST &&
	    get32(data + 5) == p->node) {
		flow_delivered(
		    p, get32(data + 1), data + RELAY_LEN, len - RELAY_LEN);
		return (0);
	}
	if (len >= 8 && data[0] == DISCOVER_REPLY && p->via == VIA_UDP) {
		if (p->state == PEER_HELLO)
			peer_opened(p);
		return (0);
	}
	return (-1);
}

static int
wire_close(struct peer *p, const uint8_t *data, size_t len)
{
	char why[160];
	int code;

	if (ws_close_parse(data, len, &code) == -1)
		code = 0;
	if (p->state < PEER_OPEN && load.again != 0) {
		peer_later(p);
		return (0);
	}
	snprintf(why, sizeof(why), "closed by the server: %d %.*s", code,
	    len > 2 ? (int)(len - 2) : 0, (const char *)data + 2);
	peer_failed(p, why);
	return (-1);
}

static int
wire_frame(struct peer *p, const struct ws_header *h, uint8_t *data)
{
	uint8_t pong[WS_CONTROL_MAX + WS_HEADER_MAX];
	size_t len;

	len = (size_t)h->payload_len;
	switch (h->opcode) {
	case WS_BINARY:
		return (wire_datagram(p, data, len));
	case WS_TEXT:
		return (login_text(p, data, len));
	case WS_PING:
		len = wire_masked(pong, WS_PONG, data, len);
		peer_write(p, pong, len);
		return (0);
	case WS_PONG:
		return (0);
	case WS_CLOSE:
		return (wire_close(p, data, len));
	default:
		return (-1);
	}
}

static long
wire_frames(struct peer *p, uint8_t *data, size_t len)
{
	struct ws_header h;
	size_t off = 0;
	int ret;

	while (p->state > PEER_LATER) {
		ret = ws_header_parse(data + off, len - off, &h);
		if (ret == -1 || (ret == 1 && (h.masked || !h.fin)))
			return (-1);
		if (ret == 0 || len - off - h.len < h.payload_len)
			break;
		if (wire_frame(p, &h, data + off + h.len) == -1)
			return (-1);
		off += h.len + (size_t)h.payload_len;
	}
	return ((long)off);
}

static long
wire_records(struct peer *p, uint8_t *data, size_t len)
{
	size_t off = 0, size;

	if (p->state == PEER_HELLO) {
		if (len < HELLO_LEN)
			return (0);
		if (get32(data) != p->node)
			return (-1);
		off = HELLO_LEN;
		peer_opened(p);
	}
	while (p->state == PEER_OPEN && len - off >= RECORD_LEN) {
		size = get32(data + off);
		if (size > PAYLOAD_MAX)
			return (-1);
		if (len - off - RECORD_LEN < size)
			break;
		flow_delivered(
		    p, get32(data + off + 4), data + off + RECORD_LEN, size);
		off += RECORD_LEN + size;
	}
	return ((long)off);
}

/*
 * Bytes from a stream.  Returns how many were used: the rest is the beginning
 * of something, and comes again with more.  -1: what came cannot be.
 */
long
wire_stream(struct peer *p, uint8_t *data, size_t len)
{
	long n, head;

	if (p->via == VIA_TCP)
		return (wire_records(p, data, len));
	if (p->state != PEER_UPGRADING)
		return (wire_frames(p, data, len));
	head = login_upgraded(p, data, len);
	if (head <= 0)
		return (head);
	p->state = PEER_CHALLENGE;
	n = wire_frames(p, data + head, len - (size_t)head);
	return (n == -1 ? -1 : head + n);
}
