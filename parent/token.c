/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/parent.h"

/*
 * Opens the file of the registry's token, still as who started us.  Returns the
 * descriptor, -1 if there is none to be; fatal if it can't be had, or if
 * somebody else could have read or written it.
 */
int
token_open(const char *path)
{
	struct stat st;
	int fd;

	if (path[0] == '\0')
		return (-1);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) == -1)
		fatal("admin token file %s", path);
	if (!S_ISREG(st.st_mode))
		fatalx("admin token file %s: not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		fatalx("admin token file %s: another user's; chown root %s",
		    path, path);
	if ((st.st_mode & 077) != 0)
		fatalx("admin token file %s: not only its owner's; "
		       "chmod 600 %s",
		    path, path);
	return (fd);
}

/* Bytes of the token that begins there, 0 if that is none; n are there. */
static size_t
token_length(const char *text, size_t n)
{
	size_t i, len;

	if (n > 0 && text[n - 1] == '\n')
		n--;
	for (len = i = 0; i < n; i++, len++)
		if (text[i] <= ' ' || text[i] > '~')
			return (0);
	return (len < PROTO_TOKEN_LEN ? len : 0);
}

/* Reads it, and closes it.  Fatal if it is no token. */
void
token_read(int fd, char token[PROTO_TOKEN_LEN])
{
	char text[PROTO_TOKEN_LEN + 2];
	ssize_t n;
	size_t len;

	if (fd == -1)
		return;
	n = read(fd, text, sizeof(text));
	if (n == -1)
		fatal("admin token file");
	(void)close(fd);
	len = token_length(text, (size_t)n);
	if (len == 0)
		fatalx("admin token file: not one line of 1 to %d printable "
		       "characters",
		    PROTO_TOKEN_LEN - 1);
	memcpy(token, text, len);
	token[len] = '\0';
	explicit_bzero(text, sizeof(text));
}
