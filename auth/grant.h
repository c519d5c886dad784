/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_GRANT_H
#define AUTH_GRANT_H

#include <stdint.h>

#include "auth/firstkey.h"
#include "auth/keystore.h"

int grant_verify(struct keystore *, const struct firstkeys *,
    const struct msg_grant *, uint64_t);

#endif /* AUTH_GRANT_H */
