/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/parent.h"
#include "regress/unit/test.h"

static struct parent parent;
static struct place place;
static struct process child;
static int end;    /* the child's */
static int words;  /* the child's standard error */
static int output; /* what was logged; its writing end is stderr */

static uint32_t now = 5;

uint32_t __wrap_clock_seconds(void);

uint32_t
__wrap_clock_seconds(void)
{
	return (now);
}

static int
set_up(void)
{
	int logs[2], out[2], err[2];

	memset(&child, 0, sizeof(child));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	child.parent = &parent;
	child.place = &place;
	(void)strlcpy(place.name, "worker[1]", sizeof(place.name));
	if (pipe2(out, O_NONBLOCK) == -1 || pipe2(err, O_NONBLOCK) == -1 ||
	    fcntl(out[0], F_SETPIPE_SZ, 1 << 20) == -1 ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, logs) == -1 ||
	    dup2(out[1], STDERR_FILENO) == -1)
		return (-1);
	(void)close(out[1]);
	output = out[0];
	end = logs[1];
	words = err[1];
	logfd_open(&child, logs[0], err[0]);
	return (0);
}

static void
tear_down(void)
{
	if (child.parent != NULL)
		logfd_close(&child);
	(void)close(end);
	(void)close(words);
	(void)close(output);
}

static const char *
output_text(void)
{
	static char text[1 << 20];
	ssize_t n;

	n = read(output, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return (text);
}

/* What is logged when a library says so much on the child's standard error. */
static const char *
said(const void *bytes, size_t len)
{
	if (write(words, bytes, len) != (ssize_t)len)
		return ("not written");
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	return (output_text());
}

/* What is logged when the child sends so many bytes as one line. */
static const char *
logged(const void *line, size_t len)
{
	if (send(end, line, len, 0) != (ssize_t)len)
		return ("not sent");
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	return (output_text());
}

static void
test_line(void)
{
	CHECK(set_up() == 0);
	CHECK(strcmp(logged("4hello", 6), "worker[1]: hello\n") == 0);
	CHECK(strcmp(logged("6", 1), "worker[1]: \n") == 0);
	CHECK(strcmp(logged("\xffodd", 4), "worker[1]: odd\n") == 0);
	tear_down();
}

/* A stranger's text cannot forge a line or reach a terminal's controls. */
static void
test_escaped(void)
{
	CHECK(set_up() == 0);
	CHECK(strcmp(logged("4a\nb\033[2J\0c\x9b", 11),
		  "worker[1]: a\\012b\\033[2J\\000c\\233\n") == 0);
	tear_down();
}

static void
test_longest(void)
{
	char line[LOG_LINE_MAX + 100];
	const char *text;

	CHECK(set_up() == 0);
	memset(line, '\n', sizeof(line));
	text = logged(line, sizeof(line));
	CHECK(strlen(text) <= LOG_LINE_MAX && strlen(text) > 900);
	CHECK(text[strlen(text) - 1] == '\n');
	CHECK(strncmp(text, "worker[1]: \\012\\012", 19) == 0);
	tear_down();
}

static void
test_flood(void)
{
	static char text[1 << 20];
	uint64_t muted;
	ssize_t i, lines, n;

	CHECK(set_up() == 0);
	muted = counters_read(counters, COUNTER_LOG_MUTED);
	for (i = 0; i < LOG_CHILD_LINES + 50; i++) {
		CHECK(send(end, "4x", 2, 0) == 2);
		ev_invoke(parent.loop, &child.log, EV_READ);
	}
	n = read(output, text, sizeof(text));
	for (i = lines = 0; i < n; i++)
		lines += text[i] == '\n';
	CHECK(lines == LOG_CHILD_LINES);
	CHECK(counters_read(counters, COUNTER_LOG_MUTED) == muted + 50);
	now++;
	CHECK(strcmp(logged("4again", 6), "worker[1]: again\n") == 0);
	tear_down();
}

static void
test_words(void)
{
	CHECK(set_up() == 0);
	CHECK(strcmp(said("one\n\ntwo\nthr", 12),
		  "worker[1]: one\nworker[1]: two\n") == 0);
	CHECK(strcmp(said("ee\n", 3), "worker[1]: three\n") == 0);
	CHECK(strcmp(said("4a\033[2J\0c\x9b\r\n", 11),
		  "worker[1]: 4a\\033[2J\\000c\\233\\015\n") == 0);
	tear_down();
}

/* The last ones need no end of line. */
static void
test_last_words(void)
{
	CHECK(set_up() == 0);
	CHECK(write(words, "first\nlast", 10) == 10);
	logfd_close(&child);
	child.parent = NULL;
	CHECK(
	    strcmp(output_text(), "worker[1]: first\nworker[1]: last\n") == 0);
	tear_down();
}

static void
test_words_without_end(void)
{
	char bytes[2 * LOG_LINE_MAX + 10];
	const char *text;

	CHECK(set_up() == 0);
	memset(bytes, 'x', sizeof(bytes));
	text = said(bytes, sizeof(bytes));
	CHECK(strncmp(text, "worker[1]: xxx", 14) == 0);
	CHECK(strlen(text) == 2 * LOG_LINE_MAX);
	tear_down();
}

/* They count with the lines of the log. */
static void
test_flood_of_words(void)
{
	uint64_t muted;
	const char *text;
	int i, lines;

	CHECK(set_up() == 0);
	muted = counters_read(counters, COUNTER_LOG_MUTED);
	CHECK(send(end, "4x", 2, 0) == 2);
	for (i = 0; i < LOG_CHILD_LINES + 49; i++)
		CHECK(write(words, "x\n", 2) == 2);
	ev_invoke(parent.loop, &child.log, EV_READ);
	ev_invoke(parent.loop, &child.words, EV_READ);
	lines = 0;
	for (text = output_text(); *text != '\0'; text++)
		lines += *text == '\n';
	CHECK(lines == LOG_CHILD_LINES);
	CHECK(counters_read(counters, COUNTER_LOG_MUTED) == muted + 50);
	tear_down();
}

int
main(void)
{
	RUN(test_line);
	RUN(test_escaped);
	RUN(test_longest);
	RUN(test_flood);
	RUN(test_words);
	RUN(test_last_words);
	RUN(test_words_without_end);
	RUN(test_flood_of_words);
	return (test_failed());
}
