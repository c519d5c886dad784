/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * Whole sessions at a worker: the input is a program of what clients, other
 * beacons' daemons, another worker, auth, the parent, the kernel and the clock
 * do.  Whatever it is, what the worker sends is well-formed, payloads arrive
 * whole, in order and once, what is lost is counted, and in the end the worker
 * has nothing more than it began with.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/proto.h"
#include "common/ws_frame.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/world.h"
#include "worker/packet.h"

static const uint16_t lengths[16] = { 0, 1, 8, 64, 112, 113, 512, 1231, 1391,
	1400, 2036, 2048, 4200, 16000, 32759, 32768 };

static size_t
length(uint8_t choice)
{
	return ((size_t)lengths[choice & 0xf] + (choice >> 4));
}

static void
act_head(struct client *c, struct input *input)
{
	char head[512];
	const uint8_t *bytes;
	uint8_t how;
	size_t n;
	int len;

	how = input_u8(input);
	if (c->tx_len != 0 || c->total != 0 || (how & 0x0f) == 0x0f) {
		bytes = input_bytes(input, how >> 4, &n);
		c->wild = 1;
		ledger_wild(c->party);
		client_add(c, bytes, n);
		client_add(c, "\r\n\r\n", 4);
		return;
	}
	c->head = (how & 0x30) == 0x30;
	len = snprintf(head, sizeof(head),
	    "%s %s HTTP/1.1\r\nHost: beacon.example\r\n%s%s%s\r\n",
	    c->head ? "HEAD" : "GET", how & 0x20 ? "/health" : "/v1/compat",
	    how & 0x10 ? ""
		       : "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			 "Sec-WebSocket-Version: 13\r\n"
			 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
	    how & 0x01 ? "Sec-WebSocket-Protocol: pilot.v1\r\n" : "",
	    how & 0x02 ? "X-Forwarded-For: 192.0.2.9\r\n" : "");
	REQUIRE(len > 0 && (size_t)len < sizeof(head));
	client_add(c, head, (size_t)len);
}

/* A message in fragments, as many as `cuts` has bits. */
static void
add_message(struct client *c, int opcode, const uint8_t *bytes, size_t len,
    uint8_t cuts)
{
	size_t n;
	int first;

	first = opcode;
	for (; (cuts & 1) != 0; cuts >>= 1) {
		n = cuts & 2 ? len / 2 : len > 0;
		client_frame(c, first, bytes, n);
		if (cuts & 4)
			client_ping(c, n);
		bytes += n;
		len -= n;
		first = WS_CONTINUATION;
	}
	client_frame(c, 0x80 | first, bytes, len);
}

static void
act_reply(struct client *c, struct input *input)
{
	char sig64[sodium_base64_ENCODED_LEN(
	    PROTO_SIG_LEN, sodium_base64_VARIANT_ORIGINAL)];
	uint8_t sig[PROTO_SIG_LEN];
	char json[256];
	uint8_t how;
	int len;

	how = input_u8(input);
	if (c->node != 0) { /* again */
		c->wild = 1;
		ledger_wild(c->party);
	}
	c->node = 1 + how % NODES;
	ledger_sign(c->party, sig);
	sodium_bin2base64(sig64, sizeof(sig64), sig, sizeof(sig),
	    sodium_base64_VARIANT_ORIGINAL);
	len = snprintf(json, sizeof(json),
	    "{\"type\":\"auth_reply\",\"node_id\":%u,\"sig\":\"%s\"}", c->node,
	    sig64);
	REQUIRE(len > 0 && (size_t)len < sizeof(json));
	add_message(c, WS_TEXT, (uint8_t *)json, (size_t)len, how >> 3 & 7);
}

/* A packet of the client's node; unless it is logged in, who knows. */
static void
act_relay(struct client *c, struct input *input)
{
	static uint8_t packet[PACKET_RELAY_LEN + 32768 + 16];
	uint32_t dest;
	uint8_t cuts, how;
	size_t len;

	how = input_u8(input);
	len = length(input_u8(input));
	cuts = how & 0x80 ? input_u8(input) : 0;
	dest = 1 + how % NODES;
	if (!client_logged_in(c)) {
		c->wild = 1;
		ledger_wild(c->party);
	}
	if (client_room(c, PACKET_RELAY_LEN + len + 512) == NULL)
		return;
	packet[0] = PACKET_RELAY;
	packet_put_u32(packet + 1, c->node);
	packet_put_u32(packet + 5, dest);
	ledger_write(c->party, c->node, dest, packet + PACKET_RELAY_LEN, len);
	add_message(c, WS_BINARY, packet, PACKET_RELAY_LEN + len, cuts);
}

