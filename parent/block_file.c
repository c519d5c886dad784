/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "parent/block.h"
#include "parent/newfile.h"
#include "parent/parent.h"

/*
 * The blocks as a file keeps them over a restart, a line each:
 *
 *	node 7 until 0
 *	network 192.0.2.0/24 until 1790000000
 *
 * in unix seconds; 0: for ever.  Written whole at each change, beside the old
 * one, whose place it then takes; and read with as little trust as if somebody
 * else had written it.
 */
#define BLOCK_FILE_MAX (BLOCKS_MAX * 128UL) /* bytes */

static const char *
block_file_path(const struct parent *parent)
{
	return (parent->conf_start->blocks_file);
}

/* "node 7" or "network 192.0.2.0/24".  Returns text. */
const char *
block_file_text(const struct block *block, char text[BLOCK_TEXT_LEN])
{
	char net[ADDRESS_TEXT_LEN];

	if (block->prefix == BLOCKS_NODE)
		(void)snprintf(
		    text, BLOCK_TEXT_LEN, "node %u", block_number(block));
	else
		(void)snprintf(text, BLOCK_TEXT_LEN, "network %s",
		    address_network_text(block->addr, block->prefix, net));
	return (text);
}

static void
block_file_write(const struct parent *parent, FILE *stream)
{
	const struct block *block;
	char text[BLOCK_TEXT_LEN];
	unsigned long until;
	uint32_t i;

	for (i = 0; i < parent->blocks->count; i++) {
		block = &parent->blocks->at[i];
		until = block->until == 0 ? 0 : clock_wall_at(block->until);
		(void)fprintf(stream, "%s until %lu\n",
		    block_file_text(block, text), until);
	}
}

static int
block_file_failed(const char *path, const char *what)
{
	log_warn("blocks file %s: %s", path, what);
	return (-1);
}

/* Returns 0, also if there is no such file; or -1 with the reason logged. */
int
block_file_save(const struct parent *parent)
{
	char new[CONF_PATH_MAX];
	const char *path;
	FILE *stream;
	int failed, fd;

	path = block_file_path(parent);
	if (path[0] == '\0')
		return (0);
	fd = newfile_create(path, new);
	if (fd == -1)
		return (block_file_failed(path, "create"));
	stream = fdopen(fd, "w");
	if (stream == NULL) {
		(void)close(fd);
		return (block_file_failed(path, "open"));
	}
	block_file_write(parent, stream);
	/* What did not get written shows at the end, if not before. */
	failed = fflush(stream) == EOF || ferror(stream);
	if (fclose(stream) == EOF)
		failed = 1;
	if (failed || rename(new, path) == -1) {
		(void)block_file_failed(path, "write");
		(void)unlink(new);
		return (-1);
	}
	return (0);
}

/* What is blocked.  Returns 0, or -1 if the words name nothing. */
static int
block_file_key(struct block *key, const char *kind, const char *what)
{
	const char *errstr;
	uint32_t node;

	if (strcmp(kind, "network") == 0)
		return (address_network_parse(what, key->addr, &key->prefix)
			    ? 0
			    : -1);
	node = (uint32_t)strtonum(what, 1, UINT32_MAX, &errstr);
	if (strcmp(kind, "node") != 0 || errstr != NULL)
		return (-1);
	blocks_node(key->addr, node);
	key->prefix = BLOCKS_NODE;
	return (0);
}

/* Returns 0, or -1 if the line is none of ours. */
static int
block_file_parse(char *line, struct block *key, uint64_t *until)
{
	const char *errstr, *kind, *what, *word, *when;

	kind = strsep(&line, " ");
	what = strsep(&line, " ");
	word = strsep(&line, " ");
	when = strsep(&line, "\n");
	if (when == NULL || line == NULL || *line != '\0' ||
	    strcmp(word, "until") != 0)
		return (-1);
	*until = (uint64_t)strtonum(when, 0, INT64_MAX, &errstr);
	return (errstr == NULL ? block_file_key(key, kind, what) : -1);
}

/* Returns 0, also if its time is over; or -1 if it is none, or one too many. */
static int
block_file_line(struct parent *parent, char *line)
{
	struct block *block, key;
	uint64_t now, until;

	if (block_file_parse(line, &key, &until) == -1)
		return (-1);
	now = clock_wall();
	if (until != 0 && until <= now)
		return (0);
	if (until > now + CTL_BLOCK_SECONDS_MAX)
		return (-1);
	block = blocks_find(parent->blocks, key.addr, key.prefix);
	if (block == NULL)
		block = blocks_add(parent->blocks, key.addr, key.prefix);
	if (block == NULL)
		return (-1);
	block->until =
	    until == 0 ? 0 : clock_seconds() + (uint32_t)(until - now);
	return (0);
}

static void
block_file_lines(struct parent *parent, FILE *stream)
{
	char *line;
	size_t size;
	int number;

	line = NULL;
	size = 0;
	for (number = 1; getline(&line, &size, stream) != -1; number++)
		if (block_file_line(parent, line) == -1)
			log_warnx("blocks file %s:%d: no block, skipped",
			    block_file_path(parent), number);
	free(line);
}

/* At the start.  Fatal if others could have written it, or it can't be read. */
void
block_file_load(struct parent *parent)
{
	const char *path, *why;
	FILE *stream;
	int fd;

	path = block_file_path(parent);
	if (path[0] == '\0')
		return;
	fd = newfile_open(path, BLOCK_FILE_MAX, &why);
	if (fd == -1 && why != NULL)
		shutdown_fatal(parent,
		    "blocks file %s: %s; mend or remove it, and block anew",
		    path, why);
	if (fd == -1)
		return;
	stream = fdopen(fd, "r");
	if (stream == NULL)
		shutdown_fatal(
		    parent, "blocks file %s: %s", path, strerror(errno));
	block_file_lines(parent, stream);
	(void)fclose(stream);
	log_info("%u blocks read from %s", parent->blocks->count, path);
}
