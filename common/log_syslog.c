/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_syslog.h"

#define LOG_SYSLOG_HEAD 128 /* bytes before the text */

/*
 * A reader that is only behind gets this much time in each second, as the queue
 * of a datagram socket may have room for no more than ten lines; one that does
 * not use it gets none until there is room again.
 */
#define LOG_SYSLOG_PATIENCE (CLOCK_SECOND / 5)

static const char *log_syslog_ident = "beacond";
static int log_syslog_fd = -1;
static uint32_t log_syslog_second; /* in which was waited for ... */
static uint64_t log_syslog_waited; /* ... so many nanoseconds */
static int log_syslog_dead;        /* boolean: in vain, the last time */

/* Connects to who reads the log now.  Returns 0, or -1. */
static int
log_syslog_connect(void)
{
	struct sockaddr_un sun;

	if (log_syslog_fd != -1)
		(void)close(log_syslog_fd);
	log_syslog_fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (log_syslog_fd == -1)
		return (-1);
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	(void)strlcpy(sun.sun_path, "/dev/log", sizeof(sun.sun_path));
	return (connect(log_syslog_fd, (void *)&sun, sizeof(sun)));
}

/*
 * ident: what lines begin with (not copied).  The time zone is that of the last
 * tzset(3), since a sandbox may keep its files away.
 */
void
log_syslog_open(const char *ident)
{
	log_syslog_ident = ident;
	(void)log_syslog_connect();
}

/* Waits until the queue has room, if there is patience left. */
static void
log_syslog_wait(void)
{
	struct pollfd pfd;
	uint64_t start;
	int left;

	if (log_syslog_dead)
		return;
	if (log_syslog_second != clock_seconds()) {
		log_syslog_second = clock_seconds();
		log_syslog_waited = 0;
	}
	if (log_syslog_waited >= LOG_SYSLOG_PATIENCE)
		return;
	pfd.fd = log_syslog_fd;
	pfd.events = POLLOUT;
	left = (int)((LOG_SYSLOG_PATIENCE - log_syslog_waited) / 1000000) + 1;
	start = clock_ns();
	log_syslog_dead = poll(&pfd, 1, left) == 0;
	log_syslog_waited += clock_ns() - start;
}

static int
log_syslog_send(const char *line, size_t len)
{
	if (send(log_syslog_fd, line, len, MSG_NOSIGNAL) == -1)
		return (-1);
	log_syslog_dead = 0;
	return (0);
}

/*
 * Writes a line of a priority as in syslog(3).  Returns 0, or -1 if it is lost:
 * nobody reads.
 */
int
log_syslog(int priority, const char *text)
{
	char line[LOG_SYSLOG_HEAD + LOG_LINE_MAX], when[32];
	struct tm tm;
	time_t now;
	int n;

	now = (time_t)clock_wall();
	if (localtime_r(&now, &tm) == NULL ||
	    strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm) == 0)
		when[0] = '\0';
	/* RFC 3164 */
	n = snprintf(line, sizeof(line), "<%d>%s %s[%d]: %s",
	    LOG_DAEMON | priority, when, log_syslog_ident, (int)getpid(), text);
	if (n < 0)
		return (-1);
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	if (log_syslog_send(line, (size_t)n) == 0)
		return (0);
	if (errno == EAGAIN)
		log_syslog_wait();
	else if (log_syslog_connect() == -1)
		return (-1);
	return (log_syslog_send(line, (size_t)n));
}
