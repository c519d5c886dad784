/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/event.h"
#include "common/log.h"
#include "common/loop.h"
#include "parent/parent.h"

#define LOGFD_BATCH 32 /* reads before others get their turn */

/*
 * A child's text may hold what a stranger sent: nothing but printable ASCII
 * reaches a terminal or a log file.  out has room for four times len and a NUL.
 */
void
logfd_escape(char *out, const unsigned char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (isascii(text[i]) && isprint(text[i]))
			*out++ = (char)text[i];
		else
			out += snprintf(out, 5, "\\%03o", text[i]);
	*out = '\0';
}

/* A child that floods the log costs a number, not a disk. */
static int
logfd_allowed(struct process *p)
{
	if (persecond_take(&p->log_lines, clock_seconds(), 1, LOG_CHILD_LINES))
		return (1);
	counters_add(COUNTER_LOG_MUTED, 1);
	return (0);
}

/* An event; one that cannot be is dropped.  n: bytes behind the mark. */
static void
logfd_event(struct process *p, const unsigned char *bytes, size_t n)
{
	struct event e;

	/* Sessions are the workers', and so is what is said of them. */
	if (n != sizeof(e) || p->place->role->id != ROLE_WORKER)
		return;
	memcpy(&e, bytes, sizeof(e));
	if (event_valid(&e))
		event_write(p->place->name, place_share(p->place), &e);
}

static int
logfd_line(struct process *p)
{
	unsigned char line[LOG_LINE_MAX];
	char text[4 * LOG_LINE_MAX + 1];
	ssize_t n;
	int priority;

	n = recv(p->log.fd, line, sizeof(line), MSG_DONTWAIT);
	/* Nothing follows the end, nor an empty line of somebody hostile. */
	if (n == 0)
		loop_stop(p->parent->loop, &p->log);
	if (n <= 0)
		return (0);
	if (!logfd_allowed(p))
		return (1);
	if (line[0] == LOG_CHILD_EVENT) {
		logfd_event(p, line + 1, (size_t)n - 1);
		return (1);
	}
	priority = line[0] - '0';
	if (priority < LOG_CRIT || priority > LOG_DEBUG)
		priority = LOG_WARNING;
	logfd_escape(text, line + 1, (size_t)n - 1);
	log_line(priority, p->place->name, text);
	return (1);
}

static void
logfd_read(struct ev_loop *loop, ev_io *w, int revents)
{
	int i;

	if (loop_deaf(loop, w, revents))
		return;
	for (i = 0; i < LOGFD_BATCH && logfd_line(w->data); i++)
		continue;
}

static void
logfd_words_line(struct process *p)
{
	char text[4 * LOG_LINE_MAX + 1];

	if (p->words_len > 0 && logfd_allowed(p)) {
		logfd_escape(text, p->words_text, p->words_len);
		log_line(LOG_ERR, p->place->name, text);
	}
	p->words_len = 0;
}

/*
 * What comes from a child's standard error are words of its libraries, mostly
 * the last ones before its end.  They are lines that may come in pieces.
 */
static int
logfd_words(struct process *p)
{
	unsigned char bytes[LOG_LINE_MAX];
	ssize_t i, n;

	n = read(p->words.fd, bytes, sizeof(bytes));
	if (n == 0)
		loop_stop(p->parent->loop, &p->words);
	if (n <= 0)
		return (0);
	for (i = 0; i < n; i++) {
		if (bytes[i] != '\n')
			p->words_text[p->words_len++] = bytes[i];
		if (bytes[i] == '\n' || p->words_len == sizeof(p->words_text))
			logfd_words_line(p);
	}
	return (1);
}

static void
logfd_words_read(struct ev_loop *loop, ev_io *w, int revents)
{
	int i;

	if (loop_deaf(loop, w, revents))
		return;
	for (i = 0; i < LOGFD_BATCH && logfd_words(w->data); i++)
		continue;
}

static void
logfd_watch(struct process *p, ev_io *w, int fd,
    void (*cb)(struct ev_loop *, ev_io *, int))
{
	ev_io_init(w, cb, fd, EV_READ);
	w->data = p;
	ev_io_start(p->parent->loop, w);
}

/*
 * Takes p's lines from fd, and what is said on its standard error from words.
 * Both are non-blocking and our own from now on.
 */
void
logfd_open(struct process *p, int fd, int words)
{
	logfd_watch(p, &p->log, fd, logfd_read);
	logfd_watch(p, &p->words, words, logfd_words_read);
	p->words_len = 0;
}

/* What it has said so far, before what it says elsewhere is acted upon. */
void
logfd_drain(struct process *p)
{
	int i;

	for (i = 0; i < LOG_CHILD_LINES && logfd_line(p); i++)
		continue;
}

/* Prints the last words of a child that has died. */
void
logfd_close(struct process *p)
{
	int i;

	logfd_drain(p);
	for (i = 0; i < LOG_CHILD_LINES && logfd_words(p); i++)
		continue;
	logfd_words_line(p);
	/* The parent that has started it may have them, too. */
	loop_close(p->parent->loop, &p->log);
	loop_close(p->parent->loop, &p->words);
}
