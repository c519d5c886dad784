/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "regress/unit/test.h"
#include "worker/http_forwarded.h"
#include "worker/networks.h"

/* 10.0.0.1 is the proxy that connects; 10.0.0.0/8 and fd00::/8 are trusted. */
static struct networks proxies;
static char found[ADDRESS_TEXT_LEN];

static void
trust(const char *text, uint16_t prefix)
{
	struct msg_address msg;

	memset(&msg, 0, sizeof(msg));
	if (text != NULL)
		(void)address_parse(text, msg.addr);
	msg.prefix = prefix;
	(void)networks_take(&proxies, &msg);
}

/* Of up to eight lines, with | between.  Returns what http_forwarded() does. */
static int
ask(enum forwarded_kind kind, const char *value)
{
	struct forwarded f;
	struct text line, rest;
	uint8_t addr[16];
	char *copy;
	int got;

	/* So that a sanitizer sees a byte read too far. */
	copy = malloc(strlen(value));
	if (copy == NULL)
		return (-1);
	memcpy(copy, value, strlen(value));
	memset(&f, 0, sizeof(f));
	rest.p = (const uint8_t *)copy;
	rest.len = strlen(value);
	do {
		line = text_take_until(&rest, '|');
		http_forwarded_add(&f, line);
	} while (rest.len > 0);
	(void)address_parse("10.0.0.1", addr);
	got = http_forwarded(&f, kind, &proxies, addr);
	(void)address_host(addr, found);
	free(copy);
	return (got);
}

/* Whom the list names; NULL: nobody, and `last` is the last proxy known. */
static int
names(enum forwarded_kind kind, const char *value, const char *client,
    const char *last)
{
	int got;

	got = ask(kind, value);
	return (got == (client != NULL) &&
		strcmp(found, client != NULL ? client : last) == 0);
}

#define FOR(value, client)  names(FORWARDED_FOR, value, client, NULL)
#define NOT_FOR(value)      names(FORWARDED_FOR, value, NULL, "10.0.0.1")
#define NODE(value, client) names(FORWARDED, value, client, NULL)
#define NOT_NODE(value)     names(FORWARDED, value, NULL, "10.0.0.1")

static void
the_last_is_who_called_the_proxy(void)
{
	CHECK(FOR("192.0.2.7", "192.0.2.7"));
	CHECK(FOR("1.2.3.4, 192.0.2.7", "192.0.2.7"));
	CHECK(FOR("spoof,,\t 192.0.2.7 ", "192.0.2.7"));
	CHECK(FOR("\"spoof, 192.0.2.7", "192.0.2.7"));
	CHECK(FOR("::ffff:192.0.2.7", "192.0.2.7"));
	CHECK(FOR("1.2.3.4,2001:DB8:0:0:0:0:0:1", "2001:db8::1"));
	CHECK(FOR("1.2.3.4:5, 192.0.2.7:65535", "192.0.2.7"));
	CHECK(FOR("[2001:db8::1]:443", "2001:db8::1"));
	CHECK(FOR("[2001:db8::1]", "2001:db8::1"));
	CHECK(FOR("[::ffff:192.0.2.7]:1", "192.0.2.7"));
}

static void
proxies_of_ours_are_passed_over(void)
{
	CHECK(FOR("6.6.6.6, 192.0.2.7, 10.1.2.3", "192.0.2.7"));
	CHECK(FOR("192.0.2.7, fd00::1, 10.1.2.3, 10.0.0.9:80", "192.0.2.7"));
	CHECK(FOR("10.1.2.3", "10.1.2.3"));
	CHECK(FOR("10.7.7.7,10.1.2.3", "10.7.7.7"));
	CHECK(FOR(",10.1.2.3", "10.1.2.3"));
}

static void
lines_are_one_list(void)
{
	CHECK(FOR("192.0.2.7|10.1.2.3", "192.0.2.7"));
	CHECK(FOR("6.6.6.6, 192.0.2.7|10.1.2.3, 10.1.2.4", "192.0.2.7"));
	CHECK(FOR("6.6.6.6|192.0.2.7", "192.0.2.7"));
	CHECK(FOR("1.1.1.1|2.2.2.2|3.3.3.3|4.4.4.4|5.5.5.5", "5.5.5.5"));
	CHECK(FOR("1.1.1.1|10.0.0.2|10.0.0.3|10.0.0.4", "1.1.1.1"));
	/* So many are not kept. */
	CHECK(names(FORWARDED_FOR,
	    "1.1.1.1|10.0.0.2|10.0.0.3|10.0.0.4|10.0.0.5", NULL, "10.0.0.2"));
}

