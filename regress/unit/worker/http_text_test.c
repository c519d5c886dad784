/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/http_text.h"

static struct text
text(const char *s)
{
	struct text t;

	t.p = (const uint8_t *)s;
	t.len = strlen(s);
	return (t);
}

static int
is(struct text t, const char *s)
{
	return (text_equals(t, s, strlen(s)));
}

static void
test_equal_in_length_and_bytes(void)
{
	CHECK(TEXT_IS(text("abc"), "abc") && !TEXT_IS(text("abc"), "ab"));
	CHECK(!TEXT_IS(text("ab"), "abc") && !TEXT_IS(text("abC"), "abc"));
	CHECK(TEXT_IS(text(""), ""));
	CHECK(text_equals_nocase(text("aBc"), "AbC", 3));
	CHECK(!text_equals_nocase(text("abc"), "abcd", 4));
	CHECK(!text_equals_nocase(text("abcd"), "abc", 3));
}

static void
test_blanks_at_the_ends_go(void)
{
	CHECK(is(text_trim(text(" \t a b\t ")), "a b"));
	CHECK(is(text_trim(text("a")), "a"));
	CHECK(is(text_trim(text("")), "") && is(text_trim(text(" \t ")), ""));
	/* A line break is none. */
	CHECK(is(text_trim(text("\na\r")), "\na\r"));
}

static void
test_what_precedes_is_taken(void)
{
	struct text t;

	t = text("a,,b");
	CHECK(is(text_take_until(&t, ','), "a") && is(t, ",b"));
	CHECK(is(text_take_until(&t, ','), "") && is(t, "b"));
	CHECK(is(text_take_until(&t, ','), "b") && t.len == 0);
	CHECK(is(text_take_until(&t, ','), "") && t.len == 0);
	t = text("a,");
	CHECK(is(text_take_until(&t, ','), "a") && t.len == 0);
	t.p = NULL;
	CHECK(text_take_until(&t, ',').len == 0);
}

/* Eight bytes at a time: each value at each place. */
static void
test_printable_up_to_the_first_control(void)
{
	uint8_t bytes[20];
	struct text t;
	size_t at, n;
	int c, bad;

	t.p = bytes;
	for (c = 0; c < 256; c++) {
		bad = (c < ' ' && c != '\t') || c == 0x7f;
		for (at = 0; at < sizeof(bytes); at++) {
			memset(bytes, 'x', sizeof(bytes));
			bytes[at] = (uint8_t)c;
			t.len = sizeof(bytes);
			n = text_printable(t);
			CHECK(n == (bad ? at : sizeof(bytes)));
			t.len = at;
			CHECK(text_printable(t) == at);
		}
	}
}

static void
test_kinds_of_bytes(void)
{
	int c;

	for (c = 0; c < 256; c++) {
		CHECK(text_is_digit((uint8_t)c) == (c >= '0' && c <= '9'));
		CHECK(text_is_graph((uint8_t)c) == (c >= 0x21 && c <= 0x7e));
		if (text_is_token((uint8_t)c))
			CHECK(text_is_graph((uint8_t)c) &&
			      strchr("\"(),/:;<=>?@[\\]{}", c) == NULL);
	}
	CHECK(text_span(text("12a4"), text_is_digit) == 2);
	CHECK(text_span(text("1234"), text_is_digit) == 4);
	CHECK(text_span(text(""), text_is_digit) == 0);
	CHECK(text_span(text("!#$%&'*+-.^_`|~aZ9\x80"), text_is_token) == 18);
}

int
main(void)
{
	RUN(test_equal_in_length_and_bytes);
	RUN(test_blanks_at_the_ends_go);
	RUN(test_what_precedes_is_taken);
	RUN(test_printable_up_to_the_first_control);
	RUN(test_kinds_of_bytes);
	return (test_failed());
}
