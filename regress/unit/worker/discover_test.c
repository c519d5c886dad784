/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <unistd.h>

#include "regress/unit/test.h"
#include "worker/packet.h"
#include "worker/worker.h"

/* Who is answered at once, who when the map has it, and who not at all. */

static struct worker w;
static int answers;      /* since `reset` */
static int misdirected;  /* boolean: what comes is another worker's */
static struct path last; /* by which the last answer left */
static struct imsgbuf parent;
static struct peermap_header *header;

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

static void
ended(void *owner, const char *reason)
{
}

static int
set_up(void)
{
	static const struct channel_rule no_rules[1];
	int pair[2];

	w.loop = ev_loop_new(EVFLAG_NOENV);
	w.now = 1000;
	header = mmap(NULL, PEERMAP_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	peermap_view(&w.map, header);
	if (channel_pair(pair) == -1 ||
	    channel_open(&w.parent, w.loop, pair[0], "parent", no_rules, 0,
		ended, &w) == -1)
		return (-1);
	return (imsgbuf_init(&parent, pair[1]));
}

static struct path
path_of(uint8_t host, uint8_t near)
{
	struct path path;

	memset(&path, 0, sizeof(path));
	path.far.addr[10] = path.far.addr[11] = 0xff;
	path.far.addr[15] = host;
	path.far.port = 4000;
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

/* What the parent has been told: 1 and the message, or 0. */
static int
told(struct msg_endpoint *msg)
{
	struct imsg imsg;
	int r;

	(void)channel_flush(&w.parent);
	if (imsgbuf_get(&parent, &imsg) != 1 &&
	    (imsgbuf_read(&parent) != 1 || imsgbuf_get(&parent, &imsg) != 1))
		return (0);
	r = imsg_get_type(&imsg) == WP_ENDPOINT &&
	    imsg_get_data(&imsg, msg, sizeof(*msg)) == 0;
	imsg_free(&imsg);
	return (r);
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
	for (i = 0; i < REPORTS_MAX; i++)
		CHECK(say(PACKET_DISCOVER, &path, NULL) == 0 && told(&msg));
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
	if (set_up() == -1)
		return (1);
	RUN(test_first_waits_for_the_map);
	RUN(test_refresh_is_answered_at_once);
	RUN(test_change_waits_for_the_map);
	RUN(test_what_is_not_noted_is_not_answered);
	RUN(test_a_parent_that_does_not_read);
	return (test_failed());
}
