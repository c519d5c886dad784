/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "auth/registry_wire.h"

/* Types of the binary framing's frames. */
#define WIRE_TYPE_OBJECT 0x00
#define WIRE_TYPE_ALIVE  0x01
#define WIRE_TYPE_LOOKUP 0x02
#define WIRE_TYPE_IS     0x80 /* in answers to the two before */
#define WIRE_TYPE_ERROR  0xff

/* What is left of a body; `bad` once more was taken than there is. */
struct wire_cursor {
	const uint8_t *at;
	size_t left;
	int bad;
};

/* Before the sandbox: the seed of jansson's tables would come from a file. */
void
wire_init(void)
{
	json_object_seed(randombytes_random() | 1); /* 0 means: by itself */
}

static uint32_t
wire_u32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		(uint32_t)p[2] << 8 | p[3]);
}

static void
wire_put_u32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

/* How a binary connection begins: WIRE_HELLO_LEN bytes. */
size_t
wire_hello(uint8_t *out)
{
	static const uint8_t hello[WIRE_HELLO_LEN] = { 'P', 'I', 'L', 'T', 1 };

	memcpy(out, hello, sizeof(hello));
	return (WIRE_HELLO_LEN);
}

/*
 * The requests: each writes up to WIRE_REQUEST_MAX bytes and returns how many.
 * That of a JSON object returns 0 if it is too long.
 */
size_t
wire_object(
    enum wire_framing framing, const char *object, size_t len, uint8_t *out)
{
	size_t head;

	if (len > WIRE_OBJECT_MAX)
		return (0);
	head = framing == WIRE_BINARY ? 1 : 0;
	wire_put_u32(out, (uint32_t)(head + len));
	out[WIRE_HEADER_LEN] = WIRE_TYPE_OBJECT;
	memcpy(out + WIRE_HEADER_LEN + head, object, len);
	return (WIRE_HEADER_LEN + head + len);
}

size_t
wire_lookup(enum wire_framing framing, uint32_t node, uint8_t *out)
{
	char object[64];
	int len;

	if (framing == WIRE_JSON) {
		len = snprintf(object, sizeof(object),
		    "{\"type\":\"lookup\",\"node_id\":%u}", node);
		return (wire_object(framing, object, (size_t)len, out));
	}
	wire_put_u32(out, 1 + sizeof(node));
	out[WIRE_HEADER_LEN] = WIRE_TYPE_LOOKUP;
	wire_put_u32(out + WIRE_HEADER_LEN + 1, node);
	return (WIRE_HEADER_LEN + 1 + sizeof(node));
}

/* Something harmless to be answered; JSON has no heartbeat without an id. */
size_t
wire_alive(enum wire_framing framing, uint8_t *out)
{
	static const char object[] = "{\"type\":\"beacon_list\"}";

	if (framing == WIRE_JSON)
		return (wire_object(framing, object, sizeof(object) - 1, out));
	wire_put_u32(out, 1);
	out[WIRE_HEADER_LEN] = WIRE_TYPE_ALIVE;
	return (WIRE_HEADER_LEN + 1);
}

static const uint8_t *
wire_take(struct wire_cursor *c, size_t len)
{
	const uint8_t *p;

	if (len > c->left) {
		c->bad = 1;
		return (NULL);
	}
	p = c->at;
	c->at += len;
	c->left -= len;
	return (p);
}

/* A number of so many bytes, 1 or 2; 0 where there is none. */
static size_t
wire_number(struct wire_cursor *c, size_t bytes)
{
	const uint8_t *p;

	p = wire_take(c, bytes);
	if (p == NULL)
		return (0);
	return (bytes == 1 ? p[0] : (size_t)p[0] << 8 | p[1]);
}

static void
wire_key(struct wire_answer *a, const uint8_t *key, size_t len)
{
	a->has = len == PROTO_KEY_LEN ? WIRE_KEY_GOOD
		 : len == 0           ? WIRE_KEY_NONE
				      : WIRE_KEY_UNFIT;
	if (a->has == WIRE_KEY_GOOD && key != NULL)
		memcpy(a->key, key, PROTO_KEY_LEN);
}

/* The answer 82.  Only the key counts, but all of it must be there. */
static void
wire_parse_found(struct wire_cursor *c, struct wire_answer *a)
{
	const uint8_t *node;
	size_t len, tags;

	node = wire_take(c, sizeof(uint32_t));
	(void)wire_take(c, sizeof(uint8_t) + sizeof(uint32_t));
	(void)wire_take(c, wire_number(c, 2) * 2);
	len = wire_number(c, 1);
	wire_key(a, wire_take(c, len), len);
	(void)wire_take(c, wire_number(c, 1));
	for (tags = wire_number(c, 1); tags > 0; tags--)
		(void)wire_take(c, wire_number(c, 1));
	(void)wire_take(c, wire_number(c, 2));
	(void)wire_take(c, wire_number(c, 1));
	if (c->bad || node == NULL) {
		a->kind = WIRE_BAD;
		return;
	}
	a->kind = WIRE_FOUND;
	a->named = 1;
	a->node = wire_u32(node);
}

