/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"
#include "worker/limit.h"
#include "worker/packet.h"

/* Who is told whose address, and who is not told any. */

static struct imsgbuf auth;
static uint8_t own[4][64];
static int nown;

/* The commands that left, in order: by which way, and whose address. */
static struct command {
	int by_session; /* boolean */
	uint32_t slot;
	struct endpoint to, about;
} commands[4];
static int ncommands;

uint8_t *
burst_own(struct worker *of)
{
	return (own[nown++ % 4] + FRAME_HEADROOM);
}

static struct command *
command(const uint8_t *packet)
{
	struct command *c;

	c = &commands[ncommands++ % 4];
	memset(c, 0, sizeof(*c));
	if (packet[0] == PACKET_PUNCH_COMMAND && packet[1] == 4) {
		memcpy(c->about.addr + 10, "\xff\xff", 2);
		memcpy(c->about.addr + 12, packet + 2, 4);
		c->about.port = (uint16_t)(packet[6] << 8 | packet[7]);
	}
	return (c);
}

int
session_write_frame(struct worker *of, uint32_t slot, uint32_t generation,
    uint8_t *frame, size_t len)
{
	struct command *c;

	c = command(frame);
	c->by_session = 1;
	c->slot = slot;
	return (1);
}

void
udp_send(
    struct worker *of, const struct path *path, uint8_t *packet, size_t len)
{
	command(packet)->to = path->far;
}

/* Node is at 192.0.2.node, port 4000, heard so many seconds ago. */
static struct peermap_entry *
heard(uint32_t node, uint32_t age)
{
	struct peermap_entry *entry;
	struct endpoint at;

	entry = parts_know(node);
	memset(entry, 0, sizeof(*entry));
	entry->node = node;
	at = parts_endpoint((uint8_t)node, 4000);
	memcpy(entry->addr, at.addr, sizeof(entry->addr));
	entry->port = at.port;
	entry->seen = w.now - age;
	return (entry);
}

static int
is_at(const struct endpoint *end, uint8_t host, uint16_t port)
{
	struct endpoint at;

	at = parts_endpoint(host, port);
	return (memcmp(end->addr, at.addr, 16) == 0 && end->port == port);
}

/* Node a wants to get at b, and asks from port `port` of 192.0.2.from. */
static void
asks_from(uint8_t a, uint8_t b, uint8_t from, uint16_t port, int is_endpoint,
    size_t len)
{
	uint8_t packet[PACKET_PUNCH_GRANT_LEN];
	struct path path;

	memset(packet, 0, sizeof(packet));
	packet[0] = PACKET_PUNCH_REQUEST;
	packet[4] = a;
	packet[8] = b;
	packet[16] = 99; /* the grant's expiry */
	packet[17] = 's';
	path = parts_path(from, port);
	ncommands = 0;
	punch_request(&w, &path, is_endpoint, packet, len);
}

static void
asks(uint8_t a, uint8_t b, uint8_t from, int is_endpoint, size_t len)
{
	asks_from(a, b, from, 5000, is_endpoint, len);
}

static void
asks_by_session(uint8_t a, uint8_t b, uint8_t from)
{
	asks_from(a, b, from, 0, 0, PACKET_PUNCH_LEN);
}

static void
test_each_is_told_of_the_other(void)
{
	uint64_t punches;

	punches = COUNTED(PUNCHES);
	(void)heard(1, 0);
	(void)heard(2, 0);
	/* From where it asks just now, whatever the map has. */
	asks(1, 2, 3, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2 && COUNTED(PUNCHES) == punches + 1);
	CHECK(is_at(&commands[0].to, 3, 5000));
	CHECK(is_at(&commands[0].about, 2, 4000));
	CHECK(is_at(&commands[1].to, 2, 4000));
	CHECK(is_at(&commands[1].about, 3, 5000));
	/* That is not taken for its address: the map's is. */
	asks(1, 2, 3, 0, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2 && is_at(&commands[0].to, 1, 4000));
	CHECK(is_at(&commands[1].about, 1, 4000));
}

