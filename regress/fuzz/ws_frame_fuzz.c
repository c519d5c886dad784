/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ws_frame.h"
#include "worker/ws_utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What was parsed is what would be built, but for FIN. */
static void
check_header(const uint8_t *data, const struct ws_header *h)
{
	uint8_t built[WS_HEADER_MAX];
	size_t len;

	if (h->masked)
		len = ws_header_build_masked(
		    built, h->opcode, h->payload_len, h->mask);
	else
		len = ws_header_build(built, h->opcode, h->payload_len);
	if (len != h->len || (built[0] & 0x7f) != (data[0] & 0x7f) ||
	    memcmp(built + 1, data + 1, len - 1) != 0)
		abort();
}

static void
check_payload(const uint8_t *data, size_t size, const struct ws_header *h)
{
	uint8_t *moved;
	size_t i;
	uint32_t whole, pieces;
	int code, got;

	moved = malloc(size + 1);
	if (moved == NULL)
		return;
	memcpy(moved, data, size);
	/* Down over its own header, as the relay does. */
	ws_unmask(moved, moved + h->len, size - h->len, h->mask, 0);
	for (i = 0; i < size - h->len; i++)
		if (moved[i] != (data[h->len + i] ^ h->mask[i & 3]))
			abort();
	size -= h->len;
	(void)ws_close_parse(moved, size, &code);
	whole = pieces = 0;
	got = ws_utf8_check(&whole, moved, size);
	for (i = 0; i < size; i++)
		if (ws_utf8_check(&pieces, moved + i, 1) == -1)
			break;
	if ((got == 0) != (i == size) || (got == 0 && whole != pieces))
		abort();
	free(moved);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_header h;
	size_t n;
	int got;

	got = ws_header_parse(data, size, &h);
	if (got == 0 && size >= WS_HEADER_MAX)
		abort();
	if (got != 1)
		return (0);
	if (h.len > size)
		abort();
	check_header(data, &h);
	for (n = 0; n < h.len; n++)
		if (ws_header_parse(data, n, &h) != 0)
			abort();
	if (ws_header_parse(data, n, &h) != 1)
		abort();
	check_payload(data, size, &h);
	return (0);
}
