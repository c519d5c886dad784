/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/registry_wire.h"
#include "common/channel.h"

#include "regress/fuzz/registry_side.h"

#define REQUESTS 1024U

const uint8_t *side_keys[2];
/* What auth asked on this connection, and what was said on it. */
static int fd = -1;
static uint8_t heard[1 << 16], told[1 << 16];
static size_t nheard, ntold;
static int begun, json;
static uint32_t asked[REQUESTS]; /* nodes; 0: something else */
static uint32_t nasked, nanswered;

/* Since the beginning of the run. */
static uint32_t lookups;
static int64_t began;
uint8_t side_said[SIDE_NODES + 1][2];

/* What is asked of which node; 0: it is no lookup. */
static uint32_t
node_of(const uint8_t *body, size_t len)
{
	unsigned int node;
	char text[64];

	if (!json && body[0] == 2) {
		REQUIRE(len == 5);
		return ((uint32_t)body[1] << 24 | (uint32_t)body[2] << 16 |
			(uint32_t)body[3] << 8 | body[4]);
	}
	(void)snprintf(
	    text, sizeof(text), "%.*s", (int)len, (const char *)body);
	if (json &&
	    sscanf(text, "{\"type\":\"lookup\",\"node_id\":%u}", &node) == 1)
		return (node);
	return (0);
}

static void
note_request(const uint8_t *body, size_t len)
{
	uint32_t node;

	REQUIRE(len > 0 && len <= WIRE_REQUEST_MAX);
	node = node_of(body, len);
	REQUIRE(node <= SIDE_NODES && nasked < REQUESTS);
	asked[nasked++] = node;
	if (node == 0)
		return;
	lookups++;
	REQUIRE(lookups <=
		SIDE_BURST + 1 +
		    SIDE_RATE * (fuzz_clocks.mono - began) / FUZZ_SECOND);
}

/* What auth has asked. */
void
side_hear(void)
{
	size_t at, len;
	ssize_t n;

	n = fd == -1 ? -1
		     : recv(fd, heard + nheard, sizeof(heard) - nheard,
			   MSG_DONTWAIT);
	if (n > 0)
		nheard += (size_t)n;
	at = 0;
	if (!begun && nheard >= WIRE_HELLO_LEN) {
		begun = 1;
		json = memcmp(heard, "PILT\1", WIRE_HELLO_LEN) != 0;
		at = json ? 0 : WIRE_HELLO_LEN;
	}
	while (begun && nheard - at >= 4) {
		len = (size_t)heard[at + 2] << 8 | heard[at + 3];
		if (nheard - at < 4 + len)
			break;
		note_request(heard + at + 4, len);
		at += 4 + len;
	}
	memmove(heard, heard + at, nheard - at);
	nheard -= at;
}

/* Keys among what was said, in whole frames. */
static void
note_said(void)
{
	struct wire_answer a;
	uint32_t who;
	size_t at;

	for (at = 0; at < ntold; at += a.len) {
		wire_parse(json ? WIRE_JSON : WIRE_BINARY, told + at,
		    ntold - at, WIRE_LIST_MAX, &a);
		if (a.kind == WIRE_MORE || a.kind == WIRE_BAD)
			break;
		for (who = 0; who < 2; who++)
			if (a.kind == WIRE_FOUND && a.node <= SIDE_NODES &&
			    memcmp(a.key, side_keys[who], sizeof(a.key)) == 0)
				side_said[a.node][who] = 1;
	}
	memmove(told, told + at, ntold - at);
	ntold -= at;
}

void
side_say(const void *data, size_t len)
{
	ssize_t n;

	if (fd == -1 || ntold + len > sizeof(told))
		return;
	n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0)
		return;
	memcpy(told + ntold, data, (size_t)n);
	ntold += (size_t)n;
	note_said();
}

