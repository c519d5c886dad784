/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sodium.h>
#include <stdio.h>

#include "common/clock.h"

#include "auth/verify.h"

/* "compat_auth:" node ":" ts ":" nonce in hex, NUL */
#define VERIFY_TEXT_LEN (12 + 10 + 1 + 20 + 1 + 2 * PROTO_NONCE_LEN + 1)

/*
 * A valid point (the curve's base point), for replies of unknown nodes: the
 * time of the answer is not to tell which nodes exist.
 */
static const uint8_t verify_nobody[PROTO_KEY_LEN] = { 0x58, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66 };

static int
verify_text(const char *text, int len, const uint8_t *sig, const uint8_t *key)
{
	return (crypto_sign_verify_detached(sig, (const unsigned char *)text,
		    (unsigned long long)len, key) == 0);
}

static enum verify_result
verify_signature(const struct msg_verify *msg, const uint8_t *key,
    const uint8_t *nonce, int legacy)
{
	char hex[2 * PROTO_NONCE_LEN + 1];
	char text[VERIFY_TEXT_LEN];
	int len;

	(void)sodium_bin2hex(hex, sizeof(hex), nonce, PROTO_NONCE_LEN);
	len = snprintf(text, sizeof(text), "compat_auth:%u:%llu:%s", msg->node,
	    (unsigned long long)msg->ts, hex);
	if (verify_text(text, len, msg->sig, key))
		return (VERIFY_OK);
	if (!legacy)
		return (VERIFY_WRONG_SIG);
	len = snprintf(text, sizeof(text), "compat_auth:%u:%s", msg->node, hex);
	if (verify_text(text, len, msg->sig, key))
		return (VERIFY_OK_LEGACY);
	return (VERIFY_WRONG_SIG);
}

/*
 * All in unix seconds by the nonce's own wall clock, which nobody sets.  A
 * worker may give the end of the second before the one of the nonce's issue.
 */
static int
verify_time(uint64_t issued, uint64_t ts, uint64_t now)
{
	return (ts <= now && now - ts <= VERIFY_AGE_MAX && ts + 1 >= issued);
}

/*
 * Decides on a reply (doc/protocol.md 3) at `now`, clock_ns(); its nonce is
 * used up.  legacy: boolean, the older form is accepted too.  If the result is
 * VERIFY_OK or VERIFY_OK_LEGACY, *keyid is the key's fingerprint.
 */
enum verify_result
verify_login(struct challenge *challenge, const struct keycache *keys,
    const struct msg_verify *msg, uint64_t now, int legacy, uint64_t *keyid)
{
	uint8_t nonce[PROTO_NONCE_LEN];
	enum verify_result result;
	const uint8_t *key;
	uint64_t wall;
	uint32_t issued;

	if (challenge_take(challenge, msg->nonce,
		(uint32_t)(now / CLOCK_SECOND), &issued, &wall, nonce) == -1)
		return (VERIFY_NO_NONCE);
	if (!verify_time((issued * CLOCK_SECOND + wall) / CLOCK_SECOND, msg->ts,
		(now + wall) / CLOCK_SECOND))
		return (VERIFY_BAD_TIME);
	key = keycache_find(keys, msg->node);
	result = verify_signature(
	    msg, key == NULL ? verify_nobody : key, nonce, legacy);
	if (key == NULL)
		return (VERIFY_NO_KEY);
	*keyid = keycache_id(key);
	return (result);
}
