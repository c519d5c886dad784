/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/registry_wire.h"

#include "regress/unit/test.h"

static struct wire_answer a;
static uint8_t out[WIRE_REQUEST_MAX];

/* Parses the bytes, and every beginning of them, which is not enough. */
static enum wire_kind
parse(enum wire_framing framing, const void *data, size_t len)
{
	size_t n;

	for (n = 0; n < len; n++) {
		wire_parse(framing, data, n, WIRE_ANSWER_MAX, &a);
		if (a.kind != WIRE_MORE && (a.kind != WIRE_BAD || n < 4))
			return (WIRE_MORE);
	}
	wire_parse(framing, data, len, WIRE_ANSWER_MAX, &a);
	return (a.kind);
}

static enum wire_kind
json(const char *text)
{
	static uint8_t frame[1024]; /* what is found in it is looked at */
	size_t len;

	len = wire_object(WIRE_JSON, text, strlen(text), frame);
	return (parse(WIRE_JSON, frame, len));
}

/* A frame of the binary framing with that type and body. */
static enum wire_kind
binary(uint8_t type, const void *body, size_t len)
{
	static uint8_t frame[1024]; /* what is found in it is looked at */

	frame[0] = frame[1] = 0;
	frame[2] = (uint8_t)((len + 1) >> 8);
	frame[3] = (uint8_t)(len + 1);
	frame[4] = type;
	memcpy(frame + 5, body, len);
	return (parse(WIRE_BINARY, frame, len + 5));
}

static enum wire_kind
error(const char *text)
{
	uint8_t body[256];

	body[0] = 0;
	body[1] = (uint8_t)strlen(text);
	memcpy(body + 2, text, strlen(text));
	return (binary(0xff, body, strlen(text) + 2));
}

/* The answer for node 0x01020304 with a key of keylen bytes; its length. */
static size_t
found(uint8_t *body, uint8_t keylen)
{
	static const uint8_t head[] = { 1, 2, 3, 4, 0x80, 9, 9, 9, 9, 0, 2, 0,
		1, 0, 2 };
	static const uint8_t tail[] = { 2, 'h', 'o', 2, 1, 'a', 0, 0, 3, 'x',
		':', '1', 1, 'e' };

	memcpy(body, head, sizeof(head));
	body[sizeof(head)] = keylen;
	memset(body + sizeof(head) + 1, 'k', keylen);
	memcpy(body + sizeof(head) + 1 + keylen, tail, sizeof(tail));
	return (sizeof(head) + 1 + keylen + sizeof(tail));
}

static void
test_requests(void)
{
	static const char lookup[] = "\0\0\0\040"
				     "{\"type\":\"lookup\",\"node_id\":7777}";

	CHECK(wire_hello(out) == 5 && memcmp(out, "PILT\1", 5) == 0);
	CHECK(wire_lookup(WIRE_BINARY, 0x01020304, out) == 9);
	CHECK(memcmp(out, "\0\0\0\5\2\1\2\3\4", 9) == 0);
	CHECK(wire_lookup(WIRE_JSON, 7777, out) == sizeof(lookup) - 1);
	CHECK(memcmp(out, lookup, sizeof(lookup) - 1) == 0);
	CHECK(wire_alive(WIRE_BINARY, out) == 5);
	CHECK(memcmp(out, "\0\0\0\1\1", 5) == 0);
	CHECK(wire_alive(WIRE_JSON, out) == 26);
	CHECK(memcmp(out, "\0\0\0\026{\"type\":\"beacon_list\"}", 26) == 0);
	CHECK(wire_object(WIRE_BINARY, "{}", 2, out) == 7);
	CHECK(memcmp(out, "\0\0\0\3\0{}", 7) == 0);
	CHECK(wire_object(WIRE_JSON, lookup, WIRE_OBJECT_MAX + 1, out) == 0);
}

static void
test_found(void)
{
	uint8_t body[512], key[PROTO_KEY_LEN];
	size_t len;

	memset(key, 'k', sizeof(key));
	len = found(body, PROTO_KEY_LEN);
	CHECK(binary(0x82, body, len) == WIRE_FOUND);
	CHECK(a.named && a.node == 0x01020304 && a.has == WIRE_KEY_GOOD);
	CHECK(memcmp(a.key, key, sizeof(key)) == 0 && a.len == len + 5);
	/* What newer registries may add behind it. */
	CHECK(binary(0x82, body, len + 7) == WIRE_FOUND);
	CHECK(binary(0x82, body, found(body, 0)) == WIRE_FOUND);
	CHECK(a.has == WIRE_KEY_NONE);
	CHECK(binary(0x82, body, found(body, 31)) == WIRE_FOUND);
	CHECK(a.has == WIRE_KEY_UNFIT);
	CHECK(binary(0x82, body, found(body, 255)) == WIRE_FOUND);
	CHECK(a.has == WIRE_KEY_UNFIT);
}

/* Cut anywhere, with the frame's length right: none of it counts. */
static void
test_found_cut(void)
{
	uint8_t body[512];
	size_t len, n;

	len = found(body, PROTO_KEY_LEN);
	for (n = 0; n < len; n++)
		CHECK(binary(0x82, body, n) == WIRE_BAD);
	/* A list, and a key, that go on behind the end. */
	body[9] = 0xff;
	CHECK(binary(0x82, body, len) == WIRE_BAD);
	len = found(body, PROTO_KEY_LEN);
	body[15] = 0xff;
	CHECK(binary(0x82, body, len) == WIRE_BAD);
}

