/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_REFUSAL_H
#define PARENT_REFUSAL_H

#include <stdint.h>

#include "common/event.h"

void refusal_log(enum event_kind, uint32_t node, const uint8_t addr[16],
    uint32_t port, const char *note);

#endif /* PARENT_REFUSAL_H */
