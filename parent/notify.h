/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_NOTIFY_H
#define PARENT_NOTIFY_H

#include <stdint.h>

/*
 * Tells the service manager how we are, sd_notify(3), without its library.
 * Without a manager that asks for it all of this does nothing.
 */
void notify_open(void);
int notify_is_open(void);
int notify_keep(int, const char *);
void notify_let_go(const char *);
int notify_barrier(void);
double notify_watchdog_interval(void);
void notify_ready(const char *status);
void notify_reloading(void);
void notify_watchdog(void);
void notify_stopping(void);
void notify_extend(uint32_t seconds);

#endif /* PARENT_NOTIFY_H */
