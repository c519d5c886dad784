/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <syslog.h>
#include <time.h>

#include "common/log.h"
#include "common/log_syslog.h"
#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

/* What "the kernel" says, and what it was asked. */
static int refusal;   /* errno of send(2); 0: it takes the line */
static int refusals;  /* how often it says so */
static int no_daemon; /* boolean: connect(2) fails */
static int connects, polls, last_wait;
static int ready; /* what poll(2) returns */
static char sent[4096];

int
connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct sockaddr_un *sun;

	sun = (const void *)addr;
	connects++;
	if (strcmp(sun->sun_path, "/dev/log") != 0)
		abort();
	return (no_daemon ? -1 : 0);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	if (refusal != 0 && refusals-- > 0) {
		errno = refusal;
		return (-1);
	}
	memcpy(sent, data, len);
	sent[len] = '\0';
	return ((ssize_t)len);
}

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	polls++;
	last_wait = timeout;
	if (!ready)
		still_pass(timeout / 1000.);
	return (ready);
}

static int
say(const char *text)
{
	memset(sent, 0, sizeof(sent));
	connects = polls = 0;
	return (log_syslog(LOG_WARNING, text));
}

static void
test_a_line_as_rfc_3164_has_it(void)
{
	refusal = 0;
	CHECK(say("worker[1]: hello") == 0);
	CHECK(strncmp(sent, "<28>Nov ", 8) == 0 && sent[19] == ' ');
	CHECK(strncmp(sent + 20, "ident[", 6) == 0);
	CHECK(strstr(sent, "]: worker[1]: hello") != NULL);
	CHECK(strcmp(sent + strlen(sent) - 5, "hello") == 0);
}

static void
test_a_line_that_is_too_long_is_cut(void)
{
	static char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	CHECK(say(text) == 0);
	CHECK(strlen(sent) < LOG_LINE_MAX + 128 && strlen(sent) > LOG_LINE_MAX);
}

/* It was started anew: another socket is at that path. */
static void
test_a_daemon_that_was_restarted(void)
{
	refusal = ECONNREFUSED;
	refusals = 1;
	CHECK(say("x") == 0 && connects == 1 && polls == 0);
	CHECK(strstr(sent, ": x") != NULL);
	refusals = 1;
	no_daemon = 1;
	CHECK(say("x") == -1 && sent[0] == '\0');
	no_daemon = 0;
	refusals = 2;
	CHECK(say("x") == -1);
}

/* Who is behind is waited for, a fifth of each second. */
static void
test_a_daemon_that_is_behind(void)
{
	refusal = EAGAIN;
	refusals = 1;
	ready = 1;
	still_pass(1);
	CHECK(say("x") == 0 && polls == 1 && connects == 0);
	CHECK(last_wait > 190 && last_wait <= 201);
}

static void
test_a_daemon_that_does_not_read_is_not_waited_for(void)
{
	refusal = EAGAIN;
	refusals = 1000;
	ready = 0;
	still_pass(1);
	CHECK(say("x") == -1 && polls == 1);
	/* Not again, not even in the next second, until it has read. */
	CHECK(say("x") == -1 && polls == 0);
	still_pass(1);
	CHECK(say("x") == -1 && polls == 0);
	refusals = 0;
	CHECK(say("x") == 0);
	refusals = 1;
	CHECK(say("x") == 0 && polls == 1);
}

int
main(void)
{
	(void)setenv("TZ", "UTC", 1);
	tzset();
	log_syslog_open("ident");
	if (connects != 1)
		return (1);
	RUN(test_a_line_as_rfc_3164_has_it);
	RUN(test_a_line_that_is_too_long_is_cut);
	RUN(test_a_daemon_that_was_restarted);
	RUN(test_a_daemon_that_is_behind);
	RUN(test_a_daemon_that_does_not_read_is_not_waited_for);
	return (test_failed());
}
