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

/*
 * Whether msg is signed with key, over that nonce (doc/protocol.md 3).  legacy:
 * boolean, the older form is accepted too.  key NULL: nobody's, which takes as
 * long as a wrong signature and is VERIFY_NO_KEY.
 */
enum verify_result
verify_reply(const struct msg_verify *msg, const uint8_t *nonce,
    const uint8_t *key, int legacy)
{
	char hex[2 * PROTO_NONCE_LEN + 1];
	char text[VERIFY_TEXT_LEN];
	enum verify_result wrong;
	int len;

	wrong = key == NULL ? VERIFY_NO_KEY : VERIFY_WRONG_SIG;
	if (key == NULL)
		key = verify_nobody;
	(void)sodium_bin2hex(hex, sizeof(hex), nonce, PROTO_NONCE_LEN);
	len = snprintf(text, sizeof(text), "compat_auth:%u:%llu:%s", msg->node,
	    (unsigned long long)msg->ts, hex);
	if (verify_text(text, len, msg->sig, key))
		return (wrong == VERIFY_NO_KEY ? wrong : VERIFY_OK);
	if (!legacy)
		return (wrong);
	len = snprintf(text, sizeof(text), "compat_auth:%u:%s", msg->node, hex);
	if (verify_text(text, len, msg->sig, key))
		return (wrong == VERIFY_NO_KEY ? wrong : VERIFY_OK_LEGACY);
	return (wrong);
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
 * Begins with a reply at `now`, clock_ns(): uses its nonce up, and writes it.
 * Returns VERIFY_OK if the signature is worth a look.
 */
enum verify_result
verify_begin(struct challenge *challenge, const struct msg_verify *msg,
    uint64_t now, uint8_t nonce[PROTO_NONCE_LEN])
{
	uint64_t wall;
	uint32_t issued;

	if (challenge_take(challenge, msg->nonce,
		(uint32_t)(now / CLOCK_SECOND), &issued, &wall, nonce) == -1)
		return (VERIFY_NO_NONCE);
	if (!verify_time((issued * CLOCK_SECOND + wall) / CLOCK_SECOND, msg->ts,
		(now + wall) / CLOCK_SECOND))
		return (VERIFY_BAD_TIME);
	return (VERIFY_OK);
}
