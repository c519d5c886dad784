/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <time.h>
#include <unistd.h>

#include "auth/keyfile.h"

#include "regress/unit/test.h"

/* 32 bytes of 01, of 02 */
#define KEY1    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY2    "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define MILLION 1000000U

static struct keyfile kf;
static int log_fd;
static char logged[8192];

/* What was logged since log_reset(); the log of a test goes to stderr. */
static const char *
log_text(void)
{
	ssize_t n;

	n = pread(log_fd, logged, sizeof(logged) - 1, 0);
	logged[n < 0 ? 0 : n] = '\0';
	return (logged);
}

static int
log_reset(void)
{
	return (ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
}

static int
read_all(const char *text, size_t len)
{
	keyfile_begin(&kf, -1, "etc/keys");
	if (!log_reset() || keyfile_feed(&kf, text, len) == -1)
		return (-1);
	return (keyfile_end(&kf));
}

static int
has_key(uint32_t node, uint8_t byte)
{
	const uint8_t *key;
	int i;

	key = keycache_find(&kf.cache, node);
	if (key == NULL)
		return (0);
	for (i = 0; i < PROTO_KEY_LEN; i++)
		if (key[i] != byte)
			return (0);
	return (1);
}

static const char good_text[] = "# all that is allowed\n"
				"\n"
				"1 " KEY1 "\n"
				"  \t2\t \t" KEY2 " \t \n"
				"3 " KEY1 "# trailing\n"
				"4 " KEY2 " # trailing\r\n"
				"\r\n"
				" \t # indented\n"
				"005 " KEY1 "\r\n"
				"4294967295 " KEY2;

static int
good_result(void)
{
	return (kf.bad == 0 && kf.cache.count == 6 && has_key(1, 1) &&
		has_key(2, 2) && has_key(3, 1) && has_key(4, 2) &&
		has_key(5, 1) && has_key(4294967295U, 2));
}

static void
good_lines(void)
{
	CHECK(read_all(good_text, sizeof(good_text) - 1) == 0);
	CHECK(good_result());
	CHECK(strcmp(log_text(), "") == 0);
	keyfile_close(&kf);
}

static void
nothing(void)
{
	CHECK(read_all("", 0) == 0);
	CHECK(kf.cache.count == 0 && kf.bad == 0);
	keyfile_close(&kf);
}

/* A good file gives the same wherever chunks end; so does a bad one. */
static void
chunks(void)
{
	size_t i, j, len;

	len = sizeof(good_text) - 1;
	for (i = 0; i <= len; i++)
		for (j = i; j <= len; j += 7) {
			keyfile_begin(&kf, -1, "etc/keys");
			CHECK(keyfile_feed(&kf, good_text, i) == 0);
			CHECK(keyfile_feed(&kf, good_text + i, j - i) == 0);
			CHECK(keyfile_feed(&kf, good_text + j, len - j) == 0);
			CHECK(keyfile_end(&kf) == 0);
			CHECK(good_result());
			keyfile_close(&kf);
		}
	keyfile_begin(&kf, -1, "etc/keys");
	for (i = 0; i < len; i++)
		CHECK(keyfile_feed(&kf, good_text + i, 1) == 0);
	CHECK(keyfile_end(&kf) == 0);
	CHECK(good_result());
	keyfile_close(&kf);
}

struct bad_line {
	const char *text;
	size_t len; /* 0: strlen */
	const char *what;
};

#define BAD_NODE "node id is not a number from 1 to 4294967295"
#define BAD_KEY  "key is not 32 bytes in base64"

static const struct bad_line bad_lines[] = {
	{ "0 " KEY1, 0, BAD_NODE },
	{ "4294967296 " KEY1, 0, BAD_NODE },
	{ "18446744073709551617 " KEY1, 0, BAD_NODE },
	{ "-1 " KEY1, 0, BAD_NODE },
	{ "+1 " KEY1, 0, BAD_NODE },
	{ "0x10 " KEY1, 0, BAD_NODE },
	{ "1\v" KEY1, 0, BAD_NODE },
	{ KEY1, 0, BAD_NODE },
	{ "\xef\xbb\xbf"
	  "1 " KEY1,
	    0, BAD_NODE },
	{ "1", 0, "no key" },
	{ "1 # " KEY1, 0, "no key" },
	{ "1 AQEB", 0, BAD_KEY },
	{ "1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE", 0, BAD_KEY },
	/* 31 and 33 bytes, a bit beyond the last byte, the URL alphabet */
	{ "1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==", 0, BAD_KEY },
	{ "1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB", 0, BAD_KEY },
	{ "1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=", 0, BAD_KEY },
	{ "1 _QEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", 0, BAD_KEY },
	{ "1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBA=E=", 0, BAD_KEY },
	{ "1 " KEY1 "x", 0, BAD_KEY },
	{ "1 " KEY1 " x", 0, "more than a node id and a key" },
	{ "1 " KEY1 "\r x", 0, BAD_KEY },
	{ "1 " KEY1 "\0", 2 + 44 + 1, "NUL byte" },
	{ "\0"
	  "1 " KEY1,
	    1 + 2 + 44, "NUL byte" },
};

static void
each_bad_line(void)
{
	char expect[256], text[512];
	size_t i, len, n;

	for (i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		n = bad_lines[i].len;
		if (n == 0)
			n = strlen(bad_lines[i].text);
		len = (size_t)snprintf(text, sizeof(text), "7 %s\n", KEY1);
		memcpy(text + len, bad_lines[i].text, n);
		len += n;
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "\n8 %s\n", KEY2);
		CHECK(read_all(text, len) == 0);
		(void)snprintf(expect, sizeof(expect),
		    "beacond: etc/keys:2: %s\n", bad_lines[i].what);
		CHECK(strcmp(log_text(), expect) == 0);
		CHECK(kf.bad == 1 && kf.cache.count == 2);
		CHECK(has_key(7, 1) && has_key(8, 2));
		keyfile_close(&kf);
	}
}

