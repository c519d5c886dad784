/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/inherit.h"
#include "parent/local_socket.h"

static void
local_socket_open(struct local_socket *s)
{
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		fatal("%s: socket", s->what);
}

/*
 * Before anything is touched: is another beacond alive behind it?  What a dead
 * one has left there is removed.  `what` is the directive that names it.
 */
void
local_socket_clear(struct local_socket *s, const char *what, const char *path)
{
	struct stat st;

	s->what = what;
	s->sun.sun_family = AF_UNIX;
	if (strlcpy(s->sun.sun_path, path, sizeof(s->sun.sun_path)) >=
	    sizeof(s->sun.sun_path))
		fatalx("%s %s: the path is longer than %zu bytes", what, path,
		    sizeof(s->sun.sun_path) - 1);
	/* Of another parent that goes: nobody notices. */
	s->fd = inherit_take_local(&s->sun);
	if (s->fd != -1)
		return;
	local_socket_open(s);
	if (connect(s->fd, (void *)&s->sun, sizeof(s->sun)) == 0 ||
	    errno == EAGAIN)
		fatalx("already running: it answers on %s", path);
	(void)close(s->fd);
	s->fd = -1;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
}

/* Binds it, with what the mask leaves; fatal with the remedy if that fails. */
void
local_socket_bind(struct local_socket *s, mode_t mask, int backlog)
{
	mode_t before;
	int error;

	if (s->fd != -1)
		return;
	local_socket_open(s);
	before = umask(mask);
	error = bind(s->fd, (void *)&s->sun, sizeof(s->sun));
	if (error == -1)
		fatal("%s %s: bind: %s%s%s", s->what, s->sun.sun_path,
		    errno == EADDRINUSE
			? "remove the file of that name, or set \""
			: "its directory must exist and be ours to write to",
		    errno == EADDRINUSE ? s->what : "",
		    errno == EADDRINUSE ? "\"" : "");
	(void)umask(before);
	if (listen(s->fd, backlog) == -1)
		fatal("%s %s: listen", s->what, s->sun.sun_path);
}

/*
 * Closes it and removes its name.  Without rights to the directory the name
 * stays, and the next start removes it.
 */
void
local_socket_remove(struct local_socket *s)
{
	(void)close(s->fd);
	(void)unlink(s->sun.sun_path);
}
