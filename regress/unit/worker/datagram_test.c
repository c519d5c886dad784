/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/worker/parts.h"
#include "worker/limit.h"
#include "worker/packet.h"

/* Which datagrams count, and as what; what is done with them is others'. */

static const char *done;
static enum limit_excess excess = LIMIT_WITHIN;
static int beacon;        /* boolean: the source is another beacon */
static int endpoint_said; /* punch_request()'s is_endpoint */
static enum noted noted = NOTED;
static enum relay_source relayed;

void
discover(struct worker *of, const struct path *path,
    const struct peermap_entry *entry, const uint8_t *packet, size_t len)
{
	done = "discover";
}

void
discover_answer(struct worker *of, const struct path *path)
{
	done = "answer";
}

enum noted
discover_note(struct worker *of, uint32_t node, const struct path *path,
    const struct peermap_entry *entry, uint32_t flags, int answer)
{
	return (noted);
}

void
punch_request(struct worker *of, const struct path *path, int is_endpoint,
    const uint8_t *packet, size_t len)
{
	done = "punch";
	endpoint_said = is_endpoint;
}

void
relay_packet(struct worker *of, enum relay_source from, uint32_t *hint,
    uint8_t *packet, size_t len)
{
	done = "relay";
	relayed = from;
}

uint32_t
beacons_known(const struct worker *of, const struct endpoint *at, int port)
{
	return (beacon);
}

void
beacons_sync(struct worker *of, const struct path *path, const uint8_t *packet,
    size_t len)
{
	done = "sync";
}

enum limit_excess
limit_packet(struct source_table *table, const struct endpoint *at,
    uint32_t now, size_t len, const struct msg_settings *settings)
{
	return (excess);
}

/* What becomes of a datagram of node `node`, of that type and length. */
static const char *
comes(uint8_t type, uint8_t node, size_t len)
{
	uint8_t packet[100] = { type, 0, 0, 0, node };
	struct path path;

	path = parts_path(1, 4000);
	done = "dropped";
	datagram(&w, &path, packet, len);
	return (done);
}

#define COMES(type, node, len, what) (strcmp(comes(type, node, len), what) == 0)

static void
test_each_type_has_a_length(void)
{
	uint64_t shorts;

	shorts = COUNTED(DROP_SHORT);
	CHECK(COMES(PACKET_DISCOVER, 1, PACKET_DISCOVER_LEN, "discover"));
	CHECK(COMES(PACKET_DISCOVER_EX, 1, PACKET_DISCOVER_LEN, "discover"));
	CHECK(COMES(PACKET_PUNCH_REQUEST, 1, PACKET_PUNCH_LEN, "punch"));
	CHECK(COMES(PACKET_RELAY, 1, PACKET_RELAY_LEN, "relay"));
	CHECK(COMES(PACKET_SYNC, 1, PACKET_SYNC_LEN, "sync"));
	CHECK(COUNTED(DROP_SHORT) == shorts);
	CHECK(COMES(PACKET_DISCOVER, 1, PACKET_DISCOVER_LEN - 1, "dropped"));
	CHECK(COMES(PACKET_PUNCH_REQUEST, 1, PACKET_PUNCH_LEN - 1, "dropped"));
	CHECK(COMES(PACKET_RELAY, 1, PACKET_RELAY_LEN - 1, "dropped"));
	CHECK(COMES(PACKET_SYNC, 1, PACKET_SYNC_LEN - 1, "dropped"));
	CHECK(COMES(PACKET_RELAY, 1, 1, "dropped"));
	CHECK(COMES(PACKET_RELAY, 1, 0, "dropped"));
	CHECK(COUNTED(DROP_SHORT) == shorts + 6);
}

static void
test_what_only_we_send_is_no_type(void)
{
	uint64_t types;
	int type;

	types = COUNTED(DROP_TYPE);
	for (type = 0; type < 256; type++)
		if (strchr("\1\3\5\7\b", type) == NULL || type == 0)
			CHECK(COMES((uint8_t)type, 1, 100, "dropped"));
	CHECK(COUNTED(DROP_TYPE) == types + 251);
}

