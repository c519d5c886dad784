/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/notify.h"

#define NOTIFY_MORE    10   /* seconds, for the end itself */
#define NOTIFY_TRIES   50   /* to send, and */
#define NOTIFY_WAIT    100  /* milliseconds between two of them */
#define NOTIFY_BARRIER 5000 /* milliseconds */

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

int
notify_is_open(void)
{
	return (notify_fd != -1);
}

/*
 * With a descriptor.  The manager may be busy: waits a while for room.  Returns
 * 0, or -1 with errno.
 */
static int
notify_send_fd(const char *text, int fd)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct pollfd pfd;
	struct msghdr msg;
	struct iovec iov;
	int try;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	iov.iov_base = (void *)(uintptr_t)text;
	iov.iov_len = strlen(text);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control.buf);
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	for (try = 0; try < NOTIFY_TRIES; try++) {
		if (sendmsg(notify_fd, &msg, MSG_NOSIGNAL) != -1)
			return (0);
		if (errno != EAGAIN && errno != EINTR)
			break;
		pfd.fd = notify_fd;
		pfd.events = POLLOUT;
		(void)poll(&pfd, 1, NOTIFY_WAIT);
	}
	return (-1);
}

/*
 * The manager is to keep fd under that name, and to hand it to whom it starts
 * next; that the other end of it is closed does not matter.  0, or -1, logged.
 */
int
notify_keep(int fd, const char *name)
{
	char text[128];

	(void)snprintf(
	    text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	if (notify_send_fd(text, fd) == 0)
		return (0);
	log_warn("service manager, which is to keep %s", name);
	return (-1);
}

/* It is to keep what has that name no longer. */
void
notify_let_go(const char *name)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	notify_send(text);
}

/*
 * Waits until the manager has read all that it was sent.  Returns 0, or -1,
 * logged: it has not in time.
 */
int
notify_barrier(void)
{
	struct pollfd pfd;
	int error, ends[2];

	if (pipe2(ends, O_CLOEXEC) == -1) {
		log_warn("service manager: pipe2");
		return (-1);
	}
	error = notify_send_fd("BARRIER=1", ends[1]);
	(void)close(ends[1]);
	pfd.fd = ends[0];
	pfd.events = POLLIN;
	if (error == 0 && poll(&pfd, 1, NOTIFY_BARRIER) != 1)
		error = -1;
	(void)close(ends[0]);
	if (error == -1)
		log_warnx("service manager: it does not answer");
	return (error);
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
	    (uintmax_t)(clock_kernel_ns() / 1000));
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
