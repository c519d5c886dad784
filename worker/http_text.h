/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_HTTP_TEXT_H
#define WORKER_HTTP_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of a head, in place. */
struct text {
	const uint8_t *p;
	size_t len;
};

#define TEXT_IS(t, s) text_equals((t), (s), sizeof(s) - 1)

/* A byte of a token, RFC 9110 section 5.6.2. */
static inline int
text_is_token(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	    (c >= '0' && c <= '9'))
		return (1);
	return (c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

static inline int
text_is_digit(uint8_t c)
{
	return (c >= '0' && c <= '9');
}

static inline int
text_is_graph(uint8_t c)
{
	return (c > ' ' && c < 0x7f);
}

/* How many bytes at the front of t are of that kind. */
static inline size_t
text_span(struct text t, int (*is)(uint8_t))
{
	size_t n;

	for (n = 0; n < t.len && is(t.p[n]); n++)
		;
	return (n);
}

static inline int
text_equals(struct text t, const char *s, size_t len)
{
	return (t.len == len && memcmp(t.p, s, len) == 0);
}

int text_equals_nocase(struct text, const char *, size_t);
struct text text_trim(struct text);
struct text text_take_until(struct text *, uint8_t);
size_t text_printable(struct text);

#endif /* WORKER_HTTP_TEXT_H */
