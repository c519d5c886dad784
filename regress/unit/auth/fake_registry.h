/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_AUTH_FAKE_REGISTRY_H
#define REGRESS_UNIT_AUTH_FAKE_REGISTRY_H

#include <errno.h>

#include "regress/unit/auth/ends.h"

/*
 * The test as the registry too, at the other end of a connection that it hands
 * to auth as the parent would.  What auth asks is gathered until it is wanted.
 */
#define FAKE_MAX 20000

static int fake_fd = -1;
static uint32_t fake_serial;
static int fake_json; /* boolean: the framing that is heard */
static uint8_t fake_bytes[1 << 20];
static size_t fake_len;
static uint32_t fake_asked[FAKE_MAX]; /* nodes of lookups */
static uint32_t fake_nasked;
static uint32_t fake_probes;
static char fake_objects[8][WIRE_OBJECT_MAX + 1]; /* other requests */
static uint32_t fake_nobjects;

static inline int
fake_conf(uint32_t rate, uint32_t burst)
{
	struct msg_registry_conf conf;

	memset(&conf, 0, sizeof(conf));
	conf.rate = rate;
	conf.burst = burst;
	conf.refresh = 600;
	conf.stale = 86400;
	conf.grace = 600;
	if (!put(&parent, PA_REGISTRY_CONF, -1, &conf, sizeof(conf)) ||
	    !put(&parent, PA_PING, -1, NULL, 0) ||
	    !get(&parent, AP_PONG, NULL, 0))
		return (0);
	/* Seconds pass when the test says so. */
	ev_timer_stop(auth.loop, &auth.second);
	return (1);
}

/* Auth serves a worker, and has a registry to ask. */
static inline int
fake_start(void)
{
	struct msg_hello hello;

	from_parent_open(&auth, channel_to(&parent));
	return (put_hello(BEACOND_VERSION) && put_settings(0) &&
		put_memory(PA_MAP, 0) &&
		put_memory(PA_COUNTERS, COUNTERS_BYTES) && put_worker(9) &&
		fake_conf(80, 100) && put(&parent, PA_START, -1, NULL, 0) &&
		get(&parent, AP_READY, &hello, sizeof(hello)));
}

/* The node of a lookup in JSON; 0 if it is something else, which is kept. */
static inline uint32_t
fake_json_node(const uint8_t *body, size_t len)
{
	unsigned int node;
	char *text;

	text = fake_objects[fake_nobjects % 8];
	if (len >= sizeof(fake_objects[0]))
		return (0);
	memcpy(text, body, len);
	text[len] = '\0';
	if (sscanf(text, "{\"type\":\"lookup\",\"node_id\":%u}", &node) == 1)
		return (node);
	fake_nobjects++;
	return (0);
}

static inline void
fake_frame(const uint8_t *body, size_t len)
{
	uint32_t node;

	node = 0;
	if (fake_json || body[0] == 0)
		node = fake_json ? fake_json_node(body, len)
				 : fake_json_node(body + 1, len - 1);
	else if (body[0] == 2 && len == 5)
		node = (uint32_t)body[1] << 24 | (uint32_t)body[2] << 16 |
		       (uint32_t)body[3] << 8 | body[4];
	else if (body[0] == 1 && len == 1)
		fake_probes++;
	if (node != 0 && fake_nasked < FAKE_MAX)
		fake_asked[fake_nasked++] = node;
}

static inline void
fake_recv(void)
{
	ssize_t n;

	if (fake_fd == -1)
		return;
	n = recv(fake_fd, fake_bytes + fake_len, sizeof(fake_bytes) - fake_len,
	    MSG_DONTWAIT);
	if (n > 0)
		fake_len += (size_t)n;
}

