/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/log.h"
#include "common/log_fields.h"
#include "common/log_syslog.h"

static enum log_target log_target = LOG_TO_STDERR;
static const char *log_procname = "beacond";
static int log_to_journal; /* boolean */
static int log_level = LOG_INFO;
static int log_json; /* boolean */

/*
 * Does standard error lead to systemd's journal?  Then it takes the priority of
 * a line from "<N>" in front of it (sd-daemon(3)).
 */
static int
log_is_journal(void)
{
	const char *stream;
	char own[64];
	struct stat st;

	stream = getenv("JOURNAL_STREAM");
	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return (0);
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return (strcmp(stream, own) == 0);
}

/* procname: the name put before each line (not copied) */
void
log_init(const char *procname, enum log_target target)
{
	log_procname = procname;
	log_target = target;
	if (target == LOG_TO_SYSLOG)
		log_syslog_open(procname);
	log_to_journal = target == LOG_TO_STDERR && log_is_journal();
}

/*
 * Who does not read standard error loses lines, but does not stop us: does the
 * next one go out at once?
 */
static int
log_stderr_ready(void)
{
	struct pollfd fd;

	fd.fd = STDERR_FILENO;
	fd.events = POLLOUT;
	return (poll(&fd, 1, 0) != 0);
}

/* One write a line, so that lines of processes never mix. */
static void
log_stderr(int priority, const char *text)
{
	char line[LOG_LINE_MAX + 8], mark[8]; /* a mark and the newline too */
	int n;

	if (!log_stderr_ready()) {
		counters_add(COUNTER_LOG_MUTED, 1);
		return;
	}
	mark[0] = '\0';
	if (log_to_journal)
		(void)snprintf(mark, sizeof(mark), "<%d>", priority & 7);
	n = snprintf(line, sizeof(line), "%s%s\n", mark, text);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	if (write(STDERR_FILENO, line, (size_t)n) == -1)
		return;
}

/* A full log channel loses the line, never the process. */
static void
log_parent(const void *line, size_t len)
{
	if (send(LOG_CHILD_FD, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		counters_add(COUNTER_LOG_MUTED, 1);
}

/* Lines of a lower level than this priority of syslog(3) are not written. */
void
log_set_level(int priority)
{
	log_level = priority;
}

/* json: boolean; else lines are text. */
void
log_set_json(int json)
{
	log_json = json;
}

/* Boolean: are lines of this priority written? */
int
log_wanted(int priority)
{
	return (priority <= log_level);
}

/* The name of this process. */
const char *
log_name(void)
{
	return (log_procname);
}

/* Begins a line of fields, of the process procname. */
void
log_begin(struct log_fields *f, int priority, const char *procname)
{
	log_fields_begin(f, log_json, priority, procname);
}

/* Writes it. */
void
log_end(struct log_fields *f, int priority)
{
	const char *line;

	line = log_fields_end(f);
	if (log_target != LOG_TO_SYSLOG)
		log_stderr(priority, line);
	else if (log_syslog(priority, line) == -1)
		counters_add(COUNTER_LOG_MUTED, 1);
}

/*
 * A child hands over a struct event.  Returns 0 if this process is no child and
 * writes its lines itself.
 */
int
log_event(const void *event, size_t len)
{
	uint8_t line[LOG_LINE_MAX];

	if (log_target != LOG_TO_PARENT)
		return (0);
	line[0] = LOG_CHILD_EVENT;
	memcpy(line + 1, event, len);
	log_parent(line, 1 + len);
	return (1);
}

static void
log_child_line(int priority, const char *text)
{
	char line[LOG_LINE_MAX];
	int n;

	n = snprintf(line, sizeof(line), "%c%s", priority + '0', text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	log_parent(line, (size_t)n);
}

static void (*log_told)(const char *, const char *);

/* Who hears every line as well, whatever the level. */
void
log_also(void (*told)(const char *procname, const char *text))
{
	log_told = told;
}

/* Hands one finished line to where the lines of this process go. */
void
log_line(int priority, const char *procname, const char *text)
{
	struct log_fields f;

	if (log_told != NULL)
		log_told(procname, text);
	if (!log_wanted(priority))
		return;
	if (log_target == LOG_TO_PARENT) {
		log_child_line(priority, text);
		return;
	}
	log_begin(&f, priority, procname);
	if (log_json)
		log_fields_bytes(&f, "message", text, strlen(text));
	else
		log_fields_rest(&f, text);
	log_end(&f, priority);
}

#define LOG_ALLOW                                         \
	"allow it there (podman, docker: --security-opt " \
	"seccomp=FILE; systemd: SystemCallFilter=)"

/* For a call that needs no particular right, and failed all the same. */
const char *
log_remedy(int error)
{
	switch (error) {
	case EPERM:
		return (
		    "; a container's seccomp profile or the unit may forbid "
		    "it: " LOG_ALLOW);
	case ENOSYS:
		return ("; the kernel is too old, or a container's seccomp "
			"profile forbids it: " LOG_ALLOW);
	case ENOMEM:
		return ("; it takes more memory, or a higher limit of it");
	case EFBIG:
		return ("; raise the limit of a file's size");
	case EMFILE:
	case ENFILE:
		return ("; raise the limit of open files: LimitNOFILE= of a "
			"unit, --ulimit nofile= of a container, ulimit -Hn");
	default:
		return ("");
	}
}

static void log_format(int, int, const char *, va_list)
    __attribute__((format(printf, 3, 0)));

static void
log_format(int priority, int error, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX];
	int n, saved;

	saved = errno;
	n = 0;
	text[0] = '\0';
	/* fatal(NULL): the error says it all. */
	if (fmt != NULL)
		n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(text) && error != 0)
		(void)snprintf(text + n, sizeof(text) - (size_t)n, "%s%s%s",
		    n > 0 ? ": " : "", strerror(error), log_remedy(error));
	log_line(priority, log_procname, text);
	errno = saved;
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_format(LOG_ERR, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_format(LOG_WARNING, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_format(LOG_INFO, 0, fmt, ap);
	va_end(ap);
}

/*
 * A warning that somebody outside can cause at will.  now: any clock in
 * seconds; a caller in the packet path passes the one of its loop.
 */
void
log_limited(struct log_limit *limit, uint32_t now, const char *fmt, ...)
{
	va_list ap;

	if (now - limit->window >= LOG_LIMIT_PERIOD) {
		if (limit->muted > 0)
			log_warnx("%llu similar lines left out",
			    (unsigned long long)limit->muted);
		limit->window = now;
		limit->lines = 0;
		limit->muted = 0;
	}
	if (limit->lines >= LOG_LIMIT_LINES) {
		limit->muted++;
		return;
	}
	limit->lines++;
	va_start(ap, fmt);
	log_format(LOG_WARNING, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_format(LOG_CRIT, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_format(LOG_CRIT, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
