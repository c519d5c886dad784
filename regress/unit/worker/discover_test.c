/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>

#include "regress/unit/worker/parts.h"
#include "worker/limit.h"
#include "worker/packet.h"

/* Who is answered at once, who when the map has it, and who not at all. */

static int answers;      /* since `reset` */
static int misdirected;  /* boolean: what comes is another worker's */
static struct path last; /* by which the last answer left */
static struct imsgbuf parent, auth;

void
udp_send(struct worker *of, const struct path *path, uint8_t *bytes, size_t len)
{
	answers++;
	last = *path;
}

uint8_t *
burst_own(struct worker *of)
{
	static uint8_t own[64];

	return (own);
}

int
tell_may_have_heard(struct worker *of, const uint8_t addr[16], uint32_t port)
{
	return (!misdirected);
}

static struct path
path_of(uint8_t host, uint8_t near)
{
	struct path path;

	path = parts_path(host, 4000);
	path.near[15] = near;
	path.listener = 3;
	return (path);
}

/* What the map has of a node at that path. */
static struct peermap_entry
entry_of(const struct path *path, uint32_t age)
{
	struct peermap_entry entry;

	memset(&entry, 0, sizeof(entry));
	memcpy(entry.addr, path->far.addr, sizeof(entry.addr));
	entry.port = path->far.port;
	entry.flags = (uint8_t)(path->listener << PEERMAP_LISTENER_SHIFT);
	entry.seen = entry.moved = w.now - age;
	return (entry);
}

/* Lets a node speak; returns how often it was answered at once. */
static int
say(uint8_t type, const struct path *path, const struct peermap_entry *entry)
{
	static const struct peermap_entry unknown;
	uint8_t packet[PACKET_DISCOVER_LEN] = { type, 0, 0, 0, 7 };

	answers = 0;
	discover(
	    &w, path, entry == NULL ? &unknown : entry, packet, sizeof(packet));
	return (answers);
}

/* Likewise, with a key that is all of that byte. */
static void
say_key(
    uint8_t byte, const struct path *path, const struct peermap_entry *entry)
{
	static const struct peermap_entry unknown;
	uint8_t packet[PACKET_DISCOVER_KEY_LEN] = { PACKET_DISCOVER, 0, 0, 0,
		7 };

	answers = 0;
	memset(packet + PACKET_DISCOVER_LEN, byte, PROTO_KEY_LEN);
	discover(
	    &w, path, entry == NULL ? &unknown : entry, packet, sizeof(packet));
}

/* What the parent has been told: 1 and the message, or 0. */
static int
told(struct msg_endpoint *msg)
{
	return (parts_told(
		    &w.parent, &parent, WP_ENDPOINT, msg, sizeof(*msg)) == 1);
}

/* The byte of the key that auth has been told, or -1. */
static int
told_key(void)
{
	struct msg_first_key msg;

	return (
	    parts_told(&w.auth, &auth, WA_FIRST_KEY, &msg, sizeof(msg)) == 1 &&
		    msg.node == 7
		? msg.key[PROTO_KEY_LEN - 1]
		: -1);
}

static void
test_first_waits_for_the_map(void)
{
	struct msg_endpoint msg;
	struct path path;

	path = path_of(1, 9);
	CHECK(say(PACKET_DISCOVER_EX, &path, NULL) == 0 && told(&msg));
	CHECK(msg.node == 7 && msg.answer == 1 && msg.port == 4000);
	CHECK(msg.flags == (3 << PEERMAP_LISTENER_SHIFT | PEERMAP_UDP_EX));
	CHECK(msg.addr[15] == 1 && msg.near[15] == 9);
	/* It comes back as it was. */
	discover_noted(&w, &msg);
	CHECK(answers == 1 && memcmp(&last.far, &path.far, 18) == 0);
	CHECK(last.near[15] == 9 && last.listener == 3);
}

static void
test_refresh_is_answered_at_once(void)
{
	struct peermap_entry entry;
	struct msg_endpoint msg;
	struct path path;

	path = path_of(1, 0);
	entry = entry_of(&path, ENDPOINT_FRESH - 1);
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 1 && !told(&msg));
	entry = entry_of(&path, ENDPOINT_FRESH);
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 1 && told(&msg));
	CHECK(msg.answer == 0 && !told(&msg));
	/* Forgotten: as if it were the first. */
	entry = entry_of(&path, ENDPOINT_EXPIRE);
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 0 && told(&msg));
	CHECK(msg.answer == 1);
}