/* Port 0 means "nowhere" to the parent, and nothing can be sent there. */
static void
test_a_source_without_port_is_none(void)
{
	uint8_t packet[PACKET_DISCOVER_LEN] = { PACKET_DISCOVER, 0, 0, 0, 1 };
	struct path path;
	uint64_t senders;

	senders = COUNTED(DROP_SENDER);
	path = parts_path(1, 0);
	done = "dropped";
	datagram(&w, &path, packet, sizeof(packet));
	CHECK(strcmp(done, "dropped") == 0);
	CHECK(COUNTED(DROP_SENDER) == senders + 1);
}

static void
test_a_source_over_its_limit_is_dropped_but_no_beacon(void)
{
	uint64_t byte_rate, rate;

	rate = COUNTED(DROP_RATE);
	byte_rate = COUNTED(DROP_BYTE_RATE);
	excess = LIMIT_PACKETS;
	CHECK(COMES(PACKET_RELAY, 1, PACKET_RELAY_LEN, "dropped"));
	CHECK(COUNTED(DROP_RATE) == rate + 1);
	beacon = 1;
	CHECK(COMES(PACKET_RELAY, 1, PACKET_RELAY_LEN, "relay"));
	CHECK(relayed == RELAY_FROM_BEACON);
	beacon = 0;
	excess = LIMIT_BYTES;
	CHECK(COMES(PACKET_RELAY, 1, PACKET_RELAY_LEN, "dropped"));
	CHECK(COUNTED(DROP_BYTE_RATE) == byte_rate + 1);
	CHECK(COUNTED(DROP_RATE) == rate + 1);
	excess = LIMIT_WITHIN;
	CHECK(COMES(PACKET_RELAY, 1, PACKET_RELAY_LEN, "relay"));
	CHECK(relayed == RELAY_FROM_UDP);
}

/* Who has a session speaks by it; whoever else says to be that node lies. */
static void
test_a_node_with_a_session_has_nothing_to_say_here(void)
{
	struct peermap_entry *entry;
	uint64_t senders;

	senders = COUNTED(DROP_SENDER);
	entry = parts_know(7);
	entry->generation = 1;
	CHECK(COMES(PACKET_RELAY, 7, PACKET_RELAY_LEN, "dropped"));
	CHECK(COMES(PACKET_PUNCH_REQUEST, 7, PACKET_PUNCH_LEN, "dropped"));
	CHECK(COUNTED(DROP_SENDER) == senders + 2);
	/* It is told its address, and nothing is noted. */
	CHECK(COMES(PACKET_DISCOVER, 7, PACKET_DISCOVER_LEN, "answer"));
	entry->generation = 0;
	CHECK(COMES(PACKET_RELAY, 7, PACKET_RELAY_LEN, "relay"));
	CHECK(COMES(PACKET_DISCOVER, 7, PACKET_DISCOVER_LEN, "discover"));
}

static void
test_nobody_is_node_0(void)
{
	CHECK(COMES(PACKET_DISCOVER, 0, PACKET_DISCOVER_LEN, "answer"));
	CHECK(COMES(PACKET_PUNCH_REQUEST, 0, PACKET_PUNCH_LEN, "dropped"));
}

/* While the map holds on to another address, this one is not the node's. */
static void
test_a_request_to_punch_from_an_address_that_is_held_back(void)
{
	CHECK(COMES(PACKET_PUNCH_REQUEST, 1, PACKET_PUNCH_LEN, "punch"));
	CHECK(endpoint_said);
	noted = NOTED_HELD;
	CHECK(COMES(PACKET_PUNCH_REQUEST, 1, PACKET_PUNCH_LEN, "punch"));
	CHECK(!endpoint_said);
	noted = NOTED_SOON;
	CHECK(COMES(PACKET_PUNCH_REQUEST, 1, PACKET_PUNCH_LEN, "punch"));
	CHECK(endpoint_said);
}

int
main(void)
{
	(void)parts_map();
	RUN(test_each_type_has_a_length);
	RUN(test_what_only_we_send_is_no_type);
	RUN(test_a_source_without_port_is_none);
	RUN(test_a_source_over_its_limit_is_dropped_but_no_beacon);
	RUN(test_a_node_with_a_session_has_nothing_to_say_here);
	RUN(test_nobody_is_node_0);
	RUN(test_a_request_to_punch_from_an_address_that_is_held_back);
	return (test_failed());
}
