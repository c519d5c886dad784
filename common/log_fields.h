/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_LOG_FIELDS_H
#define COMMON_LOG_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "common/log.h"

/*
 * One line of fields as it grows: " name=value", or an object of JSON.  It is
 * well-formed at any time but for its end; what has no room is left out.
 */
struct log_fields {
	int json; /* boolean */
	char line[LOG_LINE_MAX];
	size_t len;
};

void log_fields_begin(
    struct log_fields *, int json, int priority, const char *procname);
void log_fields_word(struct log_fields *, const char *name, const char *word);
void log_fields_number(struct log_fields *, const char *name, uint64_t);
void log_fields_bytes(
    struct log_fields *, const char *name, const void *, size_t len);
void log_fields_rest(struct log_fields *, const char *text);
const char *log_fields_end(struct log_fields *);

#endif /* COMMON_LOG_FIELDS_H */
