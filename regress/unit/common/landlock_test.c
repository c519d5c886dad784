/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>

#include "common/landlock.h"

#include "regress/unit/sandbox_acts.h"

static char dir[] = "/tmp/landlock-XXXXXX";
static char file[64], inner[64], script[64];
static int opened, listener, abstract;
static struct sockaddr_in address;
static struct sockaddr_un name;
static socklen_t namelen;

static void
deny_all(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	landlock_deny_all();
}

/* Reading in dir, as the parent reads its configuration. */
static void
allow_read(void)
{
	int ruleset;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ruleset = landlock_new(0);
	landlock_allow(ruleset, dir, LANDLOCK_READ);
	landlock_allow(ruleset, "/nonexistent", LANDLOCK_READ);
	landlock_enter(ruleset);
}

static void
allow_remove(void)
{
	int ruleset;

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ruleset = landlock_new(0);
	landlock_allow(ruleset, dir, LANDLOCK_REMOVE);
	landlock_enter(ruleset);
}

static int
act_read(const void *path)
{
	return (open(path, O_RDONLY) == -1 ? -1 : 0);
}

static int
act_write(const void *path)
{
	return (open(path, O_WRONLY) == -1 ? -1 : 0);
}

static int
act_create(const void *path)
{
	return (open(path, O_CREAT | O_WRONLY | O_EXCL, 0600) == -1 ? -1 : 0);
}

static int
act_list(const void *path)
{
	return (open(path, O_RDONLY | O_DIRECTORY) == -1 ? -1 : 0);
}

static int
act_truncate(const void *path)
{
	return (truncate(path, 0));
}

static int
act_unlink(const void *path)
{
	return (unlink(path));
}

static int
act_rename(const void *path)
{
	return (rename(path, "/tmp/landlock-moved"));
}

static int
act_execute(const void *path)
{
	return (execl(path, path, (char *)NULL));
}

static int
act_device(const void *path)
{
	return (open(path, O_RDWR) == -1 ? -1 : 0);
}

static int
act_bind(const void *arg)
{
	struct sockaddr_in any;
	int fd;

	memset(&any, 0, sizeof(any));
	any.sin_family = AF_INET;
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	return (bind(fd, (struct sockaddr *)&any, sizeof(any)));
}

static int
act_connect(const void *arg)
{
	int fd;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	return (connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int
act_abstract(const void *arg)
{
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return (connect(fd, (struct sockaddr *)&name, namelen));
}

static int
act_signal(const void *arg)
{
	return (kill(getppid(), 0));
}

static int
act_signal_self(const void *arg)
{
	return (kill(getpid(), 0));
}

/* What was opened before stays open. */
static int
act_opened(const void *arg)
{
	char c;

	return (pread(opened, &c, 1, 0) == 1 ? 0 : -1);
}

static void
prepare_files(void)
{
	FILE *fp;

	if (mkdtemp(dir) == NULL)
		exit(1);
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	(void)snprintf(inner, sizeof(inner), "%s/inner", dir);
	(void)snprintf(script, sizeof(script), "%s/script", dir);
	fp = fopen(script, "w");
	if (fp == NULL || fputs("#!/bin/true\n", fp) == EOF ||
	    fclose(fp) == EOF || chmod(script, 0755) == -1)
		exit(1);
	fp = fopen(file, "w");
	if (fp == NULL || fputs("text", fp) == EOF || fclose(fp) == EOF)
		exit(1);
	opened = open(file, O_RDONLY);
	if (opened == -1)
		exit(1);
}

static void
prepare_sockets(void)
{
	socklen_t len;

	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof(address);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ==
		-1 ||
	    listen(listener, 8) == -1 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) == -1)
		exit(1);
	/* An address of the kernel's choice is abstract. */
	name.sun_family = AF_UNIX;
	namelen = sizeof(name.sun_family);
	abstract = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(abstract, (struct sockaddr *)&name, namelen) == -1 ||
	    listen(abstract, 8) == -1)
		exit(1);
	namelen = sizeof(name);
	if (getsockname(abstract, (struct sockaddr *)&name, &namelen) == -1)
		exit(1);
}

static void
nothing(void)
{
}

static void
kernel_has_landlock(void)
{
	int ruleset;

	ruleset = landlock_new(0);
#ifdef SANDBOX_NONE
	CHECK(ruleset == -1);
#else
	CHECK(ruleset != -1);
	CHECK(close(ruleset) == 0);
#endif
}

/* Each of them would work without Landlock, or its test would prove nothing. */
static void
run_free(void)
{
	act_role = "free";
	act_enter = nothing;
	act_run("read", ACT_LIVES, act_read, file);
	act_run("list", ACT_LIVES, act_list, dir);
	act_run("execute", ACT_LIVES, act_execute, script);
	act_run("device", ACT_LIVES, act_device, "/dev/null");
	act_run("bind", ACT_LIVES, act_bind, NULL);
	act_run("connect", ACT_LIVES, act_connect, NULL);
	act_run("abstract", ACT_LIVES, act_abstract, NULL);
	act_run("signal", ACT_LIVES, act_signal, NULL);
}

static void
run_denied(void)
{
	act_role = "denied";
	act_enter = deny_all;
	act_run("read", EACCES, act_read, file);
	act_run("write", EACCES, act_write, file);
	act_run("create", EACCES, act_create, inner);
	act_run("list", EACCES, act_list, dir);
	act_run("truncate", EACCES, act_truncate, file);
	act_run("unlink", EACCES, act_unlink, file);
	act_run("rename", EACCES, act_rename, file);
	act_run("execute", EACCES, act_execute, script);
	act_run("device", EACCES, act_device, "/dev/null");
	act_run("bind", EACCES, act_bind, NULL);
	act_run("connect", EACCES, act_connect, NULL);
	act_run("abstract", EPERM, act_abstract, NULL);
	act_run("signal", EPERM, act_signal, NULL);
	act_run("signal_self", ACT_LIVES, act_signal_self, NULL);
	act_run("opened", ACT_LIVES, act_opened, NULL);
}

static void
run_allowed(void)
{
	act_role = "reader";
	act_enter = allow_read;
	act_run("read", ACT_LIVES, act_read, file);
	act_run("read_elsewhere", EACCES, act_read, "/etc/passwd");
	act_run("write", EACCES, act_write, file);
	act_run("unlink", EACCES, act_unlink, file);
	act_run("execute", EACCES, act_execute, script);
	act_role = "remover";
	act_enter = allow_remove;
	act_run("read", EACCES, act_read, file);
	act_run("create", EACCES, act_create, inner);
	act_run("unlink", ACT_LIVES, act_unlink, file);
}

int
main(void)
{
	prepare_files();
	prepare_sockets();
	RUN(kernel_has_landlock);
	run_free();
	run_denied();
	run_allowed();
	(void)unlink(file);
	(void)unlink(script);
	(void)rmdir(dir);
	return (test_failed());
}