/* Any bytes; in a frame or just so. */
static void
act_bytes(struct client *c, struct input *input)
{
	const uint8_t *bytes;
	uint8_t first;
	size_t n;

	bytes = input_bytes(input, input_u8(input), &n);
	c->wild = 1;
	ledger_wild(c->party);
	first = n > 0 ? *bytes : 0;
	if (n > 0 && (first & 0x40) == 0)
		client_frame(c, first, bytes + 1, n - 1);
	else
		client_add(c, bytes, n);
}

/* A packet that is no Relay, or one that claims too much. */
static void
act_packet(struct client *c, struct input *input)
{
	uint8_t packet[128];
	const uint8_t *bytes;
	uint8_t how;
	size_t n;

	how = input_u8(input);
	bytes = input_bytes(input, how >> 4, &n);
	memset(packet, 0, sizeof(packet));
	packet[0] = how & 0xf;
	packet_put_u32(packet + 1, c->node);
	memcpy(packet + 5, bytes, n);
	if (packet[0] == PACKET_RELAY) /* for which no ledger is kept */
		packet_put_u32(packet + 1, c->node + 1);
	if (!client_logged_in(c)) {
		c->wild = 1;
		ledger_wild(c->party);
	}
	add_message(c, WS_BINARY, packet, 5 + n + (how & 0x80 ? 72 : 0), 0);
}

static void
act_close(struct client *c, struct input *input)
{
	uint8_t frame[WS_CONTROL_MAX + 2];
	uint8_t how;
	size_t n;

	how = input_u8(input);
	n = ws_close_build(frame, 1000 + (how & 0xf), how & 0x10 ? "bye" : "");
	client_frame(c, 0x80 | WS_CLOSE, frame + 2, how & 0x20 ? 0 : n - 2);
	c->wild = 1;
	ledger_wild(c->party);
}

static void
act_client(uint8_t what, struct input *input)
{
	struct client *c;
	uint8_t how;

	how = input_u8(input);
	c = &clients[how % CLIENTS];
	if (what == 0) {
		client_connect(c, input_u8(input));
		return;
	}
	if (c->fd == -1)
		return;
	switch (what) {
	case 1:
		act_head(c, input);
		break;
	case 2:
		act_reply(c, input);
		break;
	case 3:
	case 4:
		act_relay(c, input);
		break;
	case 5:
		act_bytes(c, input);
		break;
	case 6:
		act_packet(c, input);
		break;
	case 7:
		client_ping(c, input_u8(input));
		break;
	case 8:
		act_close(c, input);
		break;
	case 9:
		(void)client_push(c, input_u16(input));
		return;
	case 10:
		(void)client_read(c, input_u16(input));
		return;
	default:
		client_hang_up(c);
		return;
	}
	/* All at once, in two pieces, or with what comes next. */
	if (how & 0x40)
		return;
	if (how & 0x80) {
		(void)client_push(c, c->tx_len / 2 + 1);
		(void)loop_turn();
	}
	(void)client_push(c, sizeof(c->tx));
}

static void
act_datagram(struct input *input)
{
	static uint8_t packet[PACKET_RELAY_LEN + 32768 + 16];
	const uint8_t *bytes;
	uint32_t source;
	uint8_t how;
	size_t n;

	how = input_u8(input);
	source = how % SOURCES;
	if (how & 0x80) {
		n = length(input_u8(input));
		how = input_u8(input);
		packet[0] = PACKET_RELAY;
		packet_put_u32(packet + 1, 1 + (how & 7));
		packet_put_u32(packet + 5, 1 + (how >> 3 & 7));
		ledger_write(PARTY_UDP + source, 1 + (how & 7),
		    1 + (how >> 3 & 7), packet + PACKET_RELAY_LEN, n);
		net_datagram(source, packet, PACKET_RELAY_LEN + n);
		return;
	}
	bytes = input_bytes(input, input_u8(input), &n);
	net_datagram(source, bytes, n);
}

