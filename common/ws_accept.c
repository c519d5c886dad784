/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sha1.h>
#include <sodium.h>
#include <stdint.h>

#include "common/ws_accept.h"

/*
 * The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key of len bytes, RFC
 * 6455 section 4.2.2; NUL-terminated.
 */
void
ws_accept(const char *key, size_t len, char accept[WS_ACCEPT_LEN])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t digest[SHA1_DIGEST_LENGTH];
	SHA1_CTX sha1;

	SHA1Init(&sha1);
	SHA1Update(&sha1, (const uint8_t *)key, len);
	SHA1Update(&sha1, (const uint8_t *)guid, sizeof(guid) - 1);
	SHA1Final(digest, &sha1);
	(void)sodium_bin2base64(accept, WS_ACCEPT_LEN, digest, sizeof(digest),
	    sodium_base64_VARIANT_ORIGINAL);
}
