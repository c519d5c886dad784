/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "regress/unit/worker/parts.h"

static int removed, failed, broken;

/* In the place of other files' */
void
session_removed(struct worker *of, struct session *s, uint32_t reason)
{
	removed += reason == CLOSE_REVOKED;
}

void
login_fail(struct worker *of, struct session *s, enum session_why why)
{
	failed++;
}

void
broken_mark(struct worker *of, struct session *s)
{
	broken++;
}

int
session_is_proxy(const struct worker *of, const struct session *s)
{
	return (address_is_loopback(s->peer.at.addr));
}

static const char *
set(const char *text, uint32_t on)
{
	struct msg_address msg = { .number = on };
	uint32_t prefix;

	if (!address_network_parse(text, msg.addr, &prefix))
		return ("no network");
	msg.prefix = (uint16_t)prefix;
	return (blocked_set(&w, &msg));
}

static int
is_blocked(const char *text)
{
	uint8_t addr[16];

	return (address_parse(text, addr) && blocked(&w, addr));
}

static void
networks(void)
{
	CHECK(!is_blocked("192.0.2.1"));
	CHECK(set("192.0.2.0/24", 0) == NULL && w.blocks == NULL);
	CHECK(set("192.0.2.0/24", 1) == NULL && is_blocked("192.0.2.1"));
	CHECK(set("192.0.2.0/24", 1) == NULL && w.blocks->count == 1);
	CHECK(!is_blocked("192.0.3.1"));
	CHECK(set("192.0.2.0/24", 0) == NULL && !is_blocked("192.0.2.1"));
	/* Two parents may say so. */
	CHECK(set("192.0.2.0/24", 0) == NULL && !is_blocked("192.0.2.1"));
}

static void
what_comes_from_there_ends(void)
{
	struct session *s;

	s = parts_sessions();
	(void)address_parse("192.0.2.1", s[0].peer.at.addr);
	s[0].state = SESSION_OPEN;
	s[1] = s[2] = s[3] = s[0];
	s[1].state = SESSION_VERIFY;
	s[2].state = SESSION_HEAD;
	s[3].state = SESSION_FREE;
	CHECK(set("198.51.100.0/24", 1) == NULL);
	CHECK(removed + failed + broken == 0);
	CHECK(set("192.0.2.1", 1) == NULL);
	CHECK(removed == 1 && failed == 1 && broken == 1);
	/* Whom a proxy speaks for is not known yet. */
	(void)address_parse("127.0.0.1", s[2].peer.at.addr);
	CHECK(set("0.0.0.0/0", 1) == NULL);
	CHECK(removed == 2 && failed == 2 && broken == 1);
}

static void
bad_messages(void)
{
	struct msg_address msg = { .prefix = 129, .number = 1 };
	uint32_t i;

	CHECK(blocked_set(&w, &msg) != NULL);
	msg.prefix = 128;
	for (i = w.blocks->count; i < BLOCKS_MAX; i++) {
		memcpy(msg.addr, &i, sizeof(i));
		CHECK(blocked_set(&w, &msg) == NULL);
	}
	memset(msg.addr, 0xff, sizeof(msg.addr));
	CHECK(blocked_set(&w, &msg) != NULL);
}

int
main(void)
{
	RUN(networks);
	RUN(what_comes_from_there_ends);
	RUN(bad_messages);
	return (test_failed());
}
