/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/notify.h"

#define NOTIFY_MORE 10 /* seconds, for the end itself */

static int notify_fd = -1;
static double notify_interval;

/* Half of what the manager waits for, in seconds; 0: it does not wait. */
static void
notify_open_watchdog(void)
{
	const char *error, *pid, *usec;
	long long n;

	usec = getenv("WATCHDOG_USEC");
	pid = getenv("WATCHDOG_PID");
	if (usec == NULL)
		return;
	if (pid != NULL) {
		n = strtonum(pid, 1, INT32_MAX, &error);
		if (error != NULL || n != getpid())
			return;
	}
	n = strtonum(usec, 1, INT64_MAX, &error);
	if (error != NULL)
		return;
	notify_interval = (double)n / 2e6;
}

static int
notify_connect(const char *path)
{
	struct sockaddr_un sun;
	size_t len;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	len = strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	if (len >= sizeof(sun.sun_path))
		return (-1);
	/* "@name" stands for an abstract socket. */
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	len += offsetof(struct sockaddr_un, sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, (struct sockaddr *)&sun, (socklen_t)len) == 0)
		return (fd);
	(void)close(fd);
	return (-1);
}

/*
 * At start, before the sandbox, which allows no more connections to what the
 * environment names.
 */
void
notify_open(void)
{
	const char *path;

	path = getenv("NOTIFY_SOCKET");
	if (path == NULL)
		return;
	notify_fd = notify_connect(path);
	if (notify_fd == -1)
		log_warn("service manager at %s", path);
	else
		notify_open_watchdog();
}

/* Seconds between two calls of notify_watchdog(); 0: none is expected. */
double
notify_watchdog_interval(void)
{
	return (notify_interval);
}

static void
notify_send(const char *text)
{
	if (notify_fd == -1)
		return;
	if (send(notify_fd, text, strlen(text), MSG_NOSIGNAL) == -1)
		log_warn("service manager: %s", text);
}

/* status: a line for people, without a newline. */
void
notify_ready(const char *status)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
	notify_send(text);
}

/* A reload has begun; notify_ready() ends it. */
void
notify_reloading(void)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%ju",
	    (uintmax_t)(clock_ns() / 1000));
	notify_send(text);
}

void
notify_watchdog(void)
{
	notify_send("WATCHDOG=1");
}

void
notify_stopping(void)
{
	notify_send("STOPPING=1");
}

/* The end takes so many seconds more than the manager would wait. */
void
notify_extend(uint32_t seconds)
{
	char text[64];

	(void)snprintf(text, sizeof(text),
	    "STOPPING=1\nEXTEND_TIMEOUT_USEC=%ju",
	    (uintmax_t)(seconds + NOTIFY_MORE) * 1000000);
	notify_send(text);
}
