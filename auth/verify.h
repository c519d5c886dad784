/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_VERIFY_H
#define AUTH_VERIFY_H

#include <stdint.h>

#include "common/proto.h"

#include "auth/challenge.h"

#define VERIFY_AGE_MAX 30U /* seconds from a challenge to its reply */

enum verify_result {
	VERIFY_OK,
	VERIFY_OK_LEGACY,
	VERIFY_NO_NONCE, /* used, too old, never issued to this worker */
	VERIFY_BAD_TIME, /* too late, or before its time */
	VERIFY_NO_KEY,   /* node unknown */
	VERIFY_WRONG_SIG,
	VERIFY_UNANSWERED /* the registry did not say in time */
};

enum verify_result verify_begin(struct challenge *, const struct msg_verify *,
    uint64_t, uint8_t[PROTO_NONCE_LEN]);
enum verify_result verify_reply(
    const struct msg_verify *, const uint8_t *nonce, const uint8_t *key, int);

#endif /* AUTH_VERIFY_H */
