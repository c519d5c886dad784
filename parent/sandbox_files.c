/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/landlock.h"
#include "common/log.h"
#include "parent/newfile.h"
#include "parent/parent.h"
#include "parent/sandbox.h"

#define SANDBOX_LINKS_MAX 40 /* as many as the kernel follows */

/* Without the loader and the libraries no program starts. */
static const struct {
	const char *path;
	unsigned int access;
} sandbox_system[] = {
	{ "/lib", LANDLOCK_READ | LANDLOCK_EXECUTE },
	{ "/lib64", LANDLOCK_READ | LANDLOCK_EXECUTE },
	{ "/usr/lib", LANDLOCK_READ | LANDLOCK_EXECUTE },
	{ "/usr/lib64", LANDLOCK_READ | LANDLOCK_EXECUTE },
	{ "/usr/local/lib", LANDLOCK_READ },
	{ "/etc/ld.so.cache", LANDLOCK_READ },
	{ "/etc/ld.so.preload", LANDLOCK_READ },
};

/* Bytes of path up to the name of the file: "/etc/", "keys/", "". */
static size_t
sandbox_directory(const char *path)
{
	const char *slash;

	slash = strrchr(path, '/');
	return (slash == NULL ? 0 : (size_t)(slash - path) + 1);
}

/*
 * The directory of a file and not the file: the next version of it will be
 * another file of that name.
 */
static void
sandbox_allow_directory(int ruleset, const char *path, unsigned int access)
{
	char dir[PATH_MAX];

	(void)snprintf(
	    dir, sizeof(dir), "%.*s.", (int)sandbox_directory(path), path);
	landlock_allow(ruleset, dir, access);
}

/*
 * What the symbolic link at path points to, in the place of path.  Returns 0,
 * or -1 if it is none (or leads where no name is long enough for).
 */
static int
sandbox_follow(char path[PATH_MAX])
{
	char target[PATH_MAX];
	size_t dir;
	ssize_t n;

	n = readlink(path, target, sizeof(target) - 1);
	if (n == -1)
		return (-1);
	target[n] = '\0';
	dir = target[0] == '/' ? 0 : sandbox_directory(path);
	return (strlcpy(path + dir, target, PATH_MAX - dir) >= PATH_MAX - dir
		    ? -1
		    : 0);
}

/*
 * A file that is read again at a reload, by whatever links: Landlock looks at
 * where a file really lies, and so each link's directory counts for itself.
 */
static void
sandbox_allow_file(int ruleset, const char *name)
{
	char path[PATH_MAX];
	int links;

	if (strlcpy(path, name, sizeof(path)) >= sizeof(path))
		return;
	links = 0;
	do
		sandbox_allow_directory(ruleset, path, LANDLOCK_READ);
	while (links++ < SANDBOX_LINKS_MAX && sandbox_follow(path) == 0);
}

/*
 * A file that is written anew, if there is to be one.  Fatal only if it never
 * could be: a disk may be full today, and nothing but this file needs it.
 */
static void
sandbox_prove_new(struct parent *parent, const char *what, const char *path)
{
	if (newfile_prove(path) == 0)
		return;
	if (errno == EACCES || errno == EPERM || errno == ENOENT)
		shutdown_fatal(parent,
		    "%s %s: %s; our user must be allowed to write to its "
		    "directory",
		    what, path, strerror(errno));
	log_warn("%s %s: not written before its file system takes it; mend "
		 "that, or name another",
	    what, path);
}

/*
 * Can all that a reload reads be read again, as who we are now and as the
 * sandbox has it?  Better to hear of it now.
 */
static void
sandbox_prove(struct parent *parent)
{
	const struct conf_file *file;
	int fd;

	STAILQ_FOREACH(file, &parent->conf->files, entry) {
		fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd == -1)
			shutdown_fatal(parent,
			    "%s: a reload could not read it again: %s; our "
			    "user must be allowed to read it",
			    file->path, strerror(errno));
		(void)close(fd);
	}
	sandbox_prove_new(parent, "keys cache", parent->conf->keys_cache);
	sandbox_prove_new(parent, "blocks file", parent->conf->blocks_file);
	if (parent->conf->keys_file[0] == '\0')
		return;
	fd = keys_open(parent->conf->keys_file, 0);
	if (fd == -1)
		shutdown_fatal(parent, "no key file");
	(void)close(fd);
}

static void
sandbox_landlock(const struct parent *parent)
{
	const struct conf_file *file;
	size_t i;
	int ruleset;

	/* A reload may bring a listener at whatever port. */
	ruleset = landlock_new(LANDLOCK_BIND);
	for (i = 0; i < sizeof(sandbox_system) / sizeof(sandbox_system[0]); i++)
		landlock_allow(
		    ruleset, sandbox_system[i].path, sandbox_system[i].access);
	for (i = ROLE_PARENT + 1; i < ROLE_MAX; i++)
		sandbox_allow_directory(ruleset, parent->programs[i].path,
		    LANDLOCK_READ | LANDLOCK_EXECUTE);
	STAILQ_FOREACH(file, &parent->conf->files, entry)
		sandbox_allow_file(ruleset, file->path);
	if (parent->conf->keys_file[0] != '\0')
		sandbox_allow_file(ruleset, parent->conf->keys_file);
	if (parent->conf->keys_snapshot[0] != '\0')
		sandbox_allow_file(ruleset, parent->conf->keys_snapshot);
	if (parent->conf->keys_cache[0] != '\0')
		sandbox_allow_directory(ruleset, parent->conf->keys_cache,
		    LANDLOCK_READ | LANDLOCK_CREATE);
	if (parent->conf->blocks_file[0] != '\0')
		sandbox_allow_directory(ruleset, parent->conf->blocks_file,
		    LANDLOCK_READ | LANDLOCK_CREATE);
	if (parent->conf->registry.port != 0)
		landlock_allow_connect(
		    ruleset, (uint16_t)parent->conf->registry.port);
	sandbox_allow_directory(
	    ruleset, parent->conf->control_socket, LANDLOCK_REMOVE);
	if (parent->conf->router_socket[0] != '\0')
		sandbox_allow_directory(
		    ruleset, parent->conf->router_socket, LANDLOCK_REMOVE);
	landlock_enter(ruleset);
}

/*
 * Confines the parent, and so every child that it will start, to its files.
 * Those of a reload must lie in the directories that the configuration and the
 * keys were in at the start.  Fatal if one could not be read again, or may not
 * be written.
 */
void
parent_sandbox_files(struct parent *parent)
{
	/* Read once; the log tells local time. */
	tzset();
	sandbox_landlock(parent);
	sandbox_prove(parent);
}

/*
 * And to its system calls.  After everything is opened and bound, and before
 * the first child.
 */
void
parent_sandbox(void)
{
	sandbox_enter(parent_sandbox_rules, parent_sandbox_nrules);
}
