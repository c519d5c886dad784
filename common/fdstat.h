/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_FDSTAT_H
#define COMMON_FDSTAT_H

#include <stddef.h>

struct stat;

int fdstat(int, struct stat *);
void *fdstat_map(int fd, size_t, int prot);

#endif /* COMMON_FDSTAT_H */
