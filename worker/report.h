/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/event.h"
#include "worker/session.h"

void report_login(const struct session *);
void report_end(const struct session *, uint32_t tick);
const char *report_what(enum session_why);
void report_refused(const struct session *, enum event_kind, int status,
    const uint8_t *, size_t);
void report_spoofed(
    enum event_kind, const struct endpoint *, uint32_t node, uint32_t claimed);
void report_noted(enum event_kind, const struct endpoint *, const char *note);
void report_source(enum event_kind, const uint8_t addr[16], uint32_t port);

#endif /* WORKER_REPORT_H */
