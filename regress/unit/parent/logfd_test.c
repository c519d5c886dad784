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
static struct process child;
static int end;    /* the child's */
static int output; /* what was logged; its writing end is stderr */

static int
set_up(void)
{
	int logs[2], out[2];

	memset(&child, 0, sizeof(child));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	child.parent = &parent;
	(void)strlcpy(child.name, "worker[1]", sizeof(child.name));
	if (pipe2(out, O_NONBLOCK) == -1 ||
	    fcntl(out[0], F_SETPIPE_SZ, 1 << 20) == -1 ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, logs) == -1 ||
	    dup2(out[1], STDERR_FILENO) == -1)
		return (-1);
	(void)close(out[1]);
	output = out[0];
	end = logs[1];
	logfd_open(&child, logs[0]);
	return (0);
}

static void
tear_down(void)
{
	logfd_close(&child);
	(void)close(end);
	(void)close(output);
}

/* What is logged when the child sends so many bytes as one line. */
static const char *
logged(const void *line, size_t len)
{
	static char text[8192];
	ssize_t n;

	text[0] = '\0';
	if (send(end, line, len, 0) != (ssize_t)len)
		return ("not sent");
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	n = read(output, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return (text);
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
	child.log_second = clock_seconds();
	for (i = 0; i < LOG_CHILD_LINES + 50; i++) {
		CHECK(send(end, "4x", 2, 0) == 2);
		ev_invoke(parent.loop, &child.log, EV_READ);
	}
	n = read(output, text, sizeof(text));
	for (i = lines = 0; i < n; i++)
		lines += text[i] == '\n';
	CHECK(lines == LOG_CHILD_LINES);
	CHECK(counters_read(counters, COUNTER_LOG_MUTED) == muted + 50);
	child.log_second--;
	CHECK(strcmp(logged("4again", 6), "worker[1]: again\n") == 0);
	tear_down();
}

int
main(void)
{
	RUN(test_line);
	RUN(test_escaped);
	RUN(test_longest);
	RUN(test_flood);
	return (test_failed());
}