/* The longest line, and one byte more, in one piece and in two. */
static void
long_lines(void)
{
	char text[2 * KEYFILE_LINE_MAX + 128];
	size_t at, extra, len;

	for (extra = 0; extra < 2; extra++)
		for (at = 0; at < KEYFILE_LINE_MAX + 60; at += 50) {
			memset(text, ' ', sizeof(text));
			memcpy(text, "1 " KEY1, 46);
			len = KEYFILE_LINE_MAX + extra;
			memcpy(text + len, "\n2 " KEY2 "\n", 48);
			len += 48;
			keyfile_begin(&kf, -1, "etc/keys");
			CHECK(log_reset());
			CHECK(keyfile_feed(&kf, text, at) == 0);
			CHECK(keyfile_feed(&kf, text + at, len - at) == 0);
			CHECK(keyfile_end(&kf) == 0);
			CHECK(has_key(2, 2));
			CHECK(has_key(1, 1) == (extra == 0));
			CHECK(kf.bad == extra);
			CHECK(
			    strcmp(log_text(),
				extra == 0
				    ? ""
				    : "beacond: etc/keys:1: line too long\n") ==
			    0);
			keyfile_close(&kf);
		}
	/* Without an end, and much longer. */
	memset(text, 'x', sizeof(text));
	keyfile_begin(&kf, -1, "etc/keys");
	for (at = 0; at < 100; at++)
		CHECK(keyfile_feed(&kf, text, sizeof(text)) == 0);
	CHECK(keyfile_end(&kf) == 0);
	CHECK(kf.bad == 1 && kf.cache.count == 0);
	keyfile_close(&kf);
}

static void
second_key_of_a_node(void)
{
	static const char text[] = "5 " KEY1 "\n6 " KEY1 "\n5 " KEY2 "\n";

	CHECK(read_all(text, sizeof(text) - 1) == 0);
	CHECK(strcmp(log_text(),
		  "beacond: etc/keys:3: node has a key already\n") == 0);
	CHECK(kf.bad == 1 && kf.cache.count == 2);
	CHECK(has_key(5, 1) && has_key(6, 1));
	keyfile_close(&kf);
}