static void
act_sibling(struct input *input)
{
	static uint8_t message[IMSG_HEADER_SIZE + 32768 + 16];
	struct imsg_header header;
	const uint8_t *bytes;
	uint8_t how;
	size_t n;

	how = input_u8(input);
	if (how == 0xff) {
		bytes = input_bytes(input, input_u8(input), &n);
		sibling_spoil();
		sibling_send(bytes, n);
		return;
	}
	if (how & 0x40) {
		(void)sibling_read(input_u16(input));
		return;
	}
	n = length(input_u8(input));
	if (n > 32768) {
		sibling_spoil();
		n = 32769;
	}
	header.type = WW_PACKET;
	header.len = (uint32_t)(sizeof(header) + n);
	header.pid = 1 + (how & 7);
	header.peerid = 1 + (how >> 3 & 7);
	memcpy(message, &header, sizeof(header));
	ledger_write(PARTY_SIBLING, header.pid, header.peerid,
	    message + sizeof(header), n);
	sibling_send(message, sizeof(header) + n);
}

static void
act_time(struct input *input)
{
	static const uint16_t milliseconds[8] = { 1, 50, 250, 1000, 3000, 10000,
		30000, 60000 };
	uint8_t how;
	int i;

	how = input_u8(input);
	if (how & 0x80) {
		fuzz_move_wall(how & 0x40 ? -3600 : 3600);
		return;
	}
	for (i = 0; i <= (how >> 3); i++) {
		fuzz_pass(milliseconds[how & 7]);
		(void)loop_turn();
	}
}

static void
act(struct input *input)
{
	struct input again;
	uint8_t what;
	int most;

	what = input_u8(input);
	if ((what & 0x1f) == 28 && input->size > 0 &&
	    (input->data[0] & 0x1f) != 28) {
		/* The next one several times; up to queues that are full. */
		again = *input;
		for (most = what & 0xe0; most >= 0; most -= 8) {
			*input = again;
			act(input);
		}
		return;
	}
	switch (what & 0x1f) {
	case 16:
	case 17:
		act_datagram(input);
		break;
	case 18:
	case 19:
		act_sibling(input);
		break;
	case 20:
	case 21:
		world_parent_says(input);
		break;
	case 22:
		world_judge(what >> 5, input_u8(input));
		break;
	case 23:
		world_nonces(1U + (what >> 5));
		break;
	case 24:
		act_time(input);
		break;
	case 25:
		net_mood(input_u8(input));
		break;
	case 26:
		loop_order(input_u8(input));
		break;
	case 29:
		net_little(input_u8(input));
		break;
	case 27:
		world.prompt = what >> 5 & 1;
		break;
	default:
		act_client(what & 0xf, input);
		break;
	}
	/* Most of the time, what follows from it happens before the next. */
	most = what & 0x80 ? 0 : what & 0x40 ? 1 : 8;
	while (most-- > 0 && loop_turn() + world_hear() > 0)
		continue;
}

/* All that was sent is read, by everybody. */
static void
settle(void)
{
	int i, n, turns;

	net_mood(0);
	net_little(0);
	world_still_over();
	for (turns = 0, n = 1; n > 0; turns++) {
		REQUIRE(turns < 10000);
		n = loop_turn() + world_hear() + sibling_read(SIZE_MAX);
		for (i = 0; i < CLIENTS; i++) {
			n += client_push(&clients[i], SIZE_MAX);
			n += client_read(&clients[i], SIZE_MAX);
		}
	}
}

/* Every session ends: clients hang up, or nobody ever says anything again. */
static void
finish(int patient)
{
	int i;

	world.prompt = 1;
	world_nonces(PROTO_NONCES_MAX);
	for (i = 0; patient && i < 20; i++) {
		fuzz_pass(10000);
		(void)loop_turn();
	}
	for (i = 0; i < CLIENTS; i++) {
		if (clients[i].fd != -1 && patient) {
			while (client_read(&clients[i], SIZE_MAX) > 0)
				continue;
			REQUIRE(clients[i].eof);
		}
		client_hang_up(&clients[i]);
	}
	settle();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world_start();
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint8_t how;

	fuzz_descriptors_mark();
	ledger_begin(data, size);
	clients_begin();
	how = input_u8(&input);
	world_begin(how & 0x80 ? input_u8(&input) : 0);
	world.prompt = how & 1;
	loop_order(0);
	while (input.size > 0)
		act(&input);
	settle();
	world_settled();
	finish(how & 2);
	world_rest();
	net_rest();
	sibling_rest();
	world_map_clear();
	settle();
	fuzz_descriptors_check();
	return (0);
}
