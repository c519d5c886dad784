/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "common/address.h"
#include "regress/unit/test.h"
#include "worker/proxy_header.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static struct proxy_header header;

/*
 * Returns what the parser says of all of it.  -2: of a part it says something
 * else than that, or that more is needed.  Each piece is a copy of its own, so
 * that a sanitizer sees a byte read too far.
 */
static int
parse(const void *bytes, size_t len)
{
	struct proxy_header part;
	uint8_t *piece;
	size_t n;
	int got, want;

	want = proxy_header_parse(bytes, len, &header);
	for (n = 0; n <= len; n++) {
		piece = malloc(n + 1);
		if (piece == NULL)
			return (-2);
		memcpy(piece + 1, bytes, n);
		got = proxy_header_parse(piece + 1, n, &part);
		free(piece);
		if (got == 0 && n < len && (want != 1 || n < header.len))
			continue;
		if (got != want || part.len != header.len ||
		    part.port != header.port || part.bad != header.bad ||
		    part.has_client != header.has_client ||
		    memcmp(part.addr, header.addr, sizeof(part.addr)) != 0)
			return (-2);
	}
	return (want);
}

/* Does the header name this client, and end where `after` begins? */
static int
is_client(const char *text, uint16_t port, size_t len)
{
	char host[ADDRESS_TEXT_LEN];

	return (header.has_client && header.port == port && header.len == len &&
		strcmp(address_host(header.addr, host), text) == 0);
}

static int
is_local(size_t len)
{
	return (!header.has_client && header.len == len);
}

static int
is_bad(const char *what)
{
	return (header.bad != NULL && strcmp(header.bad, what) == 0);
}

/* A line of version 1; what follows it is not looked at. */
static int
line(const char *text)
{
	char bytes[512];
	int len;

	len = snprintf(bytes, sizeof(bytes), "%s\r\nGET / HTTP/1.1\r\n", text);
	return (parse(bytes, (size_t)len));
}

static void
v1(void)
{
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443") == 1);
	CHECK(is_client("192.0.2.7", 56324, 45));
	CHECK(line("PROXY TCP6 2001:db8::1 ::1 0 65535") == 1);
	CHECK(is_client("2001:db8::1", 0, 36));
	CHECK(line("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535") == 1);
	CHECK(header.len == 104);
	CHECK(line("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2") == 1);
	CHECK(is_client("192.0.2.7", 1, 37));
}

static void
v1_unknown(void)
{
	CHECK(line("PROXY UNKNOWN") == 1 && is_local(15));
	CHECK(line("PROXY UNKNOWN ") == 1 && is_local(16));
	CHECK(line("PROXY UNKNOWN 192.0.2.7 x 1") == 1 && is_local(29));
	CHECK(line("PROXY UNKNOWNS") == -1);
}

static void
v1_malformed(void)
{
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 56324") == -1);
	CHECK(is_bad("bad port"));
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 ") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7  198.51.100.1 1 2") == -1);
	CHECK(is_bad("bad address"));
	CHECK(line("PROXY TCP4 192.0.2 198.51.100.1 1 2") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 x 1 2") == -1);
	CHECK(line("PROXY TCP4 ::1 ::1 1 2") == -1);
	CHECK(line("PROXY TCP6 192.0.2.7 192.0.2.8 1 2") == -1);
	CHECK(line("PROXY TCP6 [::1] ::1 1 2") == -1);
	CHECK(line("PROXY TCP6 ::1 fe80::1%eth0 1 2") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 65536 2") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 1 99999") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 1 100000") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 -1 2") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 01 2") == -1);
	CHECK(line("PROXY TCP4 192.0.2.7 198.51.100.1 1 00") == -1);
	CHECK(line("PROXY UDP4 192.0.2.7 198.51.100.1 1 2") == -1);
	CHECK(line("PROXY tcp4 192.0.2.7 198.51.100.1 1 2") == -1);
	CHECK(is_bad("unknown family"));
	CHECK(line("PROXY ") == -1 && line("PROXY TCP4") == -1);
	CHECK(line("PROXY\t") == -1 && is_bad("no such header"));
	CHECK(line("proxy TCP4 192.0.2.7 198.51.100.1 1 2") == -1);
}

static void
v1_has_a_length_and_an_end(void)
{
	char bytes[200];

	CHECK(parse("PROXY UNKNOWN\n", 14) == -1 && is_bad("line without CR"));
	CHECK(parse("PROXY UNKNOWN\r\n", 14) == 0);
	CHECK(parse("PROXY \n", 7) == -1);
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "PROXY UNKNOWN ", 14);
	memcpy(bytes + 105, "\r\n", 2);
	CHECK(parse(bytes, sizeof(bytes)) == 1 && is_local(107));
	memcpy(bytes + 105, "x\r\n", 3);
	CHECK(parse(bytes, sizeof(bytes)) == -1 && is_bad("line too long"));
	CHECK(parse(bytes, 106) == 0 && parse(bytes, 107) == -1);
}

static void
what_is_no_header(void)
{
	CHECK(parse("", 0) == 0);
	CHECK(parse("GET / HTTP/1.1\r\n", 16) == -1);
	CHECK(is_bad("no such header"));
	CHECK(parse("P", 1) == 0 && parse("\r", 1) == 0);
	CHECK(parse("PRI * HTTP/2.0\r\n", 16) == -1);
	CHECK(parse("\r\n\r\n\0\r\nQUIX\n!\x11\0\f", 16) == -1);
	CHECK(parse("\r\n\r\nGET", 7) == -1 && parse("\x16\x03\x01", 3) == -1);
}