static void
test_change_waits_for_the_map(void)
{
	struct peermap_entry entry;
	struct msg_endpoint msg;
	struct path path, other;

	path = path_of(1, 0);
	entry = entry_of(&path, 0);
	/* The type, our address, the listener. */
	CHECK(say(PACKET_DISCOVER_EX, &path, &entry) == 0 && told(&msg));
	CHECK(msg.answer == 1);
	other = path_of(1, 9);
	CHECK(say(PACKET_DISCOVER, &other, &entry) == 0 && told(&msg));
	CHECK(msg.answer == 1 && msg.near[15] == 9);
	other = path_of(1, 0);
	other.listener = 4;
	CHECK(say(PACKET_DISCOVER, &other, &entry) == 0 && told(&msg));
	/* Not back from DiscoverEx. */
	entry.flags |= PEERMAP_UDP_EX;
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 1 && !told(&msg));
	/* Another address: held for a while, and answered all the same. */
	other = path_of(2, 0);
	CHECK(say(PACKET_DISCOVER, &other, &entry) == 1 && !told(&msg));
	CHECK(last.far.addr[15] == 2);
	entry = entry_of(&path, ENDPOINT_HOLD);
	CHECK(say(PACKET_DISCOVER, &other, &entry) == 0 && told(&msg));
	CHECK(msg.addr[15] == 2 && msg.answer == 1);
}

static void
test_what_is_not_noted_is_not_answered(void)
{
	struct peermap_entry entry;
	struct msg_endpoint msg;
	struct path path;
	uint64_t rate;
	uint32_t i;

	path = path_of(1, 0);
	misdirected = 1;
	CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && !told(&msg));
	misdirected = 0;
	/* News beyond their budget; refreshes have one of their own. */
	w.now++;
	rate = counters_read(counters, COUNTER_ENDPOINT_RATE);
	for (i = 0; i < REPORTS_MAX; i++) {
		path = path_of((uint8_t)(2 + i / NEWS_PER_SOURCE), 0);
		CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && told(&msg));
	}
	path = path_of(1, 0);
	CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && !told(&msg));
	CHECK(counters_read(counters, COUNTER_ENDPOINT_RATE) == rate + 1);
	entry = entry_of(&path, ENDPOINT_FRESH);
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 1 && told(&msg));
	for (i = 1; i < REPORTS_MAX; i++)
		CHECK(say(PACKET_DISCOVER, &path, &entry) == 1 && told(&msg));
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 0 && !told(&msg));
	w.now++;
	CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && told(&msg));
}

/* However many it makes up: others are noted, and its own known ones. */
static void
test_one_address_leaves_room_for_others(void)
{
	struct peermap_entry entry;
	struct msg_endpoint msg;
	struct path other, path;
	uint64_t rate;
	uint32_t i;

	w.now++;
	rate = counters_read(counters, COUNTER_ENDPOINT_RATE);
	/* A key costs a node behind a NAT with many nothing of it. */
	for (i = 0; i < 2 * REPORTS_MAX; i++) {
		path = path_of(1, 0);
		path.far.port = (uint16_t)(1 + i);
		say_key('k', &path, NULL);
		CHECK(told(&msg) == (i < NEWS_PER_SOURCE));
	}
	CHECK(counters_read(counters, COUNTER_ENDPOINT_RATE) ==
	      rate + 2 * REPORTS_MAX - NEWS_PER_SOURCE);
	entry = entry_of(&path, ENDPOINT_FRESH);
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 1 && told(&msg));
	other = path_of(2, 0);
	CHECK(say(PACKET_DISCOVER, &other, NULL) == 0 && told(&msg));
	/* Of IPv6 a /64 is one. */
	w.now++;
	for (i = 0; i <= NEWS_PER_SOURCE; i++) {
		memset(&path.far.addr, 0x20, 8);
		memcpy(path.far.addr + 8, &i, sizeof(i));
		CHECK(say(PACKET_DISCOVER, &path, NULL) == 0);
		CHECK(told(&msg) == (i < NEWS_PER_SOURCE));
	}
	path.far.addr[7]++;
	CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && told(&msg));
}

