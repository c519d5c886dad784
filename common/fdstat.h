/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_FDSTAT_H
#define COMMON_FDSTAT_H

struct stat;

int fdstat(int, struct stat *);

#endif /* COMMON_FDSTAT_H */