static void
test_by_its_session_if_that_is_here(void)
{
	struct peermap_entry *entry;

	(void)heard(1, 0);
	entry = heard(2, 0);
	entry->generation = 5;
	entry->worker = w.hello.worker = 1;
	entry->slot = 77;
	asks(1, 2, 1, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2 && !commands[0].by_session);
	CHECK(commands[1].by_session && commands[1].slot == 77);
	/* Another worker's: the datagram reaches it all the same. */
	entry->worker = 0;
	asks(1, 2, 1, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2 && !commands[1].by_session);
}

static void
test_an_address_that_is_not_known_any_more(void)
{
	uint64_t unknown;

	unknown = COUNTED(PUNCH_UNKNOWN);
	(void)heard(1, 0);
	(void)heard(2, ENDPOINT_EXPIRE);
	asks(1, 2, 1, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 0 && COUNTED(PUNCH_UNKNOWN) == unknown + 1);
	asks(1, 9, 1, 1, PACKET_PUNCH_LEN); /* nobody */
	CHECK(ncommands == 0);
	/* By WebSocket, and never heard by UDP. */
	(void)heard(2, 0);
	heard(1, 0)->port = 0;
	asks(1, 2, 1, 0, PACKET_PUNCH_LEN);
	CHECK(ncommands == 0 && COUNTED(PUNCH_UNKNOWN) == unknown + 3);
}

static void
test_so_many_a_second_of_a_source_and_in_all(void)
{
	uint64_t rate;
	uint8_t i;

	rate = COUNTED(PUNCH_RATE);
	(void)heard(1, 0);
	(void)heard(2, 0);
	w.settings.punch_source_limit = 2;
	w.settings.punch_total_limit = 5;
	for (i = 0; i < 3; i++)
		asks(1, 2, 10, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 0 && COUNTED(PUNCH_RATE) == rate + 1);
	for (i = 11; i < 14; i++)
		asks(1, 2, i, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2);
	asks(1, 2, 14, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 0 && COUNTED(PUNCH_RATE) == rate + 2);
	w.now++;
	asks(1, 2, 10, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2);
}

static void
test_exempt_networks(void)
{
	struct msg_address msg;
	struct endpoint at;
	uint32_t i;

	(void)heard(1, 0);
	(void)heard(2, 0);
	memset(&msg, 0, sizeof(msg));
	at = parts_endpoint(64, 0);
	memcpy(msg.addr, at.addr, sizeof(msg.addr));
	msg.prefix = 96 + 26;
	CHECK(punch_exempt(&w, &msg) == NULL);
	msg.prefix = PROTO_PREFIX_NONE;
	CHECK(punch_exempt(&w, &msg) == NULL);
	w.now++;
	for (i = 0; i < 20; i++) {
		asks(1, 2, 127, 1, PACKET_PUNCH_LEN);
		CHECK(ncommands == 2);
	}
	for (i = 0; i < 20; i++)
		asks(1, 2, 128, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 0);
	msg.prefix = 129;
	CHECK(punch_exempt(&w, &msg) != NULL);
}

/* Many peers have the address of their proxy, if that is all it tells. */
static void
test_a_proxy_is_no_source(void)
{
	struct msg_address msg;
	struct endpoint at;

	memset(&msg, 0, sizeof(msg));
	at = parts_endpoint(200, 0);
	memcpy(msg.addr, at.addr, sizeof(msg.addr));
	msg.prefix = 128;
	(void)networks_take(&w.proxies, &msg);
	msg.prefix = PROTO_PREFIX_NONE;
	(void)networks_take(&w.proxies, &msg);
	w.settings.punch_source_limit = 1;
	w.settings.punch_total_limit = 3;
	w.now++;
	asks_by_session(1, 2, 200);
	CHECK(ncommands == 2);
	asks_by_session(1, 2, 200);
	asks_by_session(1, 2, 200);
	CHECK(ncommands == 2);
	asks_by_session(1, 2, 200);
	CHECK(ncommands == 0);
	w.now++;
	/* What it asks by UDP is of itself. */
	asks(1, 2, 200, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 2);
	asks(1, 2, 200, 1, PACKET_PUNCH_LEN);
	CHECK(ncommands == 0);
	w.settings.punch_source_limit = w.settings.punch_total_limit = 0;
}