static void
who_names_no_address_is_not_passed_over(void)
{
	CHECK(NOT_FOR("192.0.2.7,") && NOT_FOR("") && NOT_FOR("unknown"));
	CHECK(NOT_FOR("192.0.2.7| ") && NOT_FOR("192.0.2.7, "));
	CHECK(NOT_FOR("[]:1") && NOT_FOR(":1") && NOT_FOR("192.0.2.7.1"));
	CHECK(NOT_FOR("192.0.2.256") && NOT_FOR("192.0.2.7 x"));
	CHECK(NOT_FOR("1111:2222:3333:4444:5555:6666:7777:8888:9999"));
	CHECK(NOT_FOR("000000000000000000000000000000000000000000000001"));
	CHECK(
	    names(FORWARDED_FOR, "192.0.2.7, _x, 10.1.2.3", NULL, "10.1.2.3"));
	CHECK(names(FORWARDED_FOR, "192.0.2.7, , 10.1.2.3", NULL, "10.1.2.3"));
}

static void
a_row_of_proxies_has_an_end(void)
{
	char list[256];
	int i;

	(void)strlcpy(list, "192.0.2.7", sizeof(list));
	for (i = 0; i < 15; i++)
		(void)strlcat(list, ",10.0.0.2", sizeof(list));
	CHECK(FOR(list, "192.0.2.7"));
	(void)strlcat(list, ",10.0.0.2", sizeof(list));
	CHECK(names(FORWARDED_FOR, list, NULL, "10.0.0.2"));
}

static void
nodes_of_rfc_7239(void)
{
	CHECK(NODE("for=192.0.2.7", "192.0.2.7"));
	CHECK(NODE("For=192.0.2.7;proto=http;by=10.0.0.1", "192.0.2.7"));
	CHECK(NODE("proto=https; FOR=\"192.0.2.7:4711\"", "192.0.2.7"));
	CHECK(NODE("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"));
	CHECK(NODE("for=\"[2001:db8::1]\"", "2001:db8::1"));
	CHECK(NODE("for=6.6.6.6, for=192.0.2.7, for=10.0.0.2", "192.0.2.7"));
	CHECK(NODE("for=192.0.2.7|by=1;for=10.0.0.2", "192.0.2.7"));
	CHECK(NODE("for=192.0.2.7;host=\"a;for=6.6.6.6\"", "192.0.2.7"));
	CHECK(NODE("host=\"a,for=6.6.6.6\";for=192.0.2.7", "192.0.2.7"));
	CHECK(NOT_NODE("for=unknown") && NOT_NODE("for=_gazonk"));
	CHECK(NOT_NODE("for=192.0.2.7, for=unknown"));
	CHECK(NOT_NODE("192.0.2.7") && NOT_NODE("fork=192.0.2.7"));
	CHECK(NOT_NODE("for =192.0.2.7") && NOT_NODE("for=") && NOT_NODE("="));
	CHECK(NOT_NODE("for=192.0.2.7, proto=http"));
	CHECK(NOT_NODE("for=192.0.2.7;for=192.0.2.7"));
}

/* What a client sent stands in front, and what it made the proxy quote. */
static void
no_string_reaches_over_the_end_of_its_element(void)
{
	CHECK(NODE("for=\"6.6.6.6, for=192.0.2.7", "192.0.2.7"));
	CHECK(NODE("for=\"\\\", for=192.0.2.7", "192.0.2.7"));
	CHECK(NODE("\"\\, for=192.0.2.7", "192.0.2.7"));
	CHECK(NOT_NODE("for=\"192.0.2.7") && NOT_NODE("for=\""));
	CHECK(NOT_NODE("for=6.6.6.6;host=\"a\\\",b\";for=192.0.2.7"));
	CHECK(NOT_NODE("for=192.0.2.7;host=\"\\\""));
	CHECK(NOT_NODE("for=\"192.0.2.7\\:1\""));
}

int
main(void)
{
	trust("10.0.0.0", 96 + 8);
	trust("fd00::", 8);
	trust(NULL, PROTO_PREFIX_NONE);
	RUN(the_last_is_who_called_the_proxy);
	RUN(proxies_of_ours_are_passed_over);
	RUN(lines_are_one_list);
	RUN(who_names_no_address_is_not_passed_over);
	RUN(a_row_of_proxies_has_an_end);
	RUN(nodes_of_rfc_7239);
	RUN(no_string_reaches_over_the_end_of_its_element);
	return (test_failed());
}
