/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log_fields.h"

#define LOG_FIELDS_END 3 /* of the line: "}", NUL and a quote */

/* As syslog(3) numbers them. */
static const char *const log_fields_levels[] = { "emergency", "alert",
	"critical", "error", "warning", "notice", "info", "debug" };

/* Appends the whole text or nothing of it; returns whether it had room. */
static int
log_fields_add(struct log_fields *f, const char *text)
{
	size_t len;

	len = strlen(text);
	if (f->len + len + LOG_FIELDS_END > sizeof(f->line))
		return (0);
	memcpy(f->line + f->len, text, len + 1);
	f->len += len;
	return (1);
}

/* RFC 3339, in UTC. */
static void
log_fields_time(struct log_fields *f)
{
	char text[32], whole[48];
	struct tm tm;
	uint64_t now;
	time_t second;

	now = clock_ns() + clock_wall_offset();
	second = (time_t)(now / CLOCK_SECOND);
	if (gmtime_r(&second, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return;
	(void)snprintf(whole, sizeof(whole), "{\"time\":\"%s.%03uZ\"", text,
	    (unsigned)(now / 1000000 % 1000));
	(void)log_fields_add(f, whole);
}

/*
 * json: boolean.  What stands before all fields: the name of the process, in
 * JSON also time and level (priority, as in syslog(3)).
 */
void
log_fields_begin(
    struct log_fields *f, int json, int priority, const char *procname)
{
	f->json = json;
	f->len = 0;
	f->line[0] = '\0';
	if (json) {
		log_fields_time(f);
		log_fields_word(f, "level", log_fields_levels[priority & 7]);
		log_fields_word(f, "process", procname);
	} else {
		(void)log_fields_add(f, procname);
		(void)log_fields_add(f, ":");
	}
}

static int
log_fields_value(struct log_fields *f, const char *name, const char *quote,
    const char *value)
{
	char text[160];

	(void)snprintf(text, sizeof(text),
	    f->json ? ",\"%.32s\":%s%.80s%s" : " %.32s=%s%.80s%s", name, quote,
	    value, quote);
	return (log_fields_add(f, text));
}

/* word: a name of ours, without blanks and quotes; NULL: there is none. */
void
log_fields_word(struct log_fields *f, const char *name, const char *word)
{
	if (word == NULL)
		(void)log_fields_value(f, name, "", f->json ? "null" : "-");
	else
		(void)log_fields_value(f, name, f->json ? "\"" : "", word);
}

void
log_fields_number(struct log_fields *f, const char *name, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	(void)log_fields_value(f, name, "", text);
}

/*
 * Bytes that anybody may have chosen: quoted, and nothing but printable ASCII
 * gets out.  Those at the end are left out if there is no room.
 */
void
log_fields_bytes(
    struct log_fields *f, const char *name, const void *bytes, size_t len)
{
	const uint8_t *p;
	char text[8];
	size_t i;

	if (!log_fields_value(f, name, "\"", ""))
		return;
	f->len--;
	p = bytes;
	for (i = 0; i < len; i++) {
		if (p[i] == '"' || p[i] == '\\')
			(void)snprintf(text, sizeof(text), "\\%c", p[i]);
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			(void)snprintf(text, sizeof(text), "%c", p[i]);
		else
			(void)snprintf(text, sizeof(text),
			    f->json ? "\\u%04x" : "\\%03o", p[i]);
		if (!log_fields_add(f, text))
			break;
	}
	f->line[f->len++] = '"';
	f->line[f->len] = '\0';
}

/* Of a line that is no fields: the text that follows. */
void
log_fields_rest(struct log_fields *f, const char *text)
{
	int n;

	n = snprintf(f->line + f->len, sizeof(f->line) - f->len, " %s", text);
	if (n < 0)
		return;
	f->len += (size_t)n;
	if (f->len >= sizeof(f->line))
		f->len = sizeof(f->line) - 1;
}

/* The finished line. */
const char *
log_fields_end(struct log_fields *f)
{
	if (f->json) {
		f->line[f->len++] = '}';
		f->line[f->len] = '\0';
	}
	return (f->line);
}