static void
test_errors(void)
{
	CHECK(error("node 7: not found") == WIRE_GONE);
	CHECK(a.named && a.node == 7);
	CHECK(error("node 4294967295: node not found") == WIRE_GONE);
	CHECK(a.named && a.node == 4294967295U);
	CHECK(error("not found") == WIRE_GONE && !a.named);
	CHECK(error("node 4294967296: not found") == WIRE_GONE && !a.named);
	CHECK(error("node : not found") == WIRE_GONE && !a.named);
	CHECK(error("node 7") == WIRE_ERROR && !a.named);
	CHECK(error("request failed") == WIRE_ERROR && !a.named);
	CHECK(error("rate limited") == WIRE_ERROR);
	CHECK(error("") == WIRE_ERROR);
	CHECK(binary(0xff, "\0\5abcd", 6) == WIRE_BAD);
	CHECK(binary(0xff, "\0", 1) == WIRE_BAD);
}

static void
test_other_frames(void)
{
	static const char *const object = "{\"type\":\"beacon_register_ok\"}";

	CHECK(binary(0x81, "", 0) == WIRE_ALIVE && a.len == 5);
	CHECK(binary(0x00, object, strlen(object)) == WIRE_OBJECT);
	CHECK(a.object_len == strlen(object));
	CHECK(memcmp(a.object, object, a.object_len) == 0);
	CHECK(binary(0x00, "{\"error\":\"no\"}", 14) == WIRE_ERROR);
	CHECK(binary(0x00, "[]", 2) == WIRE_BAD);
	CHECK(binary(0x00, "", 0) == WIRE_BAD);
	CHECK(binary(0x02, "\0\0\0\7", 4) == WIRE_BAD);
	CHECK(binary(0x42, "", 0) == WIRE_BAD);
}

/* The field alone decides, whatever comes behind it. */
static void
test_lengths(void)
{
	static const uint8_t sizes[][4] = { { 0, 0, 0, 0 }, { 0, 1, 0, 1 },
		{ 4, 0, 0, 0 }, { 0xff, 0xff, 0xff, 0xff }, { 0x80, 0, 0, 0 } };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		wire_parse(WIRE_BINARY, sizes[i], 4, WIRE_ANSWER_MAX, &a);
		CHECK(a.kind == WIRE_BAD);
		wire_parse(WIRE_JSON, sizes[i], 4, WIRE_ANSWER_MAX, &a);
		CHECK(a.kind == WIRE_BAD);
	}
	wire_parse(WIRE_JSON, sizes[1], 4, WIRE_LIST_MAX, &a);
	CHECK(a.kind == WIRE_MORE);
	wire_parse(
	    WIRE_JSON, (const uint8_t *)"\0\1\0", 4, WIRE_ANSWER_MAX, &a);
	CHECK(a.kind == WIRE_MORE);
}

#define KEY "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="

static void
test_json(void)
{
	uint8_t key[PROTO_KEY_LEN];

	memset(key, 'k', sizeof(key));
	CHECK(json("{\"type\":\"lookup_ok\",\"node_id\":7777,"
		   "\"public_key\":\"" KEY
		   "\",\"key_generation\":3}") == WIRE_FOUND);
	CHECK(a.named && a.node == 7777 && a.has == WIRE_KEY_GOOD);
	CHECK(memcmp(a.key, key, sizeof(key)) == 0);
	CHECK(json("{\"type\":\"lookup_ok\",\"node_id\":4294967295,"
		   "\"public_key\":\"\"}") == WIRE_FOUND);
	CHECK(a.node == 4294967295U && a.has == WIRE_KEY_NONE);
	CHECK(json("{\"type\":\"lookup_ok\",\"node_id\":1}") == WIRE_FOUND);
	CHECK(a.has == WIRE_KEY_NONE);
	CHECK(json("{\"type\":\"error\","
		   "\"error\":\"node 7: node not found\"}") == WIRE_GONE);
	CHECK(a.named && a.node == 7);
	CHECK(json("{\"type\":\"lookup_ok\",\"node_id\":1,"
		   "\"error\":\"request failed\"}") == WIRE_ERROR);
	CHECK(json("{\"error\":7}") == WIRE_ERROR);
	CHECK(json("{\"type\":\"beacon_list_ok\"}") == WIRE_OBJECT);
	CHECK(json("{}") == WIRE_OBJECT);
}

static void
test_json_keys_that_are_none(void)
{
	static const char *const keys[] = { "AAAA", "x", "====", KEY "AAAA",
		"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s",
		"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr" };
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "{\"type\":\"lookup_ok\",\"node_id\":1,"
		    "\"public_key\":\"%s\"}",
		    keys[i]);
		CHECK(json(text) == WIRE_FOUND && a.has == WIRE_KEY_UNFIT);
	}
}

static void
test_json_that_is_bad(void)
{
	static const char *const texts[] = { "x", "{", "[1]", "null", "{}x",
		"{\"type\":\"lookup_ok\"}",
		"{\"type\":\"lookup_ok\",\"node_id\":\"1\"}",
		"{\"type\":\"lookup_ok\",\"node_id\":1.0}",
		"{\"type\":\"lookup_ok\",\"node_id\":-1}",
		"{\"type\":\"lookup_ok\",\"node_id\":4294967296}",
		"{\"type\":\"lookup_ok\",\"node_id\":1,\"public_key\":7}" };
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CHECK(json(texts[i]) == WIRE_BAD);
}

int
main(void)
{
	wire_init();
	RUN(test_requests);
	RUN(test_found);
	RUN(test_found_cut);
	RUN(test_errors);
	RUN(test_other_frames);
	RUN(test_lengths);
	RUN(test_json);
	RUN(test_json_keys_that_are_none);
	RUN(test_json_that_is_bad);
	return (test_failed());
}
