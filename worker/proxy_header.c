/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/param.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>

#include "common/address.h"
#include "worker/http_text.h"
#include "worker/proxy_header.h"

/*
 * The PROXY protocol of HAProxy, versions 1 and 2: in front of all that a
 * client says, its proxy says from where to where it was called.
 */

/* Version 2: where things are. */
#define V2_COMMAND   12 /* with the version */
#define V2_FAMILY    13 /* and the transport */
#define V2_LENGTH    14 /* of what follows it, big endian */
#define V2_ADDRESSES 16
#define V2_TLV       3 /* bytes of its type and length */

static const uint8_t v1_signature[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
static const uint8_t v2_signature[V2_COMMAND] = { '\r', '\n', '\r', '\n', 0,
	'\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

/* The families of version 2: what their two addresses and ports take. */
static const struct {
	size_t addresses; /* bytes */
	size_t port;      /* where the client's port is; 0: no such thing */
} v2_families[] = {
	{ 0, 0 },                               /* not said */
	{ 2 * 4 + 2 * 2, 8 },                   /* IPv4 */
	{ 2 * 16 + 2 * 2, 32 }, { 2 * 108, 0 }, /* paths of sockets */
};
#define V2_FAMILIES   (sizeof(v2_families) / sizeof(v2_families[0]))
#define V2_TRANSPORTS 3 /* not said, stream, datagram */

static int
bad(struct proxy_header *header, const char *what)
{
	header->bad = what;
	return (-1);
}

/* Decimal, without needless zeros.  Returns 0 or -1. */
static int
v1_port(struct text word, uint16_t *port)
{
	uint32_t value;
	size_t i;

	if (word.len == 0 || word.len > 5 ||
	    text_span(word, text_is_digit) != word.len ||
	    (word.p[0] == '0' && word.len > 1))
		return (-1);
	value = 0;
	for (i = 0; i < word.len; i++)
		value = value * 10 + (word.p[i] - '0');
	*port = (uint16_t)value;
	return (value > UINT16_MAX ? -1 : 0);
}

/* Of the family that was announced.  Returns 0 or -1. */
static int
v1_address(struct text word, int v6, uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];

	if (word.len == 0 || word.len >= sizeof(text) ||
	    (memchr(word.p, ':', word.len) != NULL) != v6)
		return (-1);
	memcpy(text, word.p, word.len);
	text[word.len] = '\0';
	return (address_parse(text, addr) ? 0 : -1);
}

/* What stands between "PROXY " and the end of the line.  Returns 1 or -1. */
static int
v1_line(struct text line, struct proxy_header *header)
{
	struct text family;
	uint8_t addr[16];
	uint16_t port;
	int v6;

	family = text_take_until(&line, ' ');
	if (TEXT_IS(family, "UNKNOWN"))
		return (1);
	v6 = TEXT_IS(family, "TCP6");
	if (!v6 && !TEXT_IS(family, "TCP4"))
		return (bad(header, "unknown family"));
	if (v1_address(text_take_until(&line, ' '), v6, header->addr) == -1 ||
	    v1_address(text_take_until(&line, ' '), v6, addr) == -1)
		return (bad(header, "bad address"));
	if (v1_port(text_take_until(&line, ' '), &header->port) == -1 ||
	    v1_port(line, &port) == -1)
		return (bad(header, "bad port"));
	header->has_client = 1;
	return (1);
}

static int
v1_parse(const uint8_t *bytes, size_t len, struct proxy_header *header)
{
	const uint8_t *end;
	struct text line;

	end = memchr(bytes, '\n', MIN(len, PROXY_V1_MAX));
	if (end == NULL)
		return (len < PROXY_V1_MAX ? 0 : bad(header, "line too long"));
	if (end[-1] != '\r')
		return (bad(header, "line without CR"));
	header->len = (size_t)(end + 1 - bytes);
	line.p = bytes + sizeof(v1_signature);
	line.len = header->len - sizeof(v1_signature) - 2;
	return (v1_line(line, header));
}

/* Values that we have no use for, as long as they are whole. */
static int
v2_skip_values(const uint8_t *bytes, size_t len, struct proxy_header *header)
{
	size_t off, value;

	for (off = 0; off < len; off += V2_TLV + value) {
		if (len - off < V2_TLV)
			return (bad(header, "value cut off"));
		value = (size_t)bytes[off + 1] << 8 | bytes[off + 2];
		if (len - off - V2_TLV < value)
			return (bad(header, "value cut off"));
	}
	return (1);
}

/* block is what the header's length counts.  Returns 1 or -1. */
static int
v2_block(const uint8_t *block, size_t len, uint8_t family, uint8_t transport,
    struct proxy_header *header)
{
	size_t addresses, port;

	addresses = v2_families[family].addresses;
	port = v2_families[family].port;
	if (len < addresses)
		return (bad(header, "too short for its addresses"));
	if (v2_skip_values(block + addresses, len - addresses, header) == -1)
		return (-1);
	if (port == 0 || transport == 0)
		return (1);
	header->has_client = 1;
	header->port = (uint16_t)(block[port] << 8 | block[port + 1]);
	if (port == 8)
		address_map(header->addr, block);
	else
		memcpy(header->addr, block, sizeof(header->addr));
	return (1);
}

static int
v2_parse(const uint8_t *bytes, size_t len, struct proxy_header *header)
{
	uint8_t family, transport;
	size_t block;

	if (len > V2_COMMAND && bytes[V2_COMMAND] >> 4 != 2)
		return (bad(header, "unknown version"));
	if (len > V2_COMMAND && (bytes[V2_COMMAND] & 0xf) > 1)
		return (bad(header, "unknown command"));
	if (len < V2_ADDRESSES)
		return (0);
	family = bytes[V2_FAMILY] >> 4;
	transport = bytes[V2_FAMILY] & 0xf;
	block = (size_t)bytes[V2_LENGTH] << 8 | bytes[V2_LENGTH + 1];
	if (block > PROXY_HEADER_MAX - V2_ADDRESSES)
		return (bad(header, "too long"));
	if (len - V2_ADDRESSES < block)
		return (0);
	header->len = V2_ADDRESSES + block;
	/* LOCAL: whatever else it says is to be ignored. */
	if ((bytes[V2_COMMAND] & 0xf) == 0)
		return (1);
	if (family >= V2_FAMILIES || transport >= V2_TRANSPORTS)
		return (bad(header, "unknown family"));
	/* What is in such a block is nobody's business. */
	if (family == 0)
		return (1);
	return (
	    v2_block(bytes + V2_ADDRESSES, block, family, transport, header));
}

/*
 * Reads the header from the len bytes at `bytes`, all that has come on the
 * connection so far.  Returns 1, 0 if more are needed, or -1: *header says what
 * is wrong with it.
 */
int
proxy_header_parse(
    const uint8_t *bytes, size_t len, struct proxy_header *header)
{
	memset(header, 0, sizeof(*header));
	if (memcmp(bytes, v1_signature, MIN(len, sizeof(v1_signature))) == 0)
		return (len < sizeof(v1_signature)
			    ? 0
			    : v1_parse(bytes, len, header));
	if (memcmp(bytes, v2_signature, MIN(len, sizeof(v2_signature))) == 0)
		return (v2_parse(bytes, len, header));
	return (bad(header, "no such header"));
}
