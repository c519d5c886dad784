/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <limits.h>
#include <string.h>

#include "common/landlock.h"
#include "parent/parent.h"
#include "parent/sandbox.h"

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

/*
 * The directory of a file and not the file: the next version of it will be
 * another file of that name.
 */
static void
sandbox_allow_directory(int ruleset, const char *path, unsigned int access)
{
	char dir[PATH_MAX];
	char *slash;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		return;
	slash = strrchr(dir, '/');
	if (slash == NULL)
		(void)strlcpy(dir, ".", sizeof(dir));
	else
		slash[slash == dir] = '\0';
	landlock_allow(ruleset, dir, access);
}

static void
sandbox_landlock(const struct parent *parent)
{
	size_t i;
	int ruleset;

	ruleset = landlock_new();
	for (i = 0; i < sizeof(sandbox_system) / sizeof(sandbox_system[0]); i++)
		landlock_allow(
		    ruleset, sandbox_system[i].path, sandbox_system[i].access);
	for (i = 0; i < ROLE_MAX; i++)
		landlock_allow_fd(ruleset, parent->programs[i].fd,
		    LANDLOCK_READ | LANDLOCK_EXECUTE);
	/* "-" is standard input, read once. */
	if (strcmp(parent->conf_file, "-") != 0)
		sandbox_allow_directory(
		    ruleset, parent->conf_file, LANDLOCK_READ);
	sandbox_allow_directory(
	    ruleset, parent->conf->keys_file, LANDLOCK_READ);
	sandbox_allow_directory(
	    ruleset, parent->conf->control_socket, LANDLOCK_REMOVE);
	landlock_enter(ruleset);
}

/*
 * Confines the parent, and so every child that it will start, to its files
 * and its system calls.  After everything is opened and bound, and before the
 * first child.  What a reload names must lie in the directories that the
 * configuration and the keys were in at the start.
 */
void
parent_sandbox(const struct parent *parent)
{
	sandbox_landlock(parent);
	sandbox_enter(parent_sandbox_rules, parent_sandbox_nrules);
}
