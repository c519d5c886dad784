/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>

#include "regress/unit/parent/parts.h"

/* What cannot be bound, and the remedy that is told. */

static struct conf_address lines[2];
static int error;
static char said[2000];

const char *
listen_failed_call(void)
{
	return ("bind");
}

static void
address(int i, const char *text, uint16_t port)
{
	struct sockaddr_in6 *six;
	struct sockaddr_in *four;

	memset(&lines[i].ss, 0, sizeof(lines[i].ss));
	six = (void *)&lines[i].ss;
	four = (void *)&lines[i].ss;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		(void)inet_pton(AF_INET6, text, &six->sin6_addr);
	}
	lines[i].kind = (enum conf_address_kind)0;
	(void)strlcpy(lines[i].file, "it.conf", sizeof(lines[i].file));
	lines[i].line = 10 + i;
}

/* Does it fail, and say so? */
static int
says(int because, const char *text)
{
	int out[2], status;
	ssize_t n;
	pid_t pid;

	error = because;
	if (pipe(out) == -1)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)dup2(out[1], STDERR_FILENO);
		_exit(listen_fail(&lines[1], error) == -1);
	}
	(void)close(out[1]);
	n = read(out[0], said, sizeof(said) - 1);
	(void)close(out[0]);
	said[n < 0 ? 0 : n] = '\0';
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		abort();
	return (WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
		strstr(said, text) != NULL);
}

static void
test_where_and_why(void)
{
	address(0, "192.0.2.1", 1);
	address(1, "192.0.2.2", 80);
	CHECK(says(EACCES, "it.conf:11: cannot listen on 192.0.2.2:80: bind: "
			   "Permission denied; ports below 1024"));
	CHECK(says(EADDRNOTAVAIL, "not one of this machine"));
	CHECK(says(EADDRINUSE, "stop the program that uses it"));
	CHECK(says(ESHUTDOWN, "restart its socket unit"));
	CHECK(says(EAFNOSUPPORT, "name it in beacond.socket"));
	CHECK(says(EMFILE, "raise the limit of open files"));
}

/* Two lines of one configuration that cannot both be had. */
static void
test_a_line_that_has_the_port_already(void)
{
	address(0, "0.0.0.0", 80);
	address(1, "192.0.2.2", 80);
	CHECK(says(EADDRINUSE, "it.conf:10 has that port"));
	address(1, "::", 80);
	CHECK(says(EADDRINUSE, "it.conf:10 has that port"));
	address(0, "::", 80);
	address(1, "192.0.2.2", 80);
	CHECK(says(EADDRINUSE, "it.conf:10 has that port"));
	/* Another port, another address, another kind: somebody else has it. */
	address(0, "0.0.0.0", 81);
	CHECK(says(EADDRINUSE, "stop the program"));
	address(0, "192.0.2.1", 80);
	CHECK(says(EADDRINUSE, "stop the program"));
	address(0, "0.0.0.0", 80);
	lines[0].kind = (enum conf_address_kind)1;
	CHECK(says(EADDRINUSE, "stop the program"));
	address(0, "0.0.0.0", 80);
	address(1, "2001:db8::1", 80);
	CHECK(says(EADDRINUSE, "stop the program"));
	/* Nor is it said of another fault. */
	address(1, "192.0.2.2", 80);
	CHECK(says(EACCES, "ports below 1024"));
}

int
main(void)
{
	parts_init();
	TAILQ_INSERT_TAIL(&parts_conf.addresses, &lines[0], entry);
	TAILQ_INSERT_TAIL(&parts_conf.addresses, &lines[1], entry);
	RUN(test_where_and_why);
	RUN(test_a_line_that_has_the_port_already);
	return (test_failed());
}
