/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_SANDBOX_H
#define PARENT_SANDBOX_H

#include "common/sandbox.h"

struct parent;

extern const struct sandbox_rule parent_sandbox_rules[];
extern const size_t parent_sandbox_nrules;

void parent_sandbox_files(struct parent *);
void parent_sandbox(void);

#endif /* PARENT_SANDBOX_H */