/* A header of version 2: command, family, addresses, values. */
static int
block(uint8_t command, uint8_t family, const void *bytes, size_t len)
{
	uint8_t all[PROXY_HEADER_MAX + 64];

	memcpy(all, V2, 12);
	all[12] = command;
	all[13] = family;
	all[14] = (uint8_t)(len >> 8);
	all[15] = (uint8_t)len;
	memcpy(all + 16, bytes, len);
	memcpy(all + 16 + len, "GET", 3);
	return (parse(all, 16 + len + 3));
}

#define IPV4 "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"

static void
v2(void)
{
	static const uint8_t v6[36] = { 0x20, 1, 0x0d,
		0xb8, [15] = 1, [31] = 2, [32] = 0x12, 0x67, 0x01, 0xbb };
	static const uint8_t mapped[36] = { [10] = 0xff, 0xff, 192, 0, 2, 7 };

	CHECK(block(0x21, 0x11, IPV4, 12) == 1);
	CHECK(is_client("192.0.2.7", 56324, 28));
	CHECK(block(0x21, 0x12, IPV4, 12) == 1);
	CHECK(is_client("192.0.2.7", 56324, 28));
	CHECK(block(0x21, 0x21, v6, 36) == 1);
	CHECK(is_client("2001:db8::1", 4711, 52));
	CHECK(block(0x21, 0x22, mapped, 36) == 1);
	CHECK(is_client("192.0.2.7", 0, 52));
}

static void
v2_without_a_client(void)
{
	static const uint8_t paths[216] = "/run/socket";

	CHECK(block(0x20, 0x00, "", 0) == 1 && is_local(16));
	CHECK(block(0x20, 0x11, IPV4, 12) == 1 && is_local(28));
	CHECK(block(0x20, 0xff, "what is this", 12) == 1 && is_local(28));
	CHECK(block(0x21, 0x00, "", 0) == 1 && is_local(16));
	CHECK(block(0x21, 0x00, "whatever", 8) == 1 && is_local(24));
	CHECK(block(0x21, 0x10, IPV4, 12) == 1 && is_local(28));
	CHECK(block(0x21, 0x31, paths, 216) == 1 && is_local(232));
	CHECK(block(0x21, 0x32, paths, 216) == 1 && is_local(232));
}

static void
v2_values_are_skipped(void)
{
	CHECK(block(0x21, 0x11, IPV4 "\x04\0\0", 15) == 1);
	CHECK(is_client("192.0.2.7", 56324, 31));
	CHECK(block(0x21, 0x11, IPV4 "\x02\0\1x\xee\0\3abc", 22) == 1);
	CHECK(is_client("192.0.2.7", 56324, 38));
	CHECK(block(0x21, 0x11, IPV4 "\x04", 13) == -1);
	CHECK(is_bad("value cut off"));
	CHECK(block(0x21, 0x11, IPV4 "\x04\0", 14) == -1);
	CHECK(block(0x21, 0x11, IPV4 "\x04\0\1", 15) == -1);
	CHECK(block(0x21, 0x11, IPV4 "\x04\xff\xffx", 16) == -1);
	CHECK(block(0x21, 0x11, IPV4 "\x04\0\1x\1", 17) == -1);
}

static void
v2_malformed(void)
{
	static const uint8_t zero[216];

	CHECK(block(0x11, 0x11, IPV4, 12) == -1 && is_bad("unknown version"));
	CHECK(block(0x31, 0x11, IPV4, 12) == -1);
	CHECK(block(0x22, 0x11, IPV4, 12) == -1 && is_bad("unknown command"));
	CHECK(block(0x21, 0x41, IPV4, 12) == -1 && is_bad("unknown family"));
	CHECK(block(0x21, 0x13, IPV4, 12) == -1 &&
	      block(0x21, 0xf1, "", 0) == -1);
	CHECK(block(0x21, 0x11, IPV4, 11) == -1);
	CHECK(is_bad("too short for its addresses"));
	CHECK(block(0x21, 0x11, "", 0) == -1);
	CHECK(block(0x21, 0x21, zero, 35) == -1);
	CHECK(block(0x21, 0x31, zero, 215) == -1);
}

static void
v2_has_a_bound(void)
{
	uint8_t values[PROXY_HEADER_MAX];
	size_t most;

	most = PROXY_HEADER_MAX - 16;
	memset(values, 0, sizeof(values));
	memcpy(values, IPV4, 12);
	values[12] = 0xee;
	values[13] = (uint8_t)((most - 15) >> 8);
	values[14] = (uint8_t)(most - 15);
	CHECK(block(0x21, 0x11, values, most) == 1);
	CHECK(is_client("192.0.2.7", 56324, PROXY_HEADER_MAX));
	/* It is enough to say so. */
	CHECK(parse(V2 "\x21\x11\x0f\xf1", 16) == -1 && is_bad("too long"));
	CHECK(parse(V2 "\x20\x00\xff\xff", 16) == -1);
	CHECK(parse(V2 "\x21\x11\x0f\xf0", 16) == 0);
}

int
main(void)
{
	RUN(v1);
	RUN(v1_unknown);
	RUN(v1_malformed);
	RUN(v1_has_a_length_and_an_end);
	RUN(what_is_no_header);
	RUN(v2);
	RUN(v2_without_a_client);
	RUN(v2_values_are_skipped);
	RUN(v2_malformed);
	RUN(v2_has_a_bound);
	return (test_failed());
}
