/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/token.h"

/*
 * Opens the file; owner: whose it may be but root's.  Returns the descriptor,
 * or -1 with the reason in *why: it can't be had, or somebody else could have
 * read or written it.
 */
static int
token_find(const char *path, uid_t owner, const char **why)
{
	struct stat st;
	int fd;

	*why = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "not a regular file";
	else if (st.st_uid != 0 && st.st_uid != owner)
		*why = "another user's; chown root";
	else if ((st.st_mode & 077) != 0)
		*why = "not only its owner's; chmod 600";
	else
		return (fd);
	if (fd != -1)
		(void)close(fd);
	return (-1);
}

/*
 * Opens the file of the registry's token, still as who started us.  Returns the
 * descriptor, -1 if there is none to be; fatal if it is not as it should be.
 */
int
token_open(const char *path)
{
	const char *why;
	int fd;

	if (path[0] == '\0')
		return (-1);
	fd = token_find(path, geteuid(), &why);
	if (fd == -1)
		fatalx("admin token file %s: %s", path, why);
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

/* Reads it, and closes it.  NULL, or why it is no token. */
static const char *
token_take(int fd, char token[PROTO_TOKEN_LEN])
{
	char text[PROTO_TOKEN_LEN + 2];
	const char *why;
	ssize_t n;
	size_t len;

	n = read(fd, text, sizeof(text));
	why = n == -1 ? strerror(errno) : NULL;
	(void)close(fd);
	if (why != NULL)
		return (why);
	len = token_length(text, (size_t)n);
	memcpy(token, text, len);
	token[len] = '\0';
	explicit_bzero(text, sizeof(text));
	return (
	    len == 0 ? "not one line of 1 to 127 printable characters" : NULL);
}

/* Likewise, if there is one; fatal if it is no token. */
void
token_read(int fd, char token[PROTO_TOKEN_LEN])
{
	const char *why;

	why = fd == -1 ? NULL : token_take(fd, token);
	if (why != NULL)
		fatalx("admin token file: %s", why);
}

/*
 * What a start would find wrong with it; NULL: nothing.  owner: as whom it may
 * be started.
 */
const char *
token_wrong(const char *path, uid_t owner)
{
	char token[PROTO_TOKEN_LEN];
	const char *why;
	int fd;

	fd = token_find(path, owner, &why);
	if (fd == -1)
		return (why);
	why = token_take(fd, token);
	explicit_bzero(token, sizeof(token));
	return (why);
}

_Static_assert(PROTO_TOKEN_LEN == 128, "token_take() says another length");
