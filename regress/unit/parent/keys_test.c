/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <fcntl.h>

#include "regress/unit/parent/parts.h"

static char path[] = "/tmp/keys_test.XXXXXX";

static int
opens(const char *name)
{
	int fd;

	fd = keys_open(name, 0);
	if (fd != -1)
		(void)close(fd);
	return (fd != -1);
}

/* Whoever can write to it can be any node. */
static void
test_a_file_that_others_can_write(void)
{
	CHECK(chmod(path, 0644) == 0 && opens(path));
	CHECK(chmod(path, 0664) == 0 && !opens(path));
	CHECK(chmod(path, 0646) == 0 && !opens(path));
	CHECK(chmod(path, 0600) == 0 && opens(path));
}

static void
test_what_is_no_file(void)
{
	CHECK(!opens("/nonexistent") && !opens("/tmp") && !opens("/dev/null"));
}

/* While there are keys, it is not what takes their place. */
static void
test_a_file_without_a_byte(void)
{
	int fd;

	CHECK(opens(path) && keys_open(path, 1) == -1);
	fd = open(path, O_WRONLY);
	CHECK(fd != -1 && write(fd, "#", 1) == 1);
	(void)close(fd);
	fd = keys_open(path, 1);
	CHECK(fd != -1);
	(void)close(fd);
}

static void
test_auth_is_sent_what_is_configured(void)
{
	struct msg_keys msg;

	parts_conf.keys_file[0] = '\0';
	CHECK(keys_send(&parent) == 0 && parent.keys_asked == 0);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == -1);
	(void)strlcpy(parts_conf.keys_file, path, sizeof(parts_conf.keys_file));
	CHECK(keys_send(&parent) == 0 && parent.keys_asked == 1);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == 1);
	CHECK(strcmp(msg.path, path) == 0 && msg.before == 0);
	/* Another is shown them, and not asked. */
	parent.keys = 32;
	keys_show(parent.auth.child);
	CHECK(parent.keys_asked == 1);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == 1);
	CHECK(msg.before == 1);
	(void)strlcpy(
	    parts_conf.keys_file, "/nonexistent", sizeof(parts_conf.keys_file));
	CHECK(keys_send(&parent) == -1 && parent.keys_asked == 1);
	keys_show(parent.auth.child);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == -1);
}

/* What auth could not have when it came up it gets as soon as it can. */
static void
test_auth_without_keys_gets_them_later(void)
{
	struct msg_keys msg;

	parent.auth.child->state = CHILD_RUNNING;
	(void)strlcpy(
	    parts_conf.keys_file, "/nonexistent", sizeof(parts_conf.keys_file));
	/* What the one before was asked is void. */
	parent.keys_asked = 3;
	keys_begin(&parent);
	CHECK(parent.keys_asked == 0 && parent.keys_missed != 0);
	(void)strlcpy(parts_conf.keys_file, path, sizeof(parts_conf.keys_file));
	keys_again(&parent);
	CHECK(parent.keys_asked == 0);
	parent.keys_missed -= 5;
	keys_again(&parent);
	CHECK(parent.keys_asked == 1);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == 1);
	/* It has not answered yet; then that it has not read them. */
	parent.keys_missed -= 5;
	keys_again(&parent);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == -1);
	parent.keys_asked = 0;
	keys_again(&parent);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == 1);
	/* It has. */
	parent.keys_asked = parent.keys_missed = 0;
	keys_again(&parent);
	CHECK(parts_told(0, PA_KEYS, &msg, sizeof(msg)) == -1);
}

int
main(void)
{
	if (mkstemp(path) == -1)
		return (1);
	parts_init();
	RUN(test_a_file_that_others_can_write);
	RUN(test_what_is_no_file);
	RUN(test_a_file_without_a_byte);
	RUN(test_auth_is_sent_what_is_configured);
	RUN(test_auth_without_keys_gets_them_later);
	(void)unlink(path);
	return (test_failed());
}
