/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "regress/unit/test.h"
#include "worker/login_reply.h"

/* 64 bytes of 0, 1, 2, ... */
#define SIG64                                                              \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v" \
	"MDEyMzQ1Njc4OTo7PD0+Pw=="
#define SIG63                                                              \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v" \
	"MDEyMzQ1Njc4OTo7PD0+"
#define SIG65                                                              \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v" \
	"MDEyMzQ1Njc4OTo7PD0+P0A="
/* 64 bytes of ff: the characters that the URL alphabet has otherwise. */
#define F16     "////////////////"
#define SIG_FF  F16 F16 F16 F16 F16 "/////w=="
#define U16     "________________"
#define SIG_URL U16 U16 U16 U16 U16 "_____w=="

#define REPLY(node, sig)                             \
	"{\"type\":\"auth_reply\",\"node_id\":" node \
	",\"public_key\":\"AAAA\",\"sig\":\"" sig "\"}"

static struct login_reply reply;

/* What is no auth_reply is EBADMSG; -2: it is something else. */
static int
parse_part(const char *text, size_t len)
{
	int r;

	memset(&reply, 0xee, sizeof(reply));
	errno = ENOMEM;
	r = login_reply_parse(text, len, &reply);
	return (r == -1 && errno != EBADMSG ? -2 : r);
}

static int
parse(const char *text)
{
	return (parse_part(text, strlen(text)));
}

static void
good(void)
{
	size_t i;

	CHECK(parse(REPLY("7777", SIG64)) == 0);
	CHECK(reply.node == 7777);
	for (i = 0; i < sizeof(reply.sig); i++)
		CHECK(reply.sig[i] == i);
	CHECK(parse(REPLY("1", SIG_FF)) == 0);
	CHECK(reply.node == 1);
	for (i = 0; i < sizeof(reply.sig); i++)
		CHECK(reply.sig[i] == 0xff);
}

static void
any_layout(void)
{
	CHECK(parse(" {\n\"sig\" : \"" SIG64 "\" ,\t\"node_id\":5,"
		    "\"type\":\"auth_reply\"}\r\n") == 0);
	CHECK(reply.node == 5);
	CHECK(parse("{\"t\\u0079pe\":\"auth\\u005freply\",\"node_id\":5,"
		    "\"sig\":\"" SIG64 "\"}") == 0);
}

static void
other_members_ignored(void)
{
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":5,\"sig\":\"" SIG64
		    "\",\"public_key\":[1,{\"a\":null}],\"x\":-1.5}") == 0);
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":5,\"sig\":\"" SIG64
		    "\",\"public_key\":null}") == 0);
}

static void
node_range(void)
{
	CHECK(parse(REPLY("4294967295", SIG64)) == 0);
	CHECK(reply.node == 4294967295U);
	CHECK(parse(REPLY("0", SIG64)) == -1);
	CHECK(parse(REPLY("-1", SIG64)) == -1);
	CHECK(parse(REPLY("-0", SIG64)) == -1);
	CHECK(parse(REPLY("4294967296", SIG64)) == -1);
	CHECK(parse(REPLY("4294967297", SIG64)) == -1);
	CHECK(parse(REPLY("18446744073709551617", SIG64)) == -1);
	CHECK(parse(REPLY("9223372036854775807", SIG64)) == -1);
}

static void
node_kind(void)
{
	CHECK(parse(REPLY("7777.0", SIG64)) == -1);
	CHECK(parse(REPLY("7e3", SIG64)) == -1);
	CHECK(parse(REPLY("\"7777\"", SIG64)) == -1);
	CHECK(parse(REPLY("null", SIG64)) == -1);
	CHECK(parse(REPLY("true", SIG64)) == -1);
	CHECK(parse(REPLY("[7777]", SIG64)) == -1);
	CHECK(parse(REPLY("0x10", SIG64)) == -1);
	CHECK(parse(REPLY("007", SIG64)) == -1);
	CHECK(parse(REPLY("+7", SIG64)) == -1);
}

static void
sig_bad(void)
{
	CHECK(parse(REPLY("7", "")) == -1);
	CHECK(parse(REPLY("7", SIG63)) == -1);
	CHECK(parse(REPLY("7", SIG65)) == -1);
	CHECK(parse(REPLY("7", SIG64 SIG64)) == -1);
	CHECK(parse(REPLY("7", SIG_URL)) == -1);
	CHECK(parse(REPLY("7", " " SIG64)) == -1);
	CHECK(parse(REPLY("7", SIG64 " ")) == -1);
	CHECK(parse(REPLY("7", SIG64 "\\n")) == -1);
	CHECK(parse(REPLY("7", SIG64 "=")) == -1);
	CHECK(parse(REPLY("7", SIG64 "A")) == -1);
	CHECK(parse(REPLY("7", SIG64 "\\u0000")) == -1);
	CHECK(parse(REPLY("7", "!" SIG64)) == -1);
}

