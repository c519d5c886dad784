/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>
#include <sys/wait.h>

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "parent/block.h"
#include "parent/parent.h"
#include "regress/unit/test.h"

static struct parent parent;
static char dir[] = "/tmp/block_file_test.XXXXXX";
static char path[sizeof(dir) + 16];

/* In the place of shutdown.c's. */
void
shutdown_fatal(struct parent *p, const char *fmt, ...)
{
	_exit(9);
}

static void
add(const char *text, uint32_t node, uint32_t until)
{
	struct block block;

	if (text != NULL)
		CHECK(address_network_parse(text, block.addr, &block.prefix));
	else {
		blocks_node(block.addr, node);
		block.prefix = BLOCKS_NODE;
	}
	blocks_add(parent.blocks, block.addr, block.prefix)->until = until;
}

static void
load(void)
{
	free(parent.blocks);
	parent.blocks = blocks_new();
	block_file_load(&parent);
}

static void
spoil(const char *text, mode_t mode)
{
	FILE *fp;

	(void)unlink(path);
	fp = fopen(path, "w");
	CHECK(fp != NULL && fputs(text, fp) != EOF && fclose(fp) == 0);
	CHECK(chmod(path, mode) == 0);
}

static int
has(const char *text)
{
	uint8_t net[16];
	uint32_t prefix;

	return (address_network_parse(text, net, &prefix) &&
		blocks_find(parent.blocks, net, prefix) != NULL);
}

static void
what_is_written_is_read(void)
{
	struct stat st;
	uint8_t addr[16];
	uint32_t until;

	load();
	CHECK(parent.blocks->count == 0);
	add("192.0.2.0/24", 0, 0);
	add("2001:db8::/32", 0, clock_seconds() + 100);
	add("0.0.0.0/0", 0, 0);
	add("::/0", 0, 0);
	add(NULL, 4294967295U, 0);
	CHECK(block_file_save(&parent) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	load();
	CHECK(parent.blocks->count == 5);
	CHECK(has("192.0.2.0/24") && has("0.0.0.0/0") && has("::/0"));
	CHECK(blocks_has_node(parent.blocks, 4294967295U));
	CHECK(address_network_parse("2001:db8::/32", addr, &until));
	until = blocks_find(parent.blocks, addr, until)->until;
	CHECK(until - clock_seconds() - 98 <= 3);
}

static void
what_is_over_or_wrong_is_left_out(void)
{
	spoil("node 1 until 0\nnode 2 until 1\nnode 0 until 0\n"
	      "node 3 until 99999999999\nnode 4 until\nnode 5\n\n"
	      "network 10.0.0.0/8 until 0\nnetwork 10.0.0.0/64 until 0\n"
	      "network x until 0\nnode 6 until 0 \nnode 7 til 0\n"
	      "node 8 until 0",
	    0600);
	load();
	CHECK(parent.blocks->count == 2);
	CHECK(blocks_has_node(parent.blocks, 1) && has("10.0.0.0/8"));
}

/* Returns the exit status of a start. */
static int
start(void)
{
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		load();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return (-1);
	return (WEXITSTATUS(status));
}

static void
what_others_may_write_is_not_read(void)
{
	spoil("node 1 until 0\n", 0622);
	CHECK(start() == 9);
	spoil("node 1 until 0\n", 0644);
	CHECK(start() == 0);
	(void)unlink(path);
	CHECK(symlink("/dev/null", path) == 0 && start() == 9);
	(void)unlink(path);
	CHECK(mkdir(path, 0700) == 0 && start() == 9);
	/* Nor can one be written in its place, which is said. */
	CHECK(block_file_save(&parent) == -1);
	CHECK(rmdir(path) == 0 && start() == 0);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/blocks", dir);
	parent.conf = conf_new();
	parent.conf_start = parent.conf;
	(void)strlcpy(parent.conf->blocks_file, path, CONF_PATH_MAX);
	RUN(what_is_written_is_read);
	RUN(what_is_over_or_wrong_is_left_out);
	RUN(what_others_may_write_is_not_read);
	(void)unlink(path);
	(void)rmdir(dir);
	return (test_failed());
}
