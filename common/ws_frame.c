/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "common/ws_frame.h"

#define FIN           0x80
#define RSV           0x70
#define OPCODE        0x0f
#define MASKED        0x80
#define LENGTH        0x7f
#define OPCODES_KNOWN 0x0707U /* bit n: opcode n is defined */
#define REASON_MAX    (WS_CONTROL_MAX - 2)

static uint64_t
get_be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return (be16toh(v));
}

static uint64_t
get_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (be64toh(v));
}

/*
 * Read the header of a frame from the first len bytes at buf (RFC 6455 section
 * 5.2).  Returns 1 and fills h if the header is there (its payload need not
 * be), 0 if more bytes are needed, -1 if no peer may send such a header.
 * Whether the frame should be masked is for the caller to say; an unmasked one
 * leaves a mask of zeros.
 */
int
ws_header_parse(const uint8_t *buf, size_t len, struct ws_header *h)
{
	uint64_t payload;
	size_t size;

	if (len < 2)
		return (0);
	h->opcode = buf[0] & OPCODE;
	h->fin = (buf[0] & FIN) != 0;
	h->masked = (buf[1] & MASKED) != 0;
	payload = buf[1] & LENGTH;
	if ((buf[0] & RSV) != 0 || (OPCODES_KNOWN >> h->opcode & 1) == 0)
		return (-1);
	if (WS_OPCODE_IS_CONTROL(h->opcode) &&
	    (!h->fin || payload > WS_CONTROL_MAX))
		return (-1);
	size = 2;
	if (payload == WS_LENGTH_16) {
		if (len < 4)
			return (0);
		payload = get_be16(buf + 2);
		if (payload < WS_LENGTH_16)
			return (-1);
		size = 4;
	} else if (payload == WS_LENGTH_64) {
		if (len < 10)
			return (0);
		payload = get_be64(buf + 2);
		if (payload <= UINT16_MAX || payload > INT64_MAX)
			return (-1);
		size = 10;
	}
	memset(h->mask, 0, WS_MASK_LEN);
	if (h->masked) {
		if (len < size + WS_MASK_LEN)
			return (0);
		memcpy(h->mask, buf + size, WS_MASK_LEN);
		size += WS_MASK_LEN;
	}
	h->payload_len = payload;
	h->len = size;
	return (1);
}

/*
 * Write the header of an unmasked, unfragmented frame to buf, which has room
 * for ws_header_len(payload_len) bytes; that is what it returns.
 */
size_t
ws_header_build(uint8_t *buf, int opcode, size_t payload_len)
{
	uint64_t be64;

	buf[0] = FIN | opcode;
	if (payload_len < WS_LENGTH_16) {
		buf[1] = payload_len;
		return (2);
	}
	if (payload_len <= UINT16_MAX) {
		buf[1] = WS_LENGTH_16;
		buf[2] = payload_len >> 8;
		buf[3] = payload_len & 0xff;
		return (4);
	}
	buf[1] = WS_LENGTH_64;
	be64 = htobe64(payload_len);
	memcpy(buf + 2, &be64, sizeof(be64));
	return (10);
}

/* As ws_header_build(), with a mask: WS_MASK_LEN bytes more. */
size_t
ws_header_build_masked(uint8_t *buf, int opcode, size_t payload_len,
    const uint8_t mask[WS_MASK_LEN])
{
	size_t size;

	size = ws_header_build(buf, opcode, payload_len);
	buf[1] |= MASKED;
	memcpy(buf + size, mask, WS_MASK_LEN);
	return (size + WS_MASK_LEN);
}

/* The mask from its byte `phase` on, twice: XOR with it as eight bytes. */
static uint64_t
mask_key(const uint8_t mask[WS_MASK_LEN], size_t phase)
{
	uint64_t key;
	uint32_t word;
	unsigned int shift;

	memcpy(&word, mask, sizeof(word));
	key = le32toh(word) * UINT64_C(0x100000001);
	shift = (phase & 3) * 8;
	key = key >> shift | key << (-shift & 63);
	return (htole64(key));
}

/* The last bytes of ws_unmask(), fewer than 32. */
static void
unmask_tail(uint8_t *dst, const uint8_t *src, size_t len, uint64_t key)
{
	uint64_t word;
	uint32_t half;
	size_t i;

	for (; len >= sizeof(word); len -= sizeof(word)) {
		memcpy(&word, src, sizeof(word));
		word ^= key;
		memcpy(dst, &word, sizeof(word));
		src += sizeof(word);
		dst += sizeof(word);
	}
	if (len >= sizeof(half)) { /* both halves of the key are alike */
		memcpy(&half, src, sizeof(half));
		half ^= (uint32_t)key;
		memcpy(dst, &half, sizeof(half));
		src += sizeof(half);
		dst += sizeof(half);
		len -= sizeof(half);
	}
	for (i = 0; i < len; i++)
		dst[i] = src[i] ^ (uint8_t)(le64toh(key) >> 8 * i);
}

/*
 * dst[i] = src[i] ^ mask[(phase + i) mod 4], for len bytes.  dst may be src or
 * lie anywhere before it: each block is loaded whole before it is stored, and
 * blocks go upwards.  Masks as well as it unmasks.
 */
void
ws_unmask(uint8_t *dst, const uint8_t *src, size_t len,
    const uint8_t mask[WS_MASK_LEN], size_t phase)
{
	__attribute__((vector_size(16))) uint64_t a, b, keys;
	uint64_t key;

	key = mask_key(mask, phase);
	keys = (__typeof__(keys)){ key, key };
	for (; len >= sizeof(a) + sizeof(b); len -= sizeof(a) + sizeof(b)) {
		memcpy(&a, src, sizeof(a));
		memcpy(&b, src + sizeof(a), sizeof(b));
		a ^= keys;
		b ^= keys;
		memcpy(dst, &a, sizeof(a));
		memcpy(dst + sizeof(a), &b, sizeof(b));
		src += sizeof(a) + sizeof(b);
		dst += sizeof(a) + sizeof(b);
	}
	unmask_tail(dst, src, len, key);
}

/* Boolean: a code that may stand in a close frame (section 7.4). */
int
ws_close_is_code(uint32_t code)
{
	return ((code >= 1000 && code <= 1003) ||
		(code >= 1007 && code <= 1014) ||
		(code >= 3000 && code <= 4999));
}

/*
 * Write a whole unmasked close frame (section 5.5.1) to buf, which has room
 * for 2 + WS_CONTROL_MAX bytes.  A reason that does not fit is cut.  Returns
 * the size of the frame.
 */
size_t
ws_close_build(uint8_t *buf, int code, const char *reason)
{
	size_t len, size;

	len = strnlen(reason, REASON_MAX);
	size = ws_header_build(buf, WS_CLOSE, 2 + len);
	buf[size] = code >> 8;
	buf[size + 1] = code & 0xff;
	memcpy(buf + size + 2, reason, len);
	return (size + 2 + len);
}

/*
 * Read the status code from the payload of a close frame; 1005 stands for
 * "none given" (section 7.1.5).  The reason is what follows the two bytes of
 * the code, and that it is UTF-8 is for the caller to check.  Returns 0, or -1
 * for a payload that no peer may send (sections 5.5.1 and 7.4).
 */
int
ws_close_parse(const uint8_t *payload, size_t len, int *code)
{
	int c;

	if (len == 0) {
		*code = 1005;
		return (0);
	}
	if (len < 2 || len > WS_CONTROL_MAX)
		return (-1);
	c = payload[0] << 8 | payload[1];
	if (!ws_close_is_code((uint32_t)c))
		return (-1);
	*code = c;
	return (0);
}
