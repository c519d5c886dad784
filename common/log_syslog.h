/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_LOG_SYSLOG_H
#define COMMON_LOG_SYSLOG_H

/*
 * The machine's log, as syslog(3) writes to it, but for one thing: a log that
 * nobody reads costs lines, and never stops us.
 */
void log_syslog_open(const char *);
int log_syslog(int, const char *);

#endif /* COMMON_LOG_SYSLOG_H */