/* With a grant, which is auth's to look at. */
static void
test_a_grant_is_waited_for(void)
{
	struct msg_granted answer;
	struct msg_grant msg;
	uint64_t refused;

	refused = COUNTED(PUNCH_GRANT);
	w.settings.require_punch_grant = 1;
	asks(1, 2, 3, 1, PACKET_PUNCH_GRANT_LEN - 1);
	CHECK(ncommands == 0 && COUNTED(PUNCH_GRANT) == refused + 1);
	asks(1, 2, 3, 1, PACKET_PUNCH_GRANT_LEN);
	CHECK(ncommands == 0);
	CHECK(parts_told(&w.auth, &auth, WA_GRANT, &msg, sizeof(msg)) == 1);
	CHECK(msg.requester == 1 && msg.target == 2 && msg.expiry == 99);
	CHECK(msg.sig[0] == 's' && msg.request != 0);
	answer.request = msg.request;
	answer.ok = 1;
	punch_granted(&w, &answer);
	CHECK(ncommands == 2 && is_at(&commands[0].to, 3, 5000));
	/* Once. */
	ncommands = 0;
	punch_granted(&w, &answer);
	CHECK(ncommands == 0);
	asks(1, 2, 3, 1, PACKET_PUNCH_GRANT_LEN);
	answer.request++;
	answer.ok = 0;
	punch_granted(&w, &answer);
	CHECK(ncommands == 0 && COUNTED(PUNCH_GRANT) == refused + 2);
	/* Of a request that there never was. */
	answer.request = 0;
	answer.ok = 1;
	punch_granted(&w, &answer);
	answer.request = UINT32_MAX;
	punch_granted(&w, &answer);
	CHECK(ncommands == 0);
}

/* The oldest that waits makes room. */
static void
test_more_grants_than_may_wait(void)
{
	struct msg_granted answer;
	uint32_t i, first;
	uint64_t full;

	full = COUNTED(GRANTS_FULL);
	w.punch.last_grant = UINT32_MAX - 10; /* and it goes round */
	asks(1, 2, 3, 1, PACKET_PUNCH_GRANT_LEN);
	first = w.punch.last_grant;
	for (i = 1; i < GRANTS_MAX; i++)
		asks(1, 2, 3, 1, PACKET_PUNCH_GRANT_LEN);
	CHECK(w.punch.last_grant < GRANTS_MAX);
	answer.request = w.punch.last_grant;
	answer.ok = 1;
	punch_granted(&w, &answer);
	CHECK(ncommands == 2);
	for (i = 0; i < GRANTS_MAX; i++)
		asks(1, 2, 3, 1, PACKET_PUNCH_GRANT_LEN);
	CHECK(COUNTED(GRANTS_FULL) > full);
	answer.request = first;
	punch_granted(&w, &answer);
	CHECK(ncommands == 0);
	w.settings.require_punch_grant = 0;
}

int
main(void)
{
	parts_loop();
	parts_channel(&w.auth, &auth);
	(void)parts_map();
	w.now = 1000;
	w.punch.sources = limit_new();
	RUN(test_each_is_told_of_the_other);
	RUN(test_by_its_session_if_that_is_here);
	RUN(test_an_address_that_is_not_known_any_more);
	RUN(test_so_many_a_second_of_a_source_and_in_all);
	RUN(test_exempt_networks);
	RUN(test_a_proxy_is_no_source);
	RUN(test_a_grant_is_waited_for);
	RUN(test_more_grants_than_may_wait);
	return (test_failed());
}
