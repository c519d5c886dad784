/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

#include "common/sandbox.h"

extern const struct sandbox_rule worker_sandbox_rules[];
extern const size_t worker_sandbox_nrules;

void worker_sandbox(void);

#endif /* WORKER_SANDBOX_H */
