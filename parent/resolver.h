/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_RESOLVER_H
#define PARENT_RESOLVER_H

#include "common/sandbox.h"

/* The process at the other end of parent/resolve.h. */
int resolver_start(int devnull, int seconds);

/* resolver_sandbox.c */
extern const struct sandbox_rule resolver_sandbox_rules[];
extern const size_t resolver_sandbox_nrules;
void resolver_sandbox_files(void);

#endif /* PARENT_RESOLVER_H */
