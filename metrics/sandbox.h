/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef METRICS_SANDBOX_H
#define METRICS_SANDBOX_H

#include "common/sandbox.h"

extern const struct sandbox_rule metrics_sandbox_rules[];
extern const size_t metrics_sandbox_nrules;

void metrics_sandbox(void);

#endif /* METRICS_SANDBOX_H */