static inline void
fake_parse(void)
{
	size_t at, len;

	at = 0;
	if (fake_len >= 5 && memcmp(fake_bytes, "PILT\1", 5) == 0)
		at = 5;
	while (fake_len - at >= 4) {
		len = (size_t)fake_bytes[at + 2] << 8 | fake_bytes[at + 3];
		if (fake_len - at < 4 + len)
			break;
		fake_frame(fake_bytes + at + 4, len);
		at += 4 + len;
	}
	memmove(fake_bytes, fake_bytes + at, fake_len - at);
	fake_len -= at;
}

/* Turns the loop for a while, and hears what is said to the registry. */
static inline void
fake_hear(void)
{
	int i;

	for (i = 0; i < 30; i++) {
		(void)ev_run(auth.loop, EVRUN_ONCE);
		fake_recv();
	}
	fake_parse();
}

/* Lookups since it was last asked; they are in fake_asked. */
static inline uint32_t
fake_lookups(void)
{
	fake_nasked = 0;
	fake_hear();
	return (fake_nasked);
}

static inline int
fake_say(const void *bytes, size_t len)
{
	return (send(fake_fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static inline int
fake_type(uint8_t type, const void *body, size_t len)
{
	uint8_t frame[4096];

	frame[0] = frame[1] = 0;
	frame[2] = (uint8_t)((len + 1) >> 8);
	frame[3] = (uint8_t)(len + 1);
	frame[4] = type;
	memcpy(frame + 5, body, len);
	return (fake_say(frame, len + 5));
}

/* That node is there, with a key of so many bytes. */
static inline int
fake_found(uint32_t node, const uint8_t *key, uint8_t keylen)
{
	uint8_t body[512] = { 0 };

	body[0] = (uint8_t)(node >> 24);
	body[1] = (uint8_t)(node >> 16);
	body[2] = (uint8_t)(node >> 8);
	body[3] = (uint8_t)node;
	body[11] = keylen;
	memcpy(body + 12, key, keylen);
	return (fake_type(0x82, body, 12 + (size_t)keylen + 5));
}

static inline int
fake_error(const char *text)
{
	uint8_t body[512];

	body[0] = 0;
	body[1] = (uint8_t)strlen(text);
	memcpy(body + 2, text, strlen(text));
	return (fake_type(0xff, body, 2 + strlen(text)));
}

static inline int
fake_gone(uint32_t node)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "node %u: not found", node);
	return (fake_error(text));
}

static inline int
fake_object_say(const char *text)
{
	uint8_t frame[4096];

	if (!fake_json)
		return (fake_type(0, text, strlen(text)));
	return (
	    fake_say(frame, wire_object(WIRE_JSON, text, strlen(text), frame)));
}

static inline int
fake_ended(uint32_t reason, uint32_t answered)
{
	struct msg_registry_end msg;

	fake_hear();
	if (fake_fd != -1)
		(void)close(fake_fd);
	fake_fd = -1;
	fake_len = 0;
	return (get(&parent, AP_REGISTRY, &msg, sizeof(msg)) &&
		msg.serial == fake_serial && msg.reason == reason &&
		msg.answered == answered);
}

/* The parent has dialled; what auth begins with has not been read yet. */
static inline int
fake_dialled(const int pair[2], uint64_t address)
{
	struct msg_registry msg;

	fake_fd = pair[0];
	memset(&msg, 0, sizeof(msg));
	msg.address = address;
	msg.serial = ++fake_serial;
	fake_probes = 0;
	return (put(&parent, PA_REGISTRY, pair[1], &msg, sizeof(msg)));
}

static inline int
fake_dial(uint64_t address)
{
	int pair[2];

	return (channel_pair(pair) == 0 && fake_dialled(pair, address));
}

/* A connection that was answered, as the binary framing has it. */
static inline int
fake_connect(void)
{
	if (!fake_dial(1))
		return (0);
	fake_json = 0;
	fake_hear();
	return (fake_probes == 1 && fake_type(0x81, "", 0));
}

static inline void
fake_second(void)
{
	ev_invoke(auth.loop, &auth.second, EV_TIMER);
}

#endif /* REGRESS_UNIT_AUTH_FAKE_REGISTRY_H */
