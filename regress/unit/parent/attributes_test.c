/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>

#include "parent/attributes.h"
#include "regress/unit/parent/parts.h"

static int priority; /* as it was started */
static int set_to = 99;

int
getpriority(__priority_which_t which, id_t who)
{
	return (priority);
}

int
setpriority(__priority_which_t which, id_t who, int to)
{
	set_to = to;
	return (0);
}

/* Ends with 0 if all three are open afterwards, and nothing else is set. */
static void
without_descriptors(void)
{
	(void)close(0);
	(void)close(1);
	(void)close(2);
	attributes_set();
	_exit(fcntl(0, F_GETFD) != -1 && fcntl(1, F_GETFD) != -1 &&
		      fcntl(2, F_GETFD) != -1
		  ? 0
		  : 2);
}

static void
as_it_was_started(void)
{
	struct sigaction action;

	(void)signal(SIGTERM, SIG_IGN);
	(void)umask(0);
	attributes_set();
	if (umask(0) != 077 || sigaction(SIGTERM, NULL, &action) == -1 ||
	    action.sa_handler != SIG_DFL ||
	    sigaction(SIGXFSZ, NULL, &action) == -1 ||
	    action.sa_handler != SIG_IGN)
		_exit(2);
}

static void
test_what_was_inherited_is_set(void)
{
	CHECK(parts_apart(without_descriptors) == 0);
	CHECK(parts_apart(as_it_was_started) == 0);
}

/* A lower one is nobody's wish; a higher one somebody's. */
static void
test_priority(void)
{
	priority = 19;
	attributes_set();
	CHECK(set_to == 0);
	set_to = 99;
	priority = -5;
	attributes_set();
	CHECK(set_to == 99);
	priority = 0;
	attributes_set();
	CHECK(set_to == 99);
}

static int
leaves_the_directory(void)
{
	char at[1000];

	if (chdir("/tmp") == -1)
		abort();
	attributes_directory(&parent);
	return (strcmp(getcwd(at, sizeof(at)), "/") == 0);
}

static void
test_the_directory_is_left_unless_it_is_needed(void)
{
	static struct conf_file file = { .path = "/etc/beacond.conf" };
	char *const paths[] = { parts_conf.keys_file, parts_conf.keys_snapshot,
		parts_conf.keys_cache, parts_conf.blocks_file,
		parts_conf.control_socket, parts_conf.router_socket };
	size_t i;

	STAILQ_INSERT_TAIL(&parts_conf.files, &file, entry);
	CHECK(leaves_the_directory());
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		strlcpy(paths[i], "it", 3);
		CHECK(!leaves_the_directory());
		strlcpy(paths[i], "/it", 4);
		CHECK(leaves_the_directory());
	}
	(void)strlcpy(file.path, "beacond.conf", sizeof(file.path));
	CHECK(!leaves_the_directory());
}

int
main(void)
{
	parts_init();
	RUN(test_what_was_inherited_is_set);
	RUN(test_priority);
	RUN(test_the_directory_is_left_unless_it_is_needed);
	return (test_failed());
}
