/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/un.h>

#include <stdint.h>
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

/* And this: something that begins so. */
static int
told_of(const char *text)
{
	char buf[64];
	ssize_t n;

	n = recv(manager, buf, sizeof(buf), 0);
	return (
	    n > (ssize_t)strlen(text) && memcmp(buf, text, strlen(text)) == 0);
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
	CHECK(told_of("RELOADING=1\nMONOTONIC_USEC="));
	notify_watchdog();
	CHECK(told("WATCHDOG=1"));
	notify_stopping();
	CHECK(told("STOPPING=1"));
	CHECK(recv(manager, pid, sizeof(pid), 0) == -1);
}

int
main(void)
{
	RUN(without_a_manager_nothing_happens);
	RUN(watchdog_of_another_process_is_not_ours);
	RUN(manager_is_told);
	return (test_failed());
}
