/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/log.h"
#include "regress/unit/test.h"

static int lines; /* the end where what is logged comes out */
static int to;    /* the other one */

/* What is logged from now on goes to that descriptor, and comes out here. */
static void
begin(int fd, enum log_target target)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	(void)close(lines);
	/* The test's own come first, wherever they are. */
	lines = fcntl(pair[0], F_DUPFD, 20);
	to = fcntl(pair[1], F_DUPFD, 20);
	(void)close(pair[0]);
	(void)close(pair[1]);
	if (dup2(to, fd) == -1)
		abort();
	(void)close(to);
	log_init("test", target);
}

/* The next line; "" for none. */
static const char *
line(void)
{
	static char text[2 * LOG_LINE_MAX];
	ssize_t n;

	n = recv(lines, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return (text);
}

#define LINE(text) (strcmp(line(), text) == 0)

/* fatal(NULL), which ends the process, is the same line. */
static void
test_an_error_alone(void)
{
	begin(STDERR_FILENO, LOG_TO_STDERR);
	errno = EPERM;
	log_warn(NULL);
	CHECK(strncmp(line(), "test: Operation not permitted", 29) == 0);
}

static void
test_a_line_each_on_standard_error(void)
{
	begin(STDERR_FILENO, LOG_TO_STDERR);
	log_info("one %d", 1);
	CHECK(LINE("test: one 1\n"));
	errno = ENOENT;
	log_warn("two");
	CHECK(
	    errno == ENOENT && LINE("test: two: No such file or directory\n"));
	errno = EMFILE;
	log_warnx("three");
	CHECK(LINE("test: three\n"));
	log_line(LOG_INFO, "other", "four");
	CHECK(LINE("other: four\n") && LINE(""));
}

static void
test_what_helps_is_said(void)
{
	begin(STDERR_FILENO, LOG_TO_STDERR);
	errno = EMFILE;
	log_warn("x");
	CHECK(LINE("test: x: Too many open files; raise the limit of open "
		   "files: LimitNOFILE= of a unit, --ulimit nofile= of a "
		   "container, ulimit -Hn\n"));
	CHECK(log_remedy(ENOENT)[0] == '\0' && log_remedy(EPERM)[0] == ';');
}

/* It is cut, and is a line still. */
static void
test_no_line_is_longer_than_the_most(void)
{
	static char text[3 * LOG_LINE_MAX];
	const char *got;

	memset(text, 'a', sizeof(text) - 1);
	begin(STDERR_FILENO, LOG_TO_STDERR);
	errno = ENOENT;
	log_warn("%s", text);
	got = line();
	/* And the newline. */
	CHECK(strlen(got) == LOG_LINE_MAX);
	CHECK(strcmp(got + LOG_LINE_MAX - 2, "a\n") == 0);
	begin(LOG_CHILD_FD, LOG_TO_PARENT);
	log_warn("%s", text);
	got = line();
	CHECK(strlen(got) == LOG_LINE_MAX - 1 && got[1] == 'a');
}

static void
test_a_child_hands_them_to_the_parent(void)
{
	int i;

	begin(LOG_CHILD_FD, LOG_TO_PARENT);
	log_info("one");
	CHECK(LINE("6one"));
	log_warnx("two");
	CHECK(LINE("4two"));
	/* A parent that does not read: lines are lost, nobody waits. */
	for (i = 0; i < 10000; i++)
		log_info("three");
	CHECK(LINE("6three"));
	while (line()[0] != '\0')
		;
	(void)close(lines);
	lines = -1;
	log_info("four"); /* nor is it a reason to end */
}

static void
test_who_does_not_read_loses_lines(void)
{
	uint64_t muted;
	int i;

	begin(STDERR_FILENO, LOG_TO_STDERR);
	muted = counters_read(counters, COUNTER_LOG_MUTED);
	for (i = 0; i < 10000; i++)
		log_info("x");
	CHECK(counters_read(counters, COUNTER_LOG_MUTED) > muted);
	for (i = 0; LINE("test: x\n"); i++)
		;
	CHECK(counters_read(counters, COUNTER_LOG_MUTED) ==
	      muted + 10000 - (uint64_t)i);
}

static void
test_strangers_cause_so_many_and_no_more(void)
{
	struct log_limit limit;
	int i;

	memset(&limit, 0, sizeof(limit));
	begin(STDERR_FILENO, LOG_TO_STDERR);
	for (i = 0; i < LOG_LIMIT_LINES + 5; i++)
		log_limited(&limit, 1000, "x");
	for (i = 0; i < LOG_LIMIT_LINES; i++)
		CHECK(LINE("test: x\n"));
	CHECK(LINE("") && limit.muted == 5);
	log_limited(&limit, 1000 + LOG_LIMIT_PERIOD - 1, "x");
	CHECK(LINE(""));
	log_limited(&limit, 1000 + LOG_LIMIT_PERIOD, "y");
	CHECK(LINE("test: 6 similar lines left out\n"));
	CHECK(LINE("test: y\n") && LINE(""));
}

static void
test_fatal_is_the_end(void)
{
	int status;
	pid_t pid;

	begin(STDERR_FILENO, LOG_TO_STDERR);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		errno = ENOENT;
		fatal("it");
	}
	CHECK(pid != -1 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK(LINE("test: it: No such file or directory\n"));
}

int
main(void)
{
	lines = -1;
	(void)unsetenv("JOURNAL_STREAM");
	RUN(test_a_line_each_on_standard_error);
	RUN(test_an_error_alone);
	RUN(test_what_helps_is_said);
	RUN(test_no_line_is_longer_than_the_most);
	RUN(test_a_child_hands_them_to_the_parent);
	RUN(test_who_does_not_read_loses_lines);
	RUN(test_strangers_cause_so_many_and_no_more);
	RUN(test_fatal_is_the_end);
	return (test_failed());
}