/* Of "node N: what": N.  Returns 0, or -1 if it does not begin like that. */
static int
wire_named(const char *text, size_t len, uint32_t *node)
{
	static const char word[] = "node ";
	uint64_t n;
	size_t i;

	n = 0;
	if (len < sizeof(word) || memcmp(text, word, sizeof(word) - 1) != 0)
		return (-1);
	for (i = sizeof(word) - 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			break;
		n = n * 10 + (uint64_t)(text[i] - '0');
		if (n > UINT32_MAX)
			return (-1);
	}
	if (i == sizeof(word) - 1 || i == len || text[i] != ':')
		return (-1);
	*node = (uint32_t)n;
	return (0);
}

/* Only these words say that a node is not there. */
static void
wire_error(const char *text, size_t len, struct wire_answer *a)
{
	static const char words[] = "not found";
	size_t i;

	for (i = 0; i < len && i < sizeof(a->error) - 1; i++)
		a->error[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	a->named = wire_named(text, len, &a->node) == 0;
	a->kind = memmem(text, len, words, sizeof(words) - 1) != NULL
		      ? WIRE_GONE
		      : WIRE_ERROR;
}

static void
wire_parse_error(struct wire_cursor *c, struct wire_answer *a)
{
	const uint8_t *text;
	size_t len;

	len = wire_number(c, 2);
	text = wire_take(c, len);
	if (c->bad)
		a->kind = WIRE_BAD;
	else
		wire_error((const char *)text, len, a);
}

static void
wire_json_found(const json_t *root, struct wire_answer *a)
{
	uint8_t key[PROTO_KEY_LEN];
	const json_t *id, *value;
	size_t len;

	id = json_object_get(root, "node_id");
	value = json_object_get(root, "public_key");
	if (!json_is_integer(id) || json_integer_value(id) < 0 ||
	    json_integer_value(id) > UINT32_MAX ||
	    (value != NULL && !json_is_string(value) && !json_is_null(value))) {
		a->kind = WIRE_BAD;
		return;
	}
	a->kind = WIRE_FOUND;
	a->named = 1;
	a->node = (uint32_t)json_integer_value(id);
	len = 0;
	if (json_string_length(value) > 0 &&
	    sodium_base642bin(key, sizeof(key), json_string_value(value),
		json_string_length(value), NULL, &len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		len = sizeof(key) + 1;
	wire_key(a, key, json_string_length(value) > 0 && len == 0 ? 1 : len);
}

static void
wire_parse_object(const char *text, size_t len, struct wire_answer *a)
{
	const json_t *error, *type;
	json_t *root;

	root = json_loadb(text, len, 0, NULL);
	error = json_object_get(root, "error");
	type = json_object_get(root, "type");
	if (!json_is_object(root))
		a->kind = WIRE_BAD;
	else if (json_is_string(error))
		wire_error(
		    json_string_value(error), json_string_length(error), a);
	else if (error != NULL)
		a->kind = WIRE_ERROR;
	else if (json_is_string(type) &&
		 strcmp(json_string_value(type), "lookup_ok") == 0)
		wire_json_found(root, a);
	else {
		a->kind = WIRE_OBJECT;
		a->object = text;
		a->object_len = len;
	}
	json_decref(root);
}

static void
wire_parse_frame(const uint8_t *body, size_t len, struct wire_answer *a)
{
	struct wire_cursor c;

	c.at = body + 1;
	c.left = len - 1;
	c.bad = 0;
	switch (body[0]) {
	case WIRE_TYPE_OBJECT:
		wire_parse_object((const char *)c.at, c.left, a);
		break;
	case WIRE_TYPE_IS | WIRE_TYPE_ALIVE:
		a->kind = WIRE_ALIVE;
		break;
	case WIRE_TYPE_IS | WIRE_TYPE_LOOKUP:
		wire_parse_found(&c, a);
		break;
	case WIRE_TYPE_ERROR:
		wire_parse_error(&c, a);
		break;
	default:
		a->kind = WIRE_BAD;
		break;
	}
}

/*
 * The answer that the len bytes at data begin with; its length field may be
 * max at most.  A length is believed no further than the bytes that are there.
 */
void
wire_parse(enum wire_framing framing, const uint8_t *data, size_t len,
    size_t max, struct wire_answer *a)
{
	size_t body;

	memset(a, 0, sizeof(*a));
	a->kind = WIRE_MORE;
	if (len < WIRE_HEADER_LEN)
		return;
	body = wire_u32(data);
	if (body == 0 || body > max) {
		a->kind = WIRE_BAD;
		return;
	}
	if (len - WIRE_HEADER_LEN < body)
		return;
	a->len = WIRE_HEADER_LEN + body;
	if (framing == WIRE_BINARY)
		wire_parse_frame(data + WIRE_HEADER_LEN, body, a);
	else
		wire_parse_object(
		    (const char *)data + WIRE_HEADER_LEN, body, a);
}
