/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_MEMORY_H
#define PARENT_MEMORY_H

#include <stddef.h>

int memory_shared(const char *, size_t);

#endif /* PARENT_MEMORY_H */
