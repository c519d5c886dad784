/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stddef.h>
#include <stdint.h>

/*
 * One log for all processes.  The parent and beaconctl write to stderr or
 * syslog; a child has neither (its sandbox forbids both) and hands each line
 * to the parent through descriptor LOG_CHILD_FD, one datagram a line:
 * one byte of syslog priority, then the text; or LOG_CHILD_EVENT, then a struct
 * event.  The parent adds the name of the process, which it knows from the
 * descriptor and never from the text.
 */
#define LOG_CHILD_FD    4
#define LOG_CHILD_EVENT 'E'
#define LOG_LINE_MAX    1024 /* bytes of one line, priority byte included */

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_PARENT };

/* At most LOG_LIMIT_LINES in LOG_LIMIT_PERIOD seconds; the rest is counted. */
struct log_limit {
	uint32_t window; /* second in which the window began */
	uint32_t lines;  /* lines of this window */
	uint64_t muted;  /* lines left out since the last one printed */
};
#define LOG_LIMIT_LINES  10
#define LOG_LIMIT_PERIOD 10

struct log_fields;

void log_init(const char *, enum log_target);
void log_set_level(int);
void log_set_json(int);
int log_wanted(int);
void log_also(void (*)(const char *procname, const char *text));
const char *log_name(void);
void log_begin(struct log_fields *, int, const char *);
void log_end(struct log_fields *, int);
int log_event(const void *, size_t);
void log_line(int, const char *procname, const char *text);
const char *log_remedy(int);
void log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_limited(struct log_limit *, uint32_t, const char *, ...)
    __attribute__((format(printf, 3, 4)));
void fatal(const char *, ...) __attribute__((noreturn, format(printf, 1, 2)));
void fatalx(const char *, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif /* COMMON_LOG_H */
