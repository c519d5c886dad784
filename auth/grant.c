/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdio.h>

#include "common/clock.h"

#include "auth/grant.h"

/* "punch-grant:" requester ":" target ":" expiry, NUL */
#define GRANT_TEXT_LEN (12 + 10 + 1 + 10 + 1 + 20 + 1)

/*
 * Whether the target of a PunchRequest agreed to it (doc/protocol.md 4.3):
 * signed with its authoritative key, else with the first it was seen with, and
 * not expired at `now`, unix seconds.
 */
int
grant_verify(struct keystore *keys, const struct firstkeys *first,
    const struct msg_grant *msg, uint64_t now)
{
	char text[GRANT_TEXT_LEN];
	struct keystore_key found;
	const uint8_t *key;
	int len;

	if (msg->expiry <= now)
		return (0);
	if (keystore_find(keys, msg->target, clock_seconds(), &found))
		key = found.key;
	else
		key = firstkey_find(first, msg->target);
	if (key == NULL)
		return (0);
	len = snprintf(text, sizeof(text), "punch-grant:%u:%u:%llu",
	    msg->requester, msg->target, (unsigned long long)msg->expiry);
	return (
	    crypto_sign_verify_detached(msg->sig, (const unsigned char *)text,
		(unsigned long long)len, key) == 0);
}
