/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "worker/http_text.h"

int
text_equals_nocase(struct text t, const char *s, size_t len)
{
	return (t.len == len && strncasecmp((const char *)t.p, s, len) == 0);
}

/* Without blanks at either end (OWS of RFC 9110 section 5.6.3). */
struct text
text_trim(struct text t)
{
	while (t.len > 0 && (t.p[0] == ' ' || t.p[0] == '\t')) {
		t.p++;
		t.len--;
	}
	while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return (t);
}

/* Take what precedes the first `c` (or all) from the front of *t. */
struct text
text_take_until(struct text *t, uint8_t c)
{
	struct text front;
	const uint8_t *end;

	front = *t;
	end = t->len == 0 ? NULL : memchr(t->p, c, t->len);
	if (end == NULL) {
		t->len = 0;
		return (front);
	}
	front.len = end - t->p;
	t->p = end + 1;
	t->len -= front.len + 1;
	return (front);
}

/* How many bytes at the front of t are no control characters but tabs. */
size_t
text_printable(struct text t)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t word, low, del;
	size_t n;

	for (n = 0; t.len - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, t.p + n, sizeof(word));
		/* A byte below 20, and one that is 7f, borrow into bit 7. */
		low = (word - ones * 0x20) & ~word;
		word ^= ones * 0x7f;
		del = (word - ones) & ~word;
		if (((low | del) & ones * 0x80) != 0)
			break;
	}
	while (
	    n < t.len && ((t.p[n] >= ' ' && t.p[n] != 0x7f) || t.p[n] == '\t'))
		n++;
	return (n);
}
