/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_VERIFY_H
#define AUTH_VERIFY_H

#include <stdint.h>

#include "auth/challenge.h"
#include "auth/keycache.h"

#define VERIFY_AGE_MAX 30U /* seconds from a challenge to its reply */

enum verify_result {
	VERIFY_OK,
	VERIFY_OK_LEGACY,
	VERIFY_NO_NONCE, /* used, too old, never issued to this worker */
	VERIFY_BAD_TIME, /* too late, or before its time */
	VERIFY_NO_KEY,   /* node unknown */
	VERIFY_WRONG_SIG
};

enum verify_result verify_login(struct challenge *, const struct keycache *,
    const struct msg_verify *, uint64_t, int, uint64_t *);

#endif /* AUTH_VERIFY_H */
