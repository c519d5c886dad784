/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef AUTH_SANDBOX_H
#define AUTH_SANDBOX_H

#include "common/sandbox.h"

extern const struct sandbox_rule auth_sandbox_rules[];
extern const size_t auth_sandbox_nrules;

void auth_sandbox(void);

#endif /* AUTH_SANDBOX_H */
