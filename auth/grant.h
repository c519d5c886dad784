/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_GRANT_H
#define AUTH_GRANT_H

#include <stdint.h>

#include "auth/firstkey.h"
#include "auth/keycache.h"

int grant_verify(const struct keycache *, const struct firstkeys *,
    const struct msg_grant *, uint64_t);

#endif /* AUTH_GRANT_H */
