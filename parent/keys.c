/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/denied.h"
#include "parent/parent.h"

#define KEYS_AGAIN 5 /* seconds */

/*
 * Opens the key file, which auth will read; had: how many keys there are, whose
 * place its own are to take.  Returns the descriptor, or -1 with the reason and
 * the remedy logged.
 */
int
keys_open(const char *path, uint32_t had)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		log_warn("keys file %s: %s", path,
		    errno == ENOENT ? "create it, or set \"keys file\""
				    : denied_why(path));
		return (-1);
	}
	if (fstat(fd, &st) == -1) {
		log_warn("keys file %s", path);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		log_warnx("keys file %s: not a regular file", path);
		goto fail;
	}
	if ((st.st_mode & 022) != 0) {
		log_warnx("keys file %s: others can write to it; "
			  "chmod go-w %s",
		    path, path);
		goto fail;
	}
	/* That is no news but the beginning of one, most likely. */
	if (st.st_size == 0 && had > 0) {
		log_warnx("keys file %s: empty, while there are %u keys; write "
			  "the next one beside it and rename that",
		    path, had);
		goto fail;
	}
	return (fd);
fail:
	(void)close(fd);
	return (-1);
}

static void
keys_tell(const struct parent *parent, struct process *auth, int fd)
{
	struct msg_keys msg;

	memset(&msg, 0, sizeof(msg));
	msg.before = parent->keys > 0;
	(void)strlcpy(msg.path, parent->conf->keys_file, sizeof(msg.path));
	process_send(auth, PA_KEYS, fd, &msg, sizeof(msg));
}

/* Has auth read the key file (anew), which is open as fd. */
void
keys_send_fd(struct parent *parent, int fd)
{
	parent->keys_asked++;
	keys_tell(parent, parent->auth.child, fd);
}

/* For an auth that comes up beside the one that is asked. */
void
keys_show(struct process *auth)
{
	const char *path;
	int fd;

	path = auth->parent->conf->keys_file;
	fd = path[0] == '\0' ? -1 : keys_open(path, auth->parent->keys);
	if (fd != -1)
		keys_tell(auth->parent, auth, fd);
}

/* Opens and sends it.  Returns 0, or -1 if there is one that can't be had. */
int
keys_send(struct parent *parent)
{
	int fd;

	if (parent->conf->keys_file[0] == '\0')
		return (0);

	fd = keys_open(parent->conf->keys_file, parent->keys);
	if (fd == -1)
		return (-1);
	keys_send_fd(parent, fd);
	return (0);
}

/* For auth that has just come up: it has none yet. */
void
keys_begin(struct parent *parent)
{
	parent->keys_asked = 0;
	parent->keys_missed = clock_seconds();
	if (keys_send(parent) == -1)
		log_warnx("no key file: nobody of it can log in until there is "
			  "one");
}

/*
 * Each second.  Whatever was wrong with the file when auth came up is looked at
 * again every KEYS_AGAIN, until auth has read one.
 */
void
keys_again(struct parent *parent)
{
	uint32_t now;

	now = clock_seconds();
	if (parent->keys_missed == 0 || parent->keys_asked > 0 ||
	    now - parent->keys_missed < KEYS_AGAIN ||
	    parent->auth.child == NULL ||
	    parent->auth.child->state != CHILD_RUNNING)
		return;
	parent->keys_missed = now;
	(void)keys_send(parent);
}
