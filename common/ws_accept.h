/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_WS_ACCEPT_H
#define COMMON_WS_ACCEPT_H

#include <stddef.h>

#define WS_ACCEPT_LEN 29 /* with its NUL */

void ws_accept(const char *key, size_t len, char accept[WS_ACCEPT_LEN]);

#endif /* COMMON_WS_ACCEPT_H */
