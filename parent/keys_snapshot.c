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
#include "parent/parent.h"

static int
keys_snapshot_same(const struct stat *a, const struct stat *b)
{
	return (a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
		a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec);
}

/* Said once, until it can be had again. */
static void
keys_snapshot_cannot(struct keys_snapshot *s, const char *path, const char *why)
{
	if (!s->said)
		log_warnx("keys snapshot %s: %s", path, why);
	s->said = 1;
}

/* As keys_open(), of a file that may come and go.  -1: it can't be had. */
static int
keys_snapshot_open(struct keys_snapshot *s, const char *path, struct stat *st)
{
	const char *why;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, st) == -1)
		why = errno == EACCES ? "our user must be allowed to read it"
				      : strerror(errno);
	else if (!S_ISREG(st->st_mode))
		why = "not a regular file";
	else if ((st->st_mode & 022) != 0)
		why = "others can write to it";
	else {
		s->said = 0;
		return (fd);
	}
	keys_snapshot_cannot(s, path, why);
	if (fd != -1)
		(void)close(fd);
	return (-1);
}

/* When the file was written, by clock_seconds(); never 0. */
static uint32_t
keys_snapshot_written(const struct stat *st)
{
	uint64_t age, now;

	now = clock_wall();
	age = 0;
	if (st->st_mtim.tv_sec > 0 && (uint64_t)st->st_mtim.tv_sec < now)
		age = now - (uint64_t)st->st_mtim.tv_sec;
	return (age < clock_seconds() ? clock_seconds() - (uint32_t)age : 1);
}

static void
keys_snapshot_send(
    struct process *auth, int fd, const char *path, const struct stat *st)
{
	struct msg_snapshot msg;

	memset(&msg, 0, sizeof(msg));
	(void)strlcpy(msg.path, path, sizeof(msg.path));
	msg.written = keys_snapshot_written(st);
	process_send(auth, PA_SNAPSHOT, fd, &msg, sizeof(msg));
}

/* Has auth read it, if it is another one than auth has read. */
static void
keys_snapshot_look(struct keys_snapshot *s)
{
	const char *path;
	struct stat st;
	int fd;

	path = s->parent->conf_start->keys_snapshot;
	if (s->asked || s->parent->stopping || clock_ns() < s->next)
		return;
	if (stat(path, &st) == 0 && keys_snapshot_same(&st, &s->read))
		return;
	fd = keys_snapshot_open(s, path, &st);
	if (fd == -1)
		return;
	s->read = st;
	s->asked = 1;
	s->began = clock_ns();
	keys_snapshot_send(s->parent->auth.child, fd, path, &s->read);
}

static void
keys_snapshot_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keys_snapshot *s;

	s = w->data;
	/* An auth that is being started is told then. */
	if (s->parent->auth.child != NULL)
		keys_snapshot_look(s);
}

/* Once, with the loop at hand. */
void
keys_snapshot_init(struct parent *parent)
{
	struct keys_snapshot *s;

	s = &parent->snapshot;
	s->parent = parent;
	if (parent->conf_start->keys_snapshot[0] == '\0')
		return;
	ev_timer_init(
	    &s->look, keys_snapshot_timer, SNAPSHOT_LOOK, SNAPSHOT_LOOK);
	s->look.data = s;
	ev_timer_start(parent->loop, &s->look);
}

/* For an auth that was just started: before it begins. */
void
keys_snapshot_introduce(struct process *auth)
{
	struct keys_snapshot *s;

	s = &auth->parent->snapshot;
	memset(&s->read, 0, sizeof(s->read));
	s->asked = 0;
	s->next = 0;
	if (auth->parent->conf_start->keys_snapshot[0] != '\0')
		keys_snapshot_look(s);
}

/* For one that comes up beside the one that is asked. */
void
keys_snapshot_show(struct process *auth)
{
	const char *path;
	struct stat st;
	int fd;

	path = auth->parent->conf_start->keys_snapshot;
	if (path[0] == '\0')
		return;
	fd = keys_snapshot_open(&auth->parent->snapshot, path, &st);
	if (fd != -1)
		keys_snapshot_send(auth, fd, path, &st);
}

/*
 * Auth has read it, or has not.  Returns NULL, or in what way it broke the
 * rules.
 */
const char *
keys_snapshot_answer(
    struct parent *parent, const struct msg_snapshot_read *answer)
{
	struct keys_snapshot *s;
	uint64_t now;

	s = &parent->snapshot;
	if (!s->asked)
		return ("a snapshot that it was not given");
	if (answer->result > KEYS_SUPERSEDED)
		return ("a snapshot with a result that there is not");
	s->asked = 0;
	now = clock_ns();
	s->next = now + (now - s->began) * SNAPSHOT_PAUSE;
	if (answer->result != KEYS_READ)
		return (NULL);
	if (answer->keys != s->keys || answer->bad != s->bad)
		log_info("%u keys read from snapshot %s, %u entries skipped",
		    answer->keys, parent->conf_start->keys_snapshot,
		    answer->bad);
	s->keys = answer->keys;
	s->bad = answer->bad;
	/* Who was let in so far may have gone. */
	parent->keys_generation = parent->map.generation;
	return (NULL);
}
