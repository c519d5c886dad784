/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_SELF_H
#define COMMON_SELF_H

#include <stdint.h>

const char *self_started_as(void);
void self_begin(void);
void self_tell(uint64_t);

#endif /* COMMON_SELF_H */
