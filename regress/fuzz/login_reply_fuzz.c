/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * A client's login reply: any bytes.  What is accepted means the same when it
 * is written anew with nothing in it but what counts, and no part of that is
 * accepted.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/login_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t
rewrite(const struct login_reply *reply, char *text, size_t size)
{
	char sig[sodium_base64_ENCODED_LEN(
	    PROTO_SIG_LEN, sodium_base64_VARIANT_ORIGINAL)];
	int len;

	sodium_bin2base64(sig, sizeof(sig), reply->sig, sizeof(reply->sig),
	    sodium_base64_VARIANT_ORIGINAL);
	len = snprintf(text, size,
	    "{\"type\":\"auth_reply\",\"node_id\":%u,\"sig\":\"%s\"}",
	    reply->node, sig);
	if (len < 0 || (size_t)len >= size)
		abort();
	return ((size_t)len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct login_reply again, reply;
	char text[256];
	size_t len;

	memset(&reply, 0, sizeof(reply));
	if (login_reply_parse((const char *)data, size, &reply) == -1)
		return (0);
	if (reply.node == 0 || size > LOGIN_REPLY_MAX)
		abort();
	len = rewrite(&reply, text, sizeof(text));
	memset(&again, 0, sizeof(again));
	if (login_reply_parse(text, len, &again) == -1 ||
	    again.node != reply.node ||
	    memcmp(again.sig, reply.sig, sizeof(reply.sig)) != 0)
		abort();
	if (login_reply_parse(text, len - 1 - reply.node % (len - 1), &again) !=
	    -1)
		abort();
	return (0);
}
