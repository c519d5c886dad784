/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <string.h>

#include "worker/ws_utf8.h"

/*
 * The state: how many bytes the character still wants, and between which two
 * values the next of them must lie.  Zero between characters.
 */
#define STATE(want, low, high) ((uint32_t)(want) | (low) << 8 | (high) << 16)
#define WANT(state)            ((state)&0xff)
#define LOW(state)             ((state) >> 8 & 0xff)
#define HIGH(state)            ((state) >> 16 & 0xff)
#define INVALID                UINT32_MAX

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* The state after the first byte of a character that has more than one. */
static uint32_t
lead(uint8_t byte)
{
	if (byte >= 0xc2 && byte <= 0xdf)
		return (STATE(1, 0x80, 0xbf));
	switch (byte) {
	case 0xe0: /* below a0: overlong */
		return (STATE(2, 0xa0, 0xbf));
	case 0xed: /* above 9f: a surrogate */
		return (STATE(2, 0x80, 0x9f));
	case 0xf0: /* below 90: overlong */
		return (STATE(3, 0x90, 0xbf));
	case 0xf4: /* above 8f: beyond U+10FFFF */
		return (STATE(3, 0x80, 0x8f));
	}
	if (byte >= 0xe1 && byte <= 0xef)
		return (STATE(2, 0x80, 0xbf));
	if (byte >= 0xf1 && byte <= 0xf3)
		return (STATE(3, 0x80, 0xbf));
	return (INVALID);
}

/* How many bytes at p are ASCII, in steps of eight. */
static size_t
ascii(const uint8_t *p, size_t len)
{
	uint64_t word;
	size_t n;

	for (n = 0; len - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, p + n, sizeof(word));
		if ((word & HIGH_BITS) != 0)
			break;
	}
	return (n);
}

/*
 * Check the next len bytes of a text; *state is 0 before the first of them and
 * carries over from piece to piece.  Returns 0, or -1 at a byte that cannot
 * stand where it stands: the text is lost then, and so is *state.
 */
int
ws_utf8_check(uint32_t *state, const uint8_t *p, size_t len)
{
	uint32_t s;
	size_t i;

	s = *state;
	i = 0;
	while (i < len) {
		if (WANT(s) != 0) {
			if (p[i] < LOW(s) || p[i] > HIGH(s))
				return (-1);
			s = WANT(s) == 1 ? 0 : STATE(WANT(s) - 1, 0x80, 0xbf);
			i++;
		} else if (p[i] >= 0x80) {
			s = lead(p[i]);
			if (s == INVALID)
				return (-1);
			i++;
		} else {
			i += ascii(p + i, len - i);
			while (i < len && p[i] < 0x80)
				i++;
		}
	}
	*state = s;
	return (0);
}

/* True if the text may end here: no character is left half way. */
int
ws_utf8_done(uint32_t state)
{
	return (WANT(state) == 0);
}
