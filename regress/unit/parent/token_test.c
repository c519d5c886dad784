/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>

#include "parent/token.h"
#include "regress/unit/parent/parts.h"

static char path[] = "/tmp/token_test.XXXXXX";
static const char *text;
static size_t len;
static mode_t mode;

/* Reads a file of those bytes; ends with 0 if it became that token. */
static void
read_it(void)
{
	char token[PROTO_TOKEN_LEN] = "";
	int fd;

	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd == -1 || write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, mode) == -1)
		abort();
	token_read(token_open(path), token);
	while (len > 0 && text[len - 1] == '\n')
		len--;
	_exit(strlen(token) == len && memcmp(token, text, len) == 0 ? 0 : 2);
}

static int
of(const char *bytes, size_t n)
{
	text = bytes;
	len = n;
	return (parts_apart(read_it));
}

static void
test_a_line_with_or_without_its_end(void)
{
	static char longest[PROTO_TOKEN_LEN];

	memset(longest, 'x', sizeof(longest));
	CHECK(of("s3cret!~", 8) == 0 && of("s3cret\n", 7) == 0);
	CHECK(of("x", 1) == 0);
	CHECK(of(longest, sizeof(longest) - 1) == 0);
	longest[sizeof(longest) - 1] = '\n';
	CHECK(of(longest, sizeof(longest)) == 0);
}

static void
test_what_is_no_token(void)
{
	static char longest[2 * PROTO_TOKEN_LEN];

	memset(longest, 'x', sizeof(longest));
	CHECK(of("", 0) == 1 && of("\n", 1) == 1 && of("a b", 3) == 1);
	CHECK(of("a\n\n", 3) == 1 && of("a\nb", 3) == 1);
	CHECK(of("a\0b", 3) == 1 && of("\x7f", 1) == 1 && of("\xe4", 1) == 1);
	CHECK(of(longest, PROTO_TOKEN_LEN) == 1);
	CHECK(of(longest, sizeof(longest)) == 1);
}

/* Whoever else could have read it has it. */
static void
test_a_file_that_others_can_read(void)
{
	static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0610, 0601 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mode = bad[i];
		CHECK(of("x", 1) == 1);
	}
	mode = 0600;
	CHECK(of("x", 1) == 0);
}

static void
open_directory(void)
{
	(void)token_open("/tmp");
}

static void
open_nothing(void)
{
	(void)token_open("/nonexistent");
}

static void
test_what_is_no_file(void)
{
	char token[PROTO_TOKEN_LEN] = "";

	CHECK(parts_apart(open_directory) == 1);
	CHECK(parts_apart(open_nothing) == 1);
	/* None is wanted. */
	CHECK(token_open("") == -1);
	token_read(-1, token);
	CHECK(token[0] == '\0');
}

/* For "beacond -n", which goes on. */
static void
test_what_a_start_would_find_wrong(void)
{
	CHECK(token_wrong("/tmp", 0) != NULL);
	CHECK(strcmp(token_wrong("/nonexistent", 0), strerror(ENOENT)) == 0);
	CHECK(of("x", 1) == 0 && token_wrong(path, geteuid()) == NULL);
	CHECK(chmod(path, 0640) == 0);
	CHECK(strstr(token_wrong(path, geteuid()), "chmod 600") != NULL);
	CHECK(of("a b", 3) == 1);
	CHECK(strstr(token_wrong(path, geteuid()), "characters") != NULL);
}

int
main(void)
{
	if (mkstemp(path) == -1)
		return (1);
	mode = 0600;
	RUN(test_a_line_with_or_without_its_end);
	RUN(test_what_is_no_token);
	RUN(test_a_file_that_others_can_read);
	RUN(test_what_is_no_file);
	RUN(test_what_a_start_would_find_wrong);
	(void)unlink(path);
	return (test_failed());
}
