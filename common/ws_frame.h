/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_WS_FRAME_H
#define COMMON_WS_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* RFC 6455 section 5.2 and 7.4; both ends of a WebSocket use this codec. */
#define WS_HEADER_MAX  14  /* 2 + 8 + 4 */
#define WS_CONTROL_MAX 125 /* payload of a control frame */
#define WS_MASK_LEN    4

enum ws_opcode {
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa
};

#define WS_OPCODE_IS_CONTROL(op) (((op)&0x8) != 0)

/* Status codes of a close frame, RFC 6455 section 7.4.1. */
#define WS_STATUS_NORMAL         1000
#define WS_STATUS_GOING_AWAY     1001
#define WS_STATUS_PROTOCOL_ERROR 1002
#define WS_STATUS_BAD_DATA       1007
#define WS_STATUS_POLICY         1008
#define WS_STATUS_TOO_BIG        1009
#define WS_STATUS_TRY_LATER      1013

struct ws_header {
	uint64_t payload_len;
	uint8_t mask[WS_MASK_LEN];
	uint8_t opcode; /* enum ws_opcode */
	uint8_t fin;    /* boolean */
	uint8_t masked; /* boolean */
	uint8_t len;    /* bytes of the header itself */
};

/* Lengths that say how many bytes of length follow: two, eight. */
#define WS_LENGTH_16 126
#define WS_LENGTH_64 127

/* Bytes of an unmasked header in front of payload_len bytes. */
static inline size_t
ws_header_len(size_t payload_len)
{
	if (payload_len < WS_LENGTH_16)
		return (2);
	return (payload_len <= UINT16_MAX ? 4 : 10);
}

int ws_header_parse(const uint8_t *, size_t, struct ws_header *);
size_t ws_header_build(uint8_t *, int, size_t);
size_t ws_header_build_masked(
    uint8_t *, int, size_t, const uint8_t[WS_MASK_LEN]);
void ws_unmask(uint8_t *, const uint8_t *src, size_t len,
    const uint8_t mask[WS_MASK_LEN], size_t phase);
int ws_close_is_code(uint32_t);
size_t ws_close_build(uint8_t *, int, const char *);
int ws_close_parse(const uint8_t *, size_t, int *);

#endif /* COMMON_WS_FRAME_H */
