/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <string.h>

#include "common/ws_frame.h"
#include "regress/unit/test.h"

static const uint8_t test_mask[WS_MASK_LEN] = { 0x37, 0xfa, 0x21, 0x3d };

/* Parse a header given as bytes; for rows that need no more than 14. */
static int
parse(struct ws_header *h, const char *bytes, size_t len)
{
	uint8_t buf[WS_HEADER_MAX];

	memcpy(buf, bytes, len);
	return (ws_header_parse(buf, len, h));
}

/* RFC 6455 section 5.7, the examples. */
static void
rfc_examples(void)
{
	struct ws_header h;
	uint8_t hello[5];

	CHECK(parse(&h, "\x81\x05", 2) == 1);
	CHECK(h.opcode == WS_TEXT && h.fin && !h.masked);
	CHECK(h.payload_len == 5 && h.len == 2);

	CHECK(parse(&h, "\x81\x85\x37\xfa\x21\x3d", 6) == 1);
	CHECK(h.opcode == WS_TEXT && h.fin && h.masked && h.len == 6);
	CHECK(memcmp(h.mask, test_mask, sizeof(h.mask)) == 0);
	ws_unmask(hello, (const uint8_t *)"\x7f\x9f\x4d\x51\x58", 5, h.mask, 0);
	CHECK(memcmp(hello, "Hello", 5) == 0);

	CHECK(parse(&h, "\x01\x03", 2) == 1);
	CHECK(h.opcode == WS_TEXT && !h.fin && h.payload_len == 3);
	CHECK(parse(&h, "\x80\x02", 2) == 1);
	CHECK(h.opcode == WS_CONTINUATION && h.fin && h.payload_len == 2);

	CHECK(parse(&h, "\x89\x05", 2) == 1);
	CHECK(h.opcode == WS_PING && h.payload_len == 5);
	CHECK(parse(&h, "\x8a\x85\x37\xfa\x21\x3d", 6) == 1);
	CHECK(h.opcode == WS_PONG && h.masked);

	CHECK(parse(&h, "\x82\x7e\x01\x00", 4) == 1);
	CHECK(h.opcode == WS_BINARY && h.payload_len == 256 && h.len == 4);
	CHECK(parse(&h, "\x82\x7f\0\0\0\0\0\1\0\0", 10) == 1);
	CHECK(h.payload_len == 65536 && h.len == 10);
}

static void
unmasked_has_zero_mask(void)
{
	struct ws_header h;

	memset(&h, 0xff, sizeof(h));
	CHECK(parse(&h, "\x82\x01", 2) == 1);
	CHECK(memcmp(h.mask, "\0\0\0\0", 4) == 0 && !h.masked);
}

static void
opcodes_and_rsv(void)
{
	struct ws_header h;
	uint8_t buf[2];
	int first, known, want;

	for (first = 0; first < 256; first++) {
		known = (first & 0x0f) <= 2 ||
			((first & 0x0f) >= 8 && (first & 0x0f) <= 10);
		want = known && (first & 0x70) == 0 ? 1 : -1;
		if ((first & 0x08) != 0 && (first & 0x80) == 0)
			want = -1; /* fragmented control frame */
		buf[0] = first;
		buf[1] = 125;
		CHECK(ws_header_parse(buf, 2, &h) == want);
		if (want == 1)
			CHECK(h.opcode == (first & 0x0f) &&
			      h.fin == (first >> 7) && h.payload_len == 125);
	}
}

static void
control_length(void)
{
	struct ws_header h;
	static const uint8_t opcodes[] = { WS_CLOSE, WS_PING, WS_PONG };
	uint8_t buf[WS_HEADER_MAX];
	size_t i;

	for (i = 0; i < sizeof(opcodes); i++) {
		memset(buf, 0, sizeof(buf));
		buf[0] = 0x80 | opcodes[i];
		buf[1] = 0x80 | WS_CONTROL_MAX;
		CHECK(ws_header_parse(buf, 6, &h) == 1);
		buf[1] = 126;
		CHECK(ws_header_parse(buf, 2, &h) == -1);
		buf[1] = 127;
		CHECK(ws_header_parse(buf, 2, &h) == -1);
		buf[1] = 0x80 | 126;
		CHECK(ws_header_parse(buf, sizeof(buf), &h) == -1);
	}
}

