/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <string.h>

#include "regress/unit/test.h"
#include "worker/ws_utf8.h"

/* 1: a whole text, 0: the beginning of one, -1: neither. */
static int
check(const uint8_t *p, size_t len)
{
	uint32_t state;

	state = 0;
	if (ws_utf8_check(&state, p, len) == -1)
		return (-1);
	return (ws_utf8_done(state));
}

/* The same in two pieces, cut at each place; -2 if the answers differ. */
static int
check_split(const uint8_t *p, size_t len)
{
	uint32_t state;
	size_t cut;
	int got, whole;

	whole = check(p, len);
	for (cut = 0; cut <= len; cut++) {
		state = 0;
		got = -1;
		if (ws_utf8_check(&state, p, cut) == 0 &&
		    ws_utf8_check(&state, p + cut, len - cut) == 0)
			got = ws_utf8_done(state);
		if (got != whole)
			return (-2);
	}
	return (whole);
}

static size_t
encode(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = c;
		return (1);
	}
	if (c < 0x800) {
		p[0] = 0xc0 | c >> 6;
		p[1] = 0x80 | (c & 0x3f);
		return (2);
	}
	if (c < 0x10000) {
		p[0] = 0xe0 | c >> 12;
		p[1] = 0x80 | (c >> 6 & 0x3f);
		p[2] = 0x80 | (c & 0x3f);
		return (3);
	}
	p[0] = 0xf0 | c >> 18;
	p[1] = 0x80 | (c >> 12 & 0x3f);
	p[2] = 0x80 | (c >> 6 & 0x3f);
	p[3] = 0x80 | (c & 0x3f);
	return (4);
}

/* Every code point, and those that are none. */
static void
all_code_points(void)
{
	uint8_t p[4];
	uint32_t c;
	size_t len;
	int valid;

	for (c = 0; c < 0x200000; c++) {
		len = encode(p, c);
		valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		CHECK(check(p, len) == (valid ? 1 : -1));
		if (valid && len > 1)
			CHECK(check(p, len - 1) == 0);
	}
}

struct row {
	const char *bytes;
	int want;
};

static void
boundaries(void)
{
	static const struct row rows[] = {
		{ "\x7f", 1 },
		{ "\x80", -1 },
		{ "\xbf", -1 },
		{ "\xc0\x80", -1 },
		{ "\xc1\xbf", -1 },
		{ "\xc2\x80", 1 },
		{ "\xc2\x7f", -1 },
		{ "\xc2\xc0", -1 },
		{ "\xdf\xbf", 1 },
		{ "\xe0\x9f\xbf", -1 },
		{ "\xe0\xa0\x80", 1 },
		{ "\xe0\xa0\x7f", -1 },
		{ "\xe1\x80\x80", 1 },
		{ "\xec\xbf\xbf", 1 },
		{ "\xed\x9f\xbf", 1 },
		{ "\xed\xa0\x80", -1 },
		{ "\xed\xbf\xbf", -1 },
		{ "\xee\x80\x80", 1 },
		{ "\xef\xbf\xbf", 1 },
		{ "\xef\xbb\xbf", 1 },
		{ "\xf0\x8f\xbf\xbf", -1 },
		{ "\xf0\x90\x80\x80", 1 },
		{ "\xf0\x90\x80\xc0", -1 },
		{ "\xf0\x90\x7f\x80", -1 },
		{ "\xf3\xbf\xbf\xbf", 1 },
		{ "\xf4\x8f\xbf\xbf", 1 },
		{ "\xf4\x90\x80\x80", -1 },
		{ "\xf5\x80\x80\x80", -1 },
		{ "\xf8\x88\x80\x80\x80", -1 },
		{ "\xfe", -1 },
		{ "\xff", -1 },
		{ "\xc2", 0 },
		{ "\xe1\x80", 0 },
		{ "\xf1\x80\x80", 0 },
		{ "\xe1 ", -1 },
		{ "a\xc3\xa9z", 1 },
		{ "a\xc3\xa9\xa9", -1 },
		{ "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 1 },
		{ "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
		  "edited",
		    -1 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK(check_split((const uint8_t *)rows[i].bytes,
			  strlen(rows[i].bytes)) == rows[i].want);
}

/* All pairs of bytes: what RFC 3629 lets two bytes begin with. */
static void
all_pairs(void)
{
	static const struct {
		uint8_t first, low, high;
		int want;
	} rows[] = {
		{ 0xe0, 0xa0, 0xbf, 0 },
		{ 0xed, 0x80, 0x9f, 0 },
		{ 0xf0, 0x90, 0xbf, 0 },
		{ 0xf4, 0x80, 0x8f, 0 },
		{ 0xc2, 0x80, 0xbf, 1 },
		{ 0xef, 0x80, 0xbf, 0 },
		{ 0x41, 0x00, 0x7f, 1 },
		{ 0xc1, 1, 0, -1 },
	};
	uint8_t p[2];
	size_t i;
	int b, lead;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (b = 0; b < 256; b++) {
			p[0] = rows[i].first;
			p[1] = b;
			if (b >= rows[i].low && b <= rows[i].high) {
				CHECK(check(p, 2) == rows[i].want);
				continue;
			}
			/* After ASCII another character may begin. */
			lead = p[0] < 0x80 && b >= 0xc2 && b <= 0xf4;
			CHECK(check(p, 2) == (lead ? 0 : -1));
		}
}

/* One bad or multibyte place anywhere in a run of ASCII. */
static void
among_ascii(void)
{
	uint8_t text[40];
	size_t at;

	memset(text, 'a', sizeof(text));
	CHECK(check_split(text, sizeof(text)) == 1);
	CHECK(check_split(text, 0) == 1);
	for (at = 0; at < sizeof(text); at++) {
		memset(text, 'a', sizeof(text));
		text[at] = 0xff;
		CHECK(check_split(text, sizeof(text)) == -1);
		text[at] = 0x80;
		CHECK(check_split(text, sizeof(text)) == -1);
		if (at + 4 > sizeof(text))
			continue;
		memcpy(text + at, "\xf0\x9f\x93\xa1", 4);
		CHECK(check_split(text, sizeof(text)) == 1);
		CHECK(check_split(text, at + 3) == 0);
	}
}

int
main(void)
{
	RUN(all_code_points);
	RUN(boundaries);
	RUN(all_pairs);
	RUN(among_ascii);
	return (test_failed());
}