/* In the framing of the connection; half of it first, if wanted. */
static void
say_frame(uint8_t type, const void *body, size_t len, int halved)
{
	uint8_t frame[2048];
	size_t head;

	head = json ? 4 : 5;
	frame[0] = frame[1] = 0;
	frame[2] = (uint8_t)((len + head - 4) >> 8);
	frame[3] = (uint8_t)(len + head - 4);
	frame[4] = type;
	memcpy(frame + head, body, len);
	len += head;
	if (halved) {
		side_say(frame, len / 2);
		side_wait();
		side_say(frame + len / 2, len - len / 2);
	} else
		side_say(frame, len);
}

static void
say_object(const char *text)
{
	say_frame(0, text, strlen(text), 0);
}

/* That node is there, with a key of so many bytes. */
void
side_found(uint32_t node, const uint8_t *key, uint8_t keylen, int halved)
{
	uint8_t body[512] = { 0 };
	char text[512], b64[400];

	if (json) {
		(void)sodium_bin2base64(b64, sizeof(b64), key, keylen,
		    sodium_base64_VARIANT_ORIGINAL);
		(void)snprintf(text, sizeof(text),
		    "{\"type\":\"lookup_ok\",\"node_id\":%u,"
		    "\"public_key\":\"%s\"}",
		    node, b64);
		say_frame(0, text, strlen(text), halved);
		return;
	}
	body[3] = (uint8_t)node;
	body[11] = keylen;
	memcpy(body + 12, key, keylen);
	say_frame(0x82, body, 12 + (size_t)keylen + 5, halved);
}

static void
say_error(const char *text)
{
	char body[256];

	if (json) {
		(void)snprintf(body, sizeof(body), "{\"error\":\"%s\"}", text);
		say_object(body);
		return;
	}
	body[0] = 0;
	body[1] = (char)strlen(text);
	memcpy(body + 2, text, strlen(text));
	say_frame(0xff, body, 2 + strlen(text), 0);
}

/* The node of the request that is to be answered next. */
static uint32_t
oldest(void)
{
	return (nanswered < nasked ? asked[nanswered++] : 0);
}

/* To what was asked first, in one of many ways. */
void
side_answer(struct input *in)
{
	static const uint8_t other[255] = { 3 };
	uint32_t node;
	char text[64];
	uint8_t how;

	how = input_u8(in);
	node = oldest();
	if (node == 0 && json)
		say_object("{\"type\":\"beacon_list_ok\",\"beacons\":["
			   "{\"id\":3,\"addr\":\"192.0.2.1:9000\"}]}");
	else if (node == 0 && how % 2 == 0)
		say_frame(0x81, "", 0, 0);
	else if (node == 0)
		say_object("{\"type\":\"beacon_register_ok\"}");
	else if (how < 96)
		side_found(
		    node, side_keys[how % 2], PROTO_KEY_LEN, how % 4 > 1);
	else if (how < 128)
		side_found(node, other, (uint8_t)(how * 2), 0);
	else if (how < 192) {
		(void)snprintf(text, sizeof(text), "node %u: %s", node,
		    how < 160 ? "not found" : "request failed");
		say_error(text);
	} else
		say_error(how % 2 ? "rate limited" : "node 9: not found");
}

/* Another connection; returns the end that is auth's. */
int
side_dial(void)
{
	int pair[2];

	REQUIRE(channel_pair(pair) == 0);
	side_close();
	fd = pair[0];
	nheard = ntold = nasked = nanswered = 0;
	begun = json = 0;
	return (pair[1]);
}

void
side_close(void)
{
	if (fd != -1)
		(void)close(fd);
	fd = -1;
}

/* It says no more, but it listens. */
void
side_shut(void)
{
	if (fd != -1)
		(void)shutdown(fd, SHUT_WR);
}

/* A run begins: nothing was asked and nothing said. */
void
side_begin(void)
{
	lookups = 0;
	memset(side_said, 0, sizeof(side_said));
	began = fuzz_clocks.mono;
}