static void
minimal_length(void)
{
	struct ws_header h;

	CHECK(parse(&h, "\x82\x7e\x00\x7d", 4) == -1);
	CHECK(parse(&h, "\x82\x7e\x00\x00", 4) == -1);
	CHECK(parse(&h, "\x82\x7e\x00\x7e", 4) == 1 && h.payload_len == 126);
	CHECK(parse(&h, "\x82\x7e\xff\xff", 4) == 1 && h.payload_len == 65535);
	CHECK(parse(&h, "\x82\x7f\0\0\0\0\0\0\xff\xff", 10) == -1);
	CHECK(parse(&h, "\x82\x7f\0\0\0\0\0\0\0\x01", 10) == -1);
	CHECK(parse(&h, "\x82\x7f\0\0\0\0\0\1\0\0", 10) == 1);
	CHECK(parse(&h, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10) == 1);
	CHECK(h.payload_len == INT64_MAX);
	CHECK(parse(&h, "\x82\x7f\x80\0\0\0\0\0\0\0", 10) == -1);
	CHECK(parse(&h, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10) == -1);
}

/* Every boundary length, built, parsed, and parsed with bytes missing. */
static void
build_and_parse(void)
{
	static const size_t lengths[] = { 0, 1, 124, 125, 126, 127, 128, 255,
		256, 65534, 65535, 65536, 65537, 0x7fffffff, 0xffffffff,
#if SIZE_MAX > UINT32_MAX
		(size_t)1 << 32, INT64_MAX
#endif
	};
	uint8_t buf[WS_HEADER_MAX];
	struct ws_header h;
	size_t i, n, size, want;
	int masked;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (masked = 0; masked < 2; masked++) {
			n = lengths[i];
			want = n <= 125 ? 2 : n <= 65535 ? 4 : 10;
			CHECK(ws_header_len(n) == want);
			if (masked)
				size = ws_header_build_masked(
				    buf, WS_BINARY, n, test_mask);
			else
				size = ws_header_build(buf, WS_BINARY, n);
			want += masked ? WS_MASK_LEN : 0;
			CHECK(size == want);
			CHECK(ws_header_parse(buf, size, &h) == 1);
			CHECK(h.len == size && h.payload_len == n);
			CHECK(h.fin && h.opcode == WS_BINARY);
			CHECK(h.masked == masked);
			CHECK(!masked || memcmp(h.mask, test_mask, 4) == 0);
			while (size-- > 0)
				CHECK(ws_header_parse(buf, size, &h) == 0);
		}
}

static void
build_bytes(void)
{
	uint8_t buf[WS_HEADER_MAX];

	CHECK(ws_header_build(buf, WS_PONG, 125) == 2);
	CHECK(memcmp(buf, "\x8a\x7d", 2) == 0);
	CHECK(ws_header_build(buf, WS_TEXT, 0x1234) == 4);
	CHECK(memcmp(buf, "\x81\x7e\x12\x34", 4) == 0);
	CHECK(ws_header_build(buf, WS_BINARY, 0x3456789aU) == 10);
	CHECK(memcmp(buf, "\x82\x7f\0\0\0\0\x34\x56\x78\x9a", 10) == 0);
#if SIZE_MAX > UINT32_MAX
	CHECK(ws_header_build(buf, WS_BINARY, 0x123456789aU) == 10);
	CHECK(memcmp(buf, "\x82\x7f\0\0\0\x12\x34\x56\x78\x9a", 10) == 0);
#endif
	CHECK(ws_header_build_masked(buf, WS_BINARY, 126, test_mask) == 8);
	CHECK(memcmp(buf, "\x82\xfe\x00\x7e\x37\xfa\x21\x3d", 8) == 0);
}

#define ROOM 400

static uint8_t original[ROOM];

