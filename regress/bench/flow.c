/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "regress/bench/load.h"

/*
 * A payload is its sequence number, its sender, the time at which it was sent,
 * and a piece of a table of random bytes; which piece depends on the first
 * two.  So every byte can be verified at the speed of memcmp, and a payload
 * that arrives at the wrong place, out of order or changed does not pass.
 */
#define PIECES    65536
#define SEND_SIZE (1U << 20)
#define COMPLAIN  10 /* lines about errors */

static uint8_t table[PIECES + PAYLOAD_MAX];
static uint8_t buffer[SEND_SIZE + PAYLOAD_MAX + WIRE_HEAD];

void
flow_init(void)
{
	uint64_t x = 0x9e3779b97f4a7c15ULL;
	size_t i;

	for (i = 0; i < sizeof(table); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (uint8_t)(x >> 32);
	}
}

static const uint8_t *
flow_piece(uint32_t sender, uint32_t seq)
{
	return (table + ((seq * 2654435761U + sender * 40503U) >> 8) % PIECES);
}

/* Writes a payload of load.size bytes. */
void
flow_fill(uint8_t *p, uint32_t sender, uint32_t seq, uint64_t stamp)
{
	memcpy(p, &seq, 4);
	memcpy(p + 4, &sender, 4);
	memcpy(p + 8, &stamp, 8);
	memcpy(p + STAMP_LEN, flow_piece(sender, seq), load.size - STAMP_LEN);
}

static void
flow_error(
    const struct peer *p, const char *what, uint32_t is, uint32_t expected)
{
	if (load.errors++ < COMPLAIN)
		fprintf(stderr, "load: at %.3f, node %u: %s: %u, expected %u\n",
		    (double)load.now / SECOND, p->node, what, is, expected);
}

static void
flow_lost(const struct peer *p, uint32_t n)
{
	if (p->received < p->forgiven)
		load.cut += n;
	else
		load.lost += n;
}

/* One packet has come to p: verifies all of it. */
void
flow_delivered(
    struct peer *p, uint32_t sender, const uint8_t *payload, size_t len)
{
	uint64_t stamp;
	uint32_t claimed, seq;

	if (p->mate == NULL || sender != p->mate->node) {
		flow_error(
		    p, "sender", sender, p->mate == NULL ? 0 : p->mate->node);
		return;
	}
	if (len != load.size) {
		flow_error(p, "length", (uint32_t)len, load.size);
		return;
	}
	memcpy(&seq, payload, 4);
	memcpy(&claimed, payload + 4, 4);
	memcpy(&stamp, payload + 8, 8);
	if (seq < p->received || seq >= p->mate->sent) {
		flow_error(p, "sequence number", seq, p->received);
		return;
	}
	/* What was lost is so once. */
	if (seq > p->received && seq > p->forgiven && p->via != VIA_UDP &&
	    p->mate->via != VIA_UDP)
		flow_error(p, "sequence number", seq, p->received);
	if (claimed != sender ||
	    memcmp(payload + STAMP_LEN, flow_piece(sender, seq),
		len - STAMP_LEN) != 0) {
		flow_error(p, "changed payload of packet", seq, seq);
		return;
	}
	flow_lost(p, seq - p->received);
	p->arrived += seq - p->received + 1;
	p->received = seq + 1;
	load.delivered++;
	hist_add(&load.latency, load.now - stamp);
	if (p->latency != NULL)
		hist_add(p->latency, load.now - stamp);
}

/* The packets of one wake-up have arrived at p: replaces them. */
void
flow_arrived(struct peer *p)
{
	uint32_t n;

	n = p->arrived;
	p->arrived = 0;
	if (n != 0 && load.refill)
		flow_send(load.echo ? p : p->mate, n, load.now);
}

/* Datagrams get lost: what was sent before the last look is replaced, too. */
void
flow_look(struct peer *p)
{
	uint32_t missing;

	if (p->mate == NULL)
		return;
	if (p->looked > p->received) {
		missing = p->looked - p->received;
		flow_lost(p, missing);
		p->received += missing;
		p->arrived += missing;
		flow_arrived(p);
	}
	p->looked = p->mate->sent;
}

static uint32_t
send_stream(struct peer *p, uint32_t n, uint64_t stamp)
{
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < n && len < SEND_SIZE; i++)
		len += wire_packet(p, buffer + len, stamp);
	peer_write(p, buffer, len);
	return (i);
}

static uint32_t
send_datagrams(struct peer *p, uint32_t n, uint64_t stamp)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	size_t len = 0, one;
	uint32_t first, i;

	first = p->sent;
	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < n && i < BATCH && len < SEND_SIZE; i++) {
		one = wire_packet(p, buffer + len, stamp);
		iov[i].iov_base = buffer + len;
		iov[i].iov_len = one;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		len += one;
	}
	i = peer_datagrams(p, msgs, i);
	p->sent = first + i;
	return (i);
}

/* Sends n packets from p to its mate, now or when the kernel takes them. */
void
flow_send(struct peer *p, uint32_t n, uint64_t stamp)
{
	uint32_t sent;

	if (load.limit != 0 && n > load.limit - load.sent)
		n = (uint32_t)(load.limit - load.sent);
	load.sent += n;
	n += p->credit;
	p->credit = 0;
	while (n != 0 && !p->writing && p->state == PEER_OPEN) {
		if (p->via == VIA_UDP)
			sent = send_datagrams(p, n, stamp);
		else
			sent = send_stream(p, n, stamp);
		n -= sent;
	}
	p->credit = n;
}
