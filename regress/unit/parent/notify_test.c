/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "parent/notify.h"

#include "regress/unit/test.h"

static int manager;

/* A manager that listens on an abstract socket of the kernel's choice. */
static void
manager_start(void)
{
	struct sockaddr_un sun;
	char text[128];
	socklen_t len;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	len = sizeof(sun.sun_family);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(manager, (struct sockaddr *)&sun, len) == -1)
		exit(1);
	len = sizeof(sun);
	if (getsockname(manager, (struct sockaddr *)&sun, &len) == -1)
		exit(1);
	(void)snprintf(text, sizeof(text), "@%s", sun.sun_path + 1);
	if (setenv("NOTIFY_SOCKET", text, 1) == -1)
		exit(1);
}

/* Boolean: the manager was told just this. */
static int
told(const char *text)
{
	char buf[64];
	ssize_t n;

	n = recv(manager, buf, sizeof(buf), 0);
	return (
	    n == (ssize_t)strlen(text) && memcmp(buf, text, strlen(text)) == 0);
}

/* Boolean: that a reload has begun, just now by the manager's own clock. */
static int
told_of_a_reload(void)
{
	struct timespec now;
	char buf[64];
	long long told;
	ssize_t n;

	n = recv(manager, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	if (sscanf(buf, "RELOADING=1\nMONOTONIC_USEC=%lld", &told) != 1 ||
	    clock_gettime(CLOCK_MONOTONIC, &now) == -1)
		return (0);
	return (llabs(told / 1000000 - (long long)now.tv_sec) < 5);
}

static void
without_a_manager_nothing_happens(void)
{
	(void)unsetenv("NOTIFY_SOCKET");
	notify_open();
	notify_ready("fine");
	CHECK(notify_watchdog_interval() == 0);
}

static void
watchdog_of_another_process_is_not_ours(void)
{
	manager_start();
	CHECK(setenv("WATCHDOG_USEC", "30000000", 1) == 0);
	CHECK(setenv("WATCHDOG_PID", "1", 1) == 0);
	notify_open();
	CHECK(notify_watchdog_interval() == 0);
	(void)close(manager);
}

static void
manager_is_told(void)
{
	char pid[16];

	manager_start();
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	CHECK(setenv("WATCHDOG_PID", pid, 1) == 0);
	notify_open();
	CHECK(notify_watchdog_interval() == 15);
	notify_ready("fine");
	CHECK(told("READY=1\nSTATUS=fine"));
	notify_reloading();
	CHECK(told_of_a_reload());
	notify_watchdog();
	CHECK(told("WATCHDOG=1"));
	notify_stopping();
	CHECK(told("STOPPING=1"));
	CHECK(recv(manager, pid, sizeof(pid), 0) == -1);
}

/* Boolean: just this, and a descriptor, which is in *fd then. */
static int
given(const char *text, int *fd)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg;
	struct iovec iov;
	char buf[128];
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = buf;
	iov.iov_len = sizeof(buf);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	n = recvmsg(manager, &msg, 0);
	if (n == -1 || CMSG_FIRSTHDR(&msg) == NULL ||
	    control.hdr.cmsg_type != SCM_RIGHTS)
		return (0);
	memcpy(fd, CMSG_DATA(&control.hdr), sizeof(*fd));
	return (
	    n == (ssize_t)strlen(text) && memcmp(buf, text, strlen(text)) == 0);
}

static void
manager_keeps_and_lets_go(void)
{
	int fd, pair[2];
	char byte;

	CHECK(notify_is_open());
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(notify_keep(pair[0], "beacond-x") == 0);
	CHECK(given("FDSTORE=1\nFDPOLL=0\nFDNAME=beacond-x", &fd));
	/* It is that one, and ours is ours still. */
	CHECK(write(fd, "y", 1) == 1 && read(pair[1], &byte, 1) == 1);
	CHECK(byte == 'y' && close(fd) == 0 && close(pair[0]) == 0);
	notify_let_go("beacond-x");
	CHECK(told("FDSTOREREMOVE=1\nFDNAME=beacond-x"));
	CHECK(notify_keep(-1, "beacond-x") == -1);
	(void)close(pair[1]);
}

/* In a process of its own: reads one message, and lets go of what is in it. */
static pid_t
manager_reads(void)
{
	pid_t pid;
	int fd;

	fflush(stdout);
	pid = fork();
	if (pid != 0)
		return (pid);
	for (;;)
		if (given("BARRIER=1", &fd))
			break;
	_exit(0);
}

static void
manager_is_waited_for(void)
{
	pid_t pid;

	pid = manager_reads();
	CHECK(notify_barrier() == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

int
main(void)
{
	RUN(without_a_manager_nothing_happens);
	RUN(watchdog_of_another_process_is_not_ours);
	RUN(manager_is_told);
	RUN(manager_keeps_and_lets_go);
	RUN(manager_is_waited_for);
	return (test_failed());
}
