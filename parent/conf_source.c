/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/conf_internal.h"
#include "parent/denied.h"

static void complain(struct conf_parser *, const struct conf_place *,
    const char *, va_list) __attribute__((format(printf, 3, 0)));

static void
complain(struct conf_parser *p, const struct conf_place *at, const char *fmt,
    va_list ap)
{
	if (at != NULL)
		fprintf(p->errors, "%s:%d: ", at->file, at->line);
	vfprintf(p->errors, fmt, ap);
	fputc('\n', p->errors);
	p->nerrors++;
}

/* Report an error in the line being read, or before any line was. */
void
conf_error(struct conf_parser *p, const char *fmt, ...)
{
	const struct conf_place *at;
	va_list ap;

	at = NULL;
	if (p->depth > 0)
		at = &p->sources[p->depth - 1].at;
	va_start(ap, fmt);
	complain(p, at, fmt, ap);
	va_end(ap);
}

/* Report an error in a line that was read earlier. */
void
conf_error_at(
    struct conf_parser *p, const struct conf_place *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(p, at, fmt, ap);
	va_end(ap);
}

/*
 * Read from fp next, calling it path in messages.  -1, reported and fp left
 * open: the path is too long or too many files are open.
 */
int
conf_source_push(struct conf_parser *p, FILE *fp, const char *path)
{
	struct conf_source *s;

	if (p->depth == CONF_DEPTH_MAX) {
		conf_error(p, "files include each other more than %d deep",
		    CONF_DEPTH_MAX);
		return (-1);
	}
	s = &p->sources[p->depth];
	memset(s, 0, sizeof(*s));
	if (strlcpy(s->at.file, path, sizeof(s->at.file)) >=
	    sizeof(s->at.file)) {
		conf_error(p, "a file's path is longer than %d bytes",
		    CONF_PATH_MAX - 1);
		return (-1);
	}
	s->fp = fp;
	s->at.line = 1;
	s->next = 1;
	p->depth++;
	return (0);
}

/* The source's file stays open: it belongs to whoever pushed it. */
void
conf_source_pop(struct conf_parser *p)
{
	p->depth--;
}

static int
is_open(const struct conf_parser *p, const struct stat *st)
{
	int i;

	for (i = 0; i < p->depth; i++) {
		if (p->sources[i].dev == st->st_dev &&
		    p->sources[i].ino == st->st_ino)
			return (1);
	}
	return (0);
}

/* Whoever can write the configuration is the daemon: trust no loose mode. */
static int
check_file(struct conf_parser *p, const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		conf_error(p, "%s: not a regular file", path);
	else if (st->st_mode & S_IWOTH)
		conf_error(p, "%s: everyone can write it (chmod o-w it)", path);
	else if (is_open(p, st))
		conf_error(p, "%s: the file includes itself", path);
	else
		return (0);
	return (-1);
}

/* Keeps the name for whoever has to see to it that it can be read again. */
static int
remember(struct conf_parser *p, const char *path)
{
	struct conf_file *file;

	file = calloc(1, sizeof(*file));
	if (file == NULL) {
		conf_error(p, "%s: %s", path, strerror(errno));
		return (-1);
	}
	(void)strlcpy(file->path, path, sizeof(file->path));
	STAILQ_INSERT_TAIL(&p->conf->files, file, entry);
	return (0);
}

/*
 * Open path and read from it next; the caller closes its fp after
 * conf_source_pop().  -1, reported: it can't be opened or is not to be trusted.
 */
int
conf_source_open(struct conf_parser *p, const char *path)
{
	struct stat st;
	FILE *fp;
	int fd;

	fp = NULL;
	/* O_NONBLOCK: a FIFO must not keep the daemon waiting. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) == -1) {
		conf_error(p, "%s: %s%s%s", path, strerror(errno),
		    errno == EACCES ? "; " : "",
		    errno == EACCES ? denied_why(path) : "");
		goto fail;
	}
	if (check_file(p, path, &st) == -1)
		goto fail;
	fp = fdopen(fd, "r");
	if (fp == NULL) {
		conf_error(p, "%s: fdopen: %s", path, strerror(errno));
		goto fail;
	}
	if (remember(p, path) == -1 || conf_source_push(p, fp, path) == -1)
		goto fail;
	p->sources[p->depth - 1].dev = st.st_dev;
	p->sources[p->depth - 1].ino = st.st_ino;
	return (0);

fail:
	if (fp != NULL)
		fclose(fp);
	else if (fd != -1)
		close(fd);
	return (-1);
}