/* One character less, or a newline in the middle. */
static void
sig_form(void)
{
	char text[sizeof(REPLY("7", SIG64)) + 8];
	int len;

	len = strlen(SIG64);
	snprintf(text, sizeof(text), REPLY("7", "%.*s"), len - 1, SIG64);
	CHECK(parse(text) == -1);
	snprintf(text, sizeof(text), REPLY("7", "%.*s"), len - 2, SIG64);
	CHECK(parse(text) == -1);
	snprintf(
	    text, sizeof(text), REPLY("7", "%.40s\\n%s"), SIG64, &SIG64[40]);
	CHECK(parse(text) == -1);
	/* Bits beyond the last byte that are not zero. */
	snprintf(text, sizeof(text), REPLY("7", "%.*sx=="), len - 3, SIG64);
	CHECK(parse(text) == -1);
}

static void
sig_kind(void)
{
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":7}") == -1);
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":null}") ==
	      -1);
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":[\"" SIG64
		    "\"]}") == -1);
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":7}") == -1);
	CHECK(parse("{\"type\":\"auth_reply\",\"sig\":\"" SIG64 "\"}") == -1);
}

static void
type_bad(void)
{
	CHECK(parse("{\"node_id\":7,\"sig\":\"" SIG64 "\"}") == -1);
	CHECK(parse("{\"type\":\"auth_ok\",\"node_id\":7,\"sig\":\"" SIG64
		    "\"}") == -1);
	CHECK(parse("{\"type\":\"auth_reply2\",\"node_id\":7,\"sig\":\"" SIG64
		    "\"}") == -1);
	CHECK(parse("{\"type\":\"AUTH_REPLY\",\"node_id\":7,\"sig\":\"" SIG64
		    "\"}") == -1);
	CHECK(parse("{\"type\":1,\"node_id\":7,\"sig\":\"" SIG64 "\"}") == -1);
	CHECK(parse("{\"Type\":\"auth_reply\",\"node_id\":7,\"sig\":\"" SIG64
		    "\"}") == -1);
}

static void
duplicates_refused(void)
{
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":7,\"node_id\":7,"
		    "\"sig\":\"" SIG64 "\"}") == -1);
	CHECK(parse("{\"type\":\"auth_reply\",\"node_id\":7,\"sig\":\"" SIG64
		    "\",\"sig\":\"" SIG64 "\"}") == -1);
}

static void
not_json(void)
{
	char whole[] = REPLY("7777", SIG64);
	size_t len;

	for (len = 0; len < sizeof(whole) - 1; len++)
		CHECK(parse_part(whole, len) == -1);
	CHECK(parse(REPLY("7777", SIG64) "x") == -1);
	CHECK(parse(REPLY("7777", SIG64) "{}") == -1);
	CHECK(parse_part(whole, sizeof(whole)) == -1);
	CHECK(parse("[]") == -1 && parse("{}") == -1 && parse("7") == -1);
	CHECK(parse("null") == -1 && parse("\"auth_reply\"") == -1);
	CHECK(parse("[" REPLY("7777", SIG64) "]") == -1);
	CHECK(parse("{\"a\":\"\xff\"}") == -1);
}

/* Whitespace up to the bound is fine, one byte more is not. */
static void
length_bound(void)
{
	char text[LOGIN_REPLY_MAX + 1];
	size_t len;

	len = strlen(REPLY("7777", SIG64));
	memset(text, ' ', sizeof(text));
	memcpy(text, REPLY("7777", SIG64), len);
	CHECK(parse_part(text, LOGIN_REPLY_MAX) == 0);
	CHECK(parse_part(text, LOGIN_REPLY_MAX + 1) == -1);
}

static void
deep_nesting(void)
{
	char text[LOGIN_REPLY_MAX];

	memset(text, '[', sizeof(text));
	CHECK(parse_part(text, sizeof(text)) == -1);
	memset(text + sizeof(text) / 2, ']', sizeof(text) / 2);
	CHECK(parse_part(text, sizeof(text)) == -1);
}

static int mallocs; /* that are left */

static void *
scarce(size_t size)
{
	if (mallocs-- > 0)
		return (malloc(size));
	errno = ENOMEM;
	return (NULL);
}

/* Whichever malloc it is that fails: it may be a good reply. */
static void
no_memory(void)
{
	int n, r;

	json_set_alloc_funcs(scarce, free);
	for (n = r = 0; n < 100; n++) {
		mallocs = n;
		errno = 0;
		r = login_reply_parse(REPLY("7777", SIG64),
		    strlen(REPLY("7777", SIG64)), &reply);
		if (r == 0 || errno != ENOMEM)
			break;
	}
	json_set_alloc_funcs(malloc, free);
	CHECK(r == 0 && n > 0);
}

int
main(void)
{
	RUN(good);
	RUN(any_layout);
	RUN(other_members_ignored);
	RUN(node_range);
	RUN(node_kind);
	RUN(sig_bad);
	RUN(sig_form);
	RUN(sig_kind);
	RUN(type_bad);
	RUN(duplicates_refused);
	RUN(not_json);
	RUN(length_bound);
	RUN(deep_nesting);
	RUN(no_memory);
	return (test_failed());
}