/* A file of rubbish does not fill the log. */
static void
bounded_log(void)
{
	const char *p;
	int i, lines;

	keyfile_begin(&kf, -1, "etc/keys");
	CHECK(log_reset());
	for (i = 0; i < 1000; i++)
		CHECK(keyfile_feed(&kf, "rubbish\n", 8) == 0);
	CHECK(keyfile_end(&kf) == 0);
	lines = 0;
	for (p = log_text(); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	CHECK(lines == KEYFILE_NAMED_MAX + 1);
	CHECK(strstr(logged, "beacond: etc/keys:20: node id") != NULL);
	CHECK(strstr(logged, "etc/keys: 980 more bad lines\n") != NULL);
	CHECK(kf.bad == 1000);
	keyfile_close(&kf);
}

/* A read error is told, and the descriptor is not lost. */
static void
unreadable(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	keyfile_begin(&kf, fds[1], "etc/keys");
	CHECK(keyfile_step(&kf) == -1 && errno == EBADF);
	keyfile_close(&kf);
	CHECK(fcntl(fds[1], F_GETFD) == -1);
	(void)close(fds[0]);
}

static double
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

/* step: odd; 1 gives a sorted file, others scatter the ids. */
static int
million_file(uint32_t step)
{
	char b64[45];
	uint8_t key[PROTO_KEY_LEN] = { 0 };
	FILE *file;
	uint32_t i, node;
	int fd;

	fd = memfd_create("keys", 0);
	file = fd == -1 ? NULL : fdopen(dup(fd), "w");
	if (file == NULL)
		return (-1);
	for (i = 1; i <= MILLION; i++) {
		node = i * step;
		memcpy(key, &node, sizeof(node));
		(void)sodium_bin2base64(b64, sizeof(b64), key, sizeof(key),
		    sodium_base64_VARIANT_ORIGINAL);
		(void)fprintf(file, "%u %s\n", node, b64);
	}
	if (fclose(file) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		return (-1);
	return (fd);
}

static int
million_read(uint32_t step)
{
	double begin, last, longest, t;
	int fd, more;

	fd = million_file(step);
	if (fd == -1)
		return (-1);
	keyfile_begin(&kf, fd, "etc/keys");
	longest = 0;
	begin = last = seconds();
	do {
		more = keyfile_step(&kf);
		t = seconds();
		longest = t - last > longest ? t - last : longest;
		last = t;
	} while (more == 1);
	printf("# %u keys%s: %.3f s, longest step %.3f s\n", kf.cache.count,
	    step == 1 ? "" : " in no order", last - begin, longest);
	return (more);
}

static void
million_lines(void)
{
	static const uint32_t steps[] = { 1, 2654435761U };
	const uint8_t *key;
	uint32_t i, node, s;

	for (s = 0; s < 2; s++) {
		CHECK(million_read(steps[s]) == 0);
		CHECK(kf.cache.count == MILLION && kf.bad == 0);
		CHECK(kf.cache.room == MILLION);
		for (i = 1; i <= MILLION; i++) {
			node = i * steps[s];
			key = keycache_find(&kf.cache, node);
			CHECK(key != NULL);
			CHECK(memcmp(key, &node, sizeof(node)) == 0);
		}
		keyfile_close(&kf);
	}
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	log_fd = memfd_create("log", 0);
	if (log_fd == -1 || dup2(log_fd, STDERR_FILENO) == -1)
		return (1);
	RUN(good_lines);
	RUN(nothing);
	RUN(chunks);
	RUN(each_bad_line);
	RUN(long_lines);
	RUN(second_key_of_a_node);
	RUN(bounded_log);
	RUN(unreadable);
	RUN(million_lines);
	return (test_failed());
}