/* One unmasking from offset `from` down to `to`, compared with a byte loop. */
static int
unmask_once(size_t from, size_t to, size_t len, size_t phase)
{
	uint8_t buf[ROOM];
	size_t i;

	memcpy(buf, original, ROOM);
	ws_unmask(buf + to, buf + from, len, test_mask, phase);
	for (i = 0; i < to; i++)
		if (buf[i] != original[i])
			return (0);
	for (i = 0; i < len; i++)
		if (buf[to + i] !=
		    (original[from + i] ^ test_mask[(phase + i) & 3]))
			return (0);
	for (i = to + len; i < ROOM; i++)
		if (buf[i] != original[i])
			return (0);
	return (1);
}

/* Every length through two blocks, phase, alignment and overlap. */
static void
unmask_all(void)
{
	size_t from, gap, len, phase;

	for (len = 0; len <= 100; len++)
		for (phase = 0; phase < 8; phase++)
			for (from = 64; from < 80; from += 3)
				for (gap = 0; gap <= 40; gap++)
					CHECK(unmask_once(
					    from, from - gap, len, phase));
	for (from = 0; from < 33; from++)
		CHECK(unmask_once(from, 0, 300, from));
}

/* In pieces of any size, as bytes come from a socket. */
static void
unmask_pieces(void)
{
	uint8_t whole[ROOM], pieces[ROOM];
	size_t done, n, step;

	ws_unmask(whole, original, ROOM, test_mask, 0);
	for (step = 1; step < 70; step++) {
		for (done = 0; done < ROOM; done += n) {
			n = ROOM - done < step ? ROOM - done : step;
			ws_unmask(
			    pieces + done, original + done, n, test_mask, done);
		}
		CHECK(memcmp(whole, pieces, ROOM) == 0);
	}
	ws_unmask(pieces, whole, ROOM, test_mask, 0);
	CHECK(memcmp(pieces, original, ROOM) == 0);
}

static void
close_build(void)
{
	uint8_t buf[2 + WS_CONTROL_MAX];
	char reason[200];

	CHECK(ws_close_build(buf, WS_STATUS_NORMAL, "") == 4);
	CHECK(memcmp(buf, "\x88\x02\x03\xe8", 4) == 0);
	CHECK(ws_close_build(buf, WS_STATUS_POLICY, "auth failed") == 15);
	CHECK(memcmp(buf,
		  "\x88\x0d\x03\xf0"
		  "auth failed",
		  15) == 0);
	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	CHECK(ws_close_build(buf, WS_STATUS_NORMAL, reason) == sizeof(buf));
	CHECK(buf[1] == WS_CONTROL_MAX && buf[sizeof(buf) - 1] == 'x');
}

static int
code_allowed(int c)
{
	return ((c >= 1000 && c <= 1003) || (c >= 1007 && c <= 1014) ||
		(c >= 3000 && c <= 4999));
}

static void
close_parse(void)
{
	uint8_t payload[WS_CONTROL_MAX + 1];
	int c, code;

	memset(payload, 'r', sizeof(payload));
	code = 0;
	CHECK(ws_close_parse(payload, 0, &code) == 0 && code == 1005);
	for (c = 0; c <= 0xffff; c++) {
		payload[0] = c >> 8;
		payload[1] = c & 0xff;
		code = -1;
		CHECK(ws_close_parse(payload, 2, &code) ==
		      (code_allowed(c) ? 0 : -1));
		CHECK(code == (code_allowed(c) ? c : -1));
	}
	payload[0] = 0x03;
	payload[1] = 0xe8;
	CHECK(ws_close_parse(payload, 1, &code) == -1);
	CHECK(ws_close_parse(payload, WS_CONTROL_MAX, &code) == 0);
	CHECK(code == 1000);
	CHECK(ws_close_parse(payload, WS_CONTROL_MAX + 1, &code) == -1);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ROOM; i++)
		original[i] = (uint8_t)(i * 167 + (i >> 3));
	RUN(rfc_examples);
	RUN(unmasked_has_zero_mask);
	RUN(opcodes_and_rsv);
	RUN(control_length);
	RUN(minimal_length);
	RUN(build_and_parse);
	RUN(build_bytes);
	RUN(unmask_all);
	RUN(unmask_pieces);
	RUN(close_build);
	RUN(close_parse);
	return (test_failed());
}
