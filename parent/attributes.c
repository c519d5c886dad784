/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/attributes.h"
#include "common/log.h"
#include "parent/attributes.h"
#include "parent/parent.h"

/* 0, 1 and 2 are never free for something that matters. */
static void
attributes_stdio(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			continue;
		if (errno != EBADF)
			fatal("fcntl GETFD");
		if (open("/dev/null", O_RDWR) != fd)
			fatal("open /dev/null");
	}
}

/*
 * Whoever starts us may run at the lowest priority; the network does not.  One
 * that was raised is somebody's decision, and so is one that we may not raise.
 */
static void
attributes_priority(void)
{
	if (getpriority(PRIO_PROCESS, 0) > 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);
}

/* Before all else; descriptors from 3 on are for inherit_sockets(). */
void
attributes_set(void)
{
	attributes_signals();
	/* What is larger than RLIMIT_FSIZE fails, and that is told. */
	(void)signal(SIGXFSZ, SIG_IGN);
	attributes_stdio();
	(void)umask(077);
	attributes_priority();
}

static int
attributes_relative(const char *path)
{
	return (path[0] != '/' && path[0] != '\0');
}

/*
 * Keeps no file system busy, unless the configuration speaks of the directory
 * that we were started in.
 */
void
attributes_directory(const struct parent *parent)
{
	const struct conf_file *file;

	if (attributes_relative(parent->conf->keys_file) ||
	    attributes_relative(parent->conf->keys_snapshot) ||
	    attributes_relative(parent->conf->keys_cache) ||
	    attributes_relative(parent->conf->blocks_file) ||
	    attributes_relative(parent->conf->control_socket) ||
	    attributes_relative(parent->conf->router_socket))
		return;
	STAILQ_FOREACH(file, &parent->conf->files, entry)
		if (attributes_relative(file->path))
			return;
	if (chdir("/") == -1)
		fatal("chdir /");
}
