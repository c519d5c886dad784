/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "parent/newfile.h"

/* What is written takes the name of the file when it is whole; until then: */
void
newfile_path(const char *path, char new[CONF_PATH_MAX])
{
	(void)strlcpy(new, path, CONF_PATH_MAX);
	(void)strlcat(new, CONF_NEW, CONF_PATH_MAX);
}

/* The next version of path, to be renamed to it.  -1 with errno. */
int
newfile_create(const char *path, char new[CONF_PATH_MAX])
{
	newfile_path(path, new);
	(void)unlink(new);
	return (open(
	    new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
}

/* Could it be written, as who we are?  "" always; -1 with errno. */
int
newfile_prove(const char *path)
{
	char new[CONF_PATH_MAX];
	int fd;

	if (path[0] == '\0')
		return (0);
	fd = newfile_create(path, new);
	if (fd == -1)
		return (-1);
	(void)close(fd);
	(void)unlink(new);
	return (0);
}

/*
 * The version of an earlier run, for reading: at most so many bytes that nobody
 * else has written.  -1 with the reason in *why; NULL: there is none.
 */
int
newfile_open(const char *path, uint64_t most, const char **why)
{
	struct stat st;
	int fd;

	*why = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd == -1 && errno == ENOENT)
		return (-1);
	if (fd == -1 || fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 022) != 0 ||
		 (st.st_uid != 0 && st.st_uid != geteuid()))
		*why = "not a file that we have written";
	else if ((uint64_t)st.st_size > most)
		*why = "too large";
	else
		return (fd);
	if (fd != -1)
		(void)close(fd);
	return (-1);
}
