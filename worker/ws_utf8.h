/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_WS_UTF8_H
#define WORKER_WS_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* UTF-8 as RFC 3629 has it, in pieces of any size; a text begins at 0. */
int ws_utf8_check(uint32_t *, const uint8_t *, size_t);
int ws_utf8_done(uint32_t);

#endif /* WORKER_WS_UTF8_H */
