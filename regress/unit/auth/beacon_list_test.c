/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "auth/beacon_list.h"

#include "regress/unit/test.h"

/* One too long to have its end behind it. */
#define LONG                               \
	"0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef"

static struct msg_beacon_row rows[PROTO_BEACONS_MAX + 10];
static uint32_t nrows, count;
static struct msg_registry_conf conf;
static char out[512];

static void
row(void *arg, const struct msg_beacon_row *r)
{
	(*(uint32_t *)arg)++;
	rows[nrows++] = *r;
}

static int
parse(const char *text)
{
	uint32_t calls;
	int result;

	nrows = calls = 0;
	result = beacon_list_parse(text, strlen(text), 7, row, &calls, &count);
	return (calls == nrows ? result : -2);
}

static int
is(uint32_t i, uint32_t beacon, const char *host, uint32_t port)
{
	return (rows[i].beacon == beacon && rows[i].port == port &&
		strcmp(rows[i].host, host) == 0 && rows[i].first == (i == 0) &&
		rows[i].last == (i == nrows - 1));
}

static void
test_list(void)
{
	CHECK(parse("{\"type\":\"beacon_list_ok\",\"beacons\":["
		    "{\"id\":1,\"addr\":\"192.0.2.1:9001\"},"
		    "{\"id\":7,\"addr\":\"192.0.2.7:9001\"},"
		    "{\"id\":2,\"addr\":\"[2001:db8::1]:9002\"},"
		    "{\"id\":4294967295,\"addr\":\"b.example:65535\"}]}") == 0);
	CHECK(nrows == 3 && count == 3);
	CHECK(is(0, 1, "192.0.2.1", 9001));
	CHECK(is(1, 2, "2001:db8::1", 9002));
	CHECK(is(2, 4294967295U, "b.example", 65535));
}

static void
test_none(void)
{
	static const char *const texts[] = { "{\"beacons\":[]}",
		"{\"beacons\":null}",
		"{\"beacons\":[{\"id\":7,\"addr\":\"a:1\"}]}",
		"{\"beacons\":[1,null,\"x\",[],{}]}" };
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CHECK(parse(texts[i]) == 0);
		CHECK(count == 0 && nrows == 1 && is(0, 0, "", 0));
	}
}

static void
test_rows_that_are_none(void)
{
	static const char *const rest[] = { "\"id\":1", "\"addr\":\"a:1\"",
		"\"id\":-1,\"addr\":\"a:1\"",
		"\"id\":4294967296,\"addr\":\"a:1\"",
		"\"id\":\"1\",\"addr\":\"a:1\"", "\"id\":1,\"addr\":7",
		"\"id\":1,\"addr\":\"a\"", "\"id\":1,\"addr\":\":1\"",
		"\"id\":1,\"addr\":\"a:\"", "\"id\":1,\"addr\":\"a:0\"",
		"\"id\":1,\"addr\":\"a:65536\"",
		"\"id\":1,\"addr\":\"a:99999999999999999999\"",
		"\"id\":1,\"addr\":\"a:1x\"",
		"\"id\":1,\"addr\":\"" LONG ":1\"" };
	char text[512];
	size_t i;

	for (i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "{\"beacons\":[{\"id\":5,\"addr\":\"b:5\"},{%s}]}",
		    rest[i]);
		CHECK(parse(text) == 0);
		CHECK(nrows == 1 && is(0, 5, "b", 5));
	}
}

static void
test_not_a_list(void)
{
	CHECK(parse("") == -1 && nrows == 0);
	CHECK(parse("{}") == -1 && parse("[]") == -1);
	CHECK(parse("{\"beacons\":{}}") == -1 && nrows == 0);
}

static void
test_too_many(void)
{
	static char text[64 * (PROTO_BEACONS_MAX + 10)];
	size_t at;
	int i;

	at = (size_t)snprintf(text, sizeof(text), "{\"beacons\":[");
	for (i = 0; i < PROTO_BEACONS_MAX + 5; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "%s{\"id\":%d,\"addr\":\"a:1\"}", i == 0 ? "" : ",",
		    i + 100);
	(void)snprintf(text + at, sizeof(text) - at, "]}");
	CHECK(parse(text) == 0);
	CHECK(count == PROTO_BEACONS_MAX && nrows == PROTO_BEACONS_MAX);
	CHECK(rows[0].first && rows[PROTO_BEACONS_MAX - 1].last);
}

static int
asks(const char *text)
{
	size_t len;

	len = beacon_list_request(&conf, out, sizeof(out));
	return (len == strlen(text) && memcmp(out, text, len) == 0);
}

static void
test_request(void)
{
	conf.beacon_id = 9;
	conf.port = 9001;
	(void)snprintf(conf.host, sizeof(conf.host), "b.example");
	CHECK(asks("{\"type\":\"beacon_register\",\"beacon_id\":9,"
		   "\"addr\":\"b.example:9001\"}"));
	(void)snprintf(conf.host, sizeof(conf.host), "2001:db8::1");
	(void)snprintf(conf.token, sizeof(conf.token), "a\"b\\");
	CHECK(asks("{\"type\":\"beacon_register\",\"beacon_id\":9,"
		   "\"addr\":\"[2001:db8::1]:9001\","
		   "\"admin_token\":\"a\\\"b\\\\\"}"));
	CHECK(beacon_list_request(&conf, out, 20) == 0);
	/* No text in UTF-8. */
	(void)snprintf(conf.token, sizeof(conf.token), "\xff");
	CHECK(beacon_list_request(&conf, out, sizeof(out)) == 0);
}

int
main(void)
{
	RUN(test_list);
	RUN(test_none);
	RUN(test_rows_that_are_none);
	RUN(test_not_a_list);
	RUN(test_too_many);
	RUN(test_request);
	return (test_failed());
}