/* Auth hears of keys of nodes that the map has, where they were heard. */
static void
test_a_key_waits_for_the_map(void)
{
	struct peermap_entry *entry;
	struct msg_endpoint msg;
	struct path other, path;

	w.now++;
	path = path_of(1, 0);
	other = path_of(2, 0);
	entry = parts_know(7);
	say_key('a', &path, NULL);
	CHECK(told(&msg) && told_key() == -1);
	entry->port = path.far.port;
	memcpy(entry->addr, path.far.addr, sizeof(entry->addr));
	discover_noted(&w, &msg);
	CHECK(answers == 1 && told_key() == 'a');
	discover_noted(&w, &msg);
	CHECK(told_key() == -1);
	/* The map has it elsewhere, though it is answered. */
	say_key('b', &other, NULL);
	CHECK(told(&msg));
	discover_noted(&w, &msg);
	CHECK(answers == 1 && told_key() == -1);
	other.far = path.far;
	other.far.port++;
	say_key('b', &other, NULL);
	CHECK(told(&msg));
	discover_noted(&w, &msg);
	CHECK(answers == 1 && told_key() == -1);
	/* Another's word came in between. */
	say_key('c', &path, NULL);
	CHECK(told(&msg));
	say_key('d', &other, NULL);
	discover_noted(&w, &msg);
	CHECK(answers == 1 && told_key() == -1 && told(&msg));
	/* Refused by the parent, and never heard of again. */
	CHECK(told_key() == -1);
}

/* As told once is not for ever: auth may have been replaced. */
static void
test_a_key_is_told_with_a_refresh(void)
{
	struct peermap_entry entry;
	struct msg_endpoint msg;
	struct path other, path;

	w.now++;
	path = path_of(1, 0);
	other = path_of(2, 0);
	entry = entry_of(&path, ENDPOINT_FRESH - 1);
	say_key('a', &path, &entry);
	CHECK(answers == 1 && !told(&msg) && told_key() == -1);
	entry = entry_of(&path, ENDPOINT_FRESH);
	say_key('a', &path, &entry);
	CHECK(answers == 1 && told(&msg) && told_key() == 'a');
	/* Not by who says that it is somewhere else now. */
	say_key('b', &other, &entry);
	CHECK(answers == 1 && !told(&msg) && told_key() == -1);
}

/* It is left half of its queue for the ends of sessions. */
static void
test_a_parent_that_does_not_read(void)
{
	struct peermap_entry entry;
	struct msg_endpoint msg;
	struct path path;
	uint64_t rate;
	uint32_t i;

	path = path_of(1, 0);
	rate = counters_read(counters, COUNTER_ENDPOINT_RATE);
	for (i = 0; i < 200000; i++) {
		w.now += i % 1000 == 0;
		(void)say(PACKET_DISCOVER, &path, NULL);
	}
	CHECK(channel_queued(&w.parent) > CHANNEL_LIMIT / 2);
	CHECK(channel_queued(&w.parent) < CHANNEL_LIMIT / 2 + 100);
	CHECK(counters_read(counters, COUNTER_ENDPOINT_RATE) > rate);
	/* Refreshes neither. */
	w.now++;
	entry = entry_of(&path, ENDPOINT_FRESH);
	CHECK(say(PACKET_DISCOVER, &path, &entry) == 0);
	CHECK(channel_queued(&w.parent) < CHANNEL_LIMIT / 2 + 100);
	while (told(&msg))
		CHECK(msg.node == 7);
	w.now++;
	CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && told(&msg));
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	parts_loop();
	parts_channel(&w.parent, &parent);
	parts_channel(&w.auth, &auth);
	(void)parts_map();
	w.now = 1000;
	w.news = limit_new();
	RUN(test_first_waits_for_the_map);
	RUN(test_refresh_is_answered_at_once);
	RUN(test_change_waits_for_the_map);
	RUN(test_what_is_not_noted_is_not_answered);
	RUN(test_one_address_leaves_room_for_others);
	RUN(test_a_key_waits_for_the_map);
	RUN(test_a_key_is_told_with_a_refresh);
	RUN(test_a_parent_that_does_not_read);
	return (test_failed());
}
