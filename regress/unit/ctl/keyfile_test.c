/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <sodium.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "regress/unit/test.h"

/* RFC 8032 section 7.1, TEST 1. */
#define SEED   "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static char dir[] = "/tmp/keyfile_test.XXXXXX";
static char path[64];
static char error[512];

static void
put(const char *text, size_t len, mode_t mode)
{
	FILE *f;

	(void)unlink(path);
	f = fopen(path, "w");
	if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0 ||
	    chmod(path, mode) == -1)
		abort();
}

static int
reads(const char *text)
{
	struct node_key key;

	put(text, strlen(text), 0600);
	return (keyfile_read(path, &key, error, sizeof(error)) == 0);
}

static void
what_is_made_can_be_read(void)
{
	struct node_key made, got;
	struct stat st;

	(void)unlink(path);
	CHECK(keyfile_create(path, &made, error, sizeof(error)) == 0);
	CHECK(stat(path, &st) == 0);
	CHECK((st.st_mode & 07777) == 0600);
	CHECK(keyfile_read(path, &got, error, sizeof(error)) == 0);
	CHECK(memcmp(&made, &got, sizeof(made)) == 0);
}

static void
each_key_is_another(void)
{
	struct node_key a, b;

	(void)unlink(path);
	CHECK(keyfile_create(path, &a, error, sizeof(error)) == 0);
	(void)unlink(path);
	CHECK(keyfile_create(path, &b, error, sizeof(error)) == 0);
	CHECK(memcmp(a.public, b.public, sizeof(a.public)) != 0);
}

static void
existing_file_is_kept(void)
{
	struct node_key key;
	char text[8];
	FILE *f;

	put("mine\n", 5, 0600);
	CHECK(keyfile_create(path, &key, error, sizeof(error)) == -1);
	CHECK(strstr(error, "File exists") != NULL);
	f = fopen(path, "r");
	CHECK(f != NULL && fgets(text, sizeof(text), f) != NULL);
	fclose(f);
	CHECK(strcmp(text, "mine\n") == 0);
}

static void
known_pair(void)
{
	char base64[KEY_BASE64_LEN];
	struct node_key key;

	put("# a\n\n" SEED "\n", sizeof("# a\n\n" SEED "\n") - 1, 0600);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == 0);
	key_base64(&key, base64);
	CHECK(strcmp(base64, PUBLIC) == 0);
}

static void
malformed_files(void)
{
	CHECK(reads(SEED));
	CHECK(!reads(""));
	CHECK(!reads("# only a comment\n"));
	CHECK(!reads(SEED "\n" SEED "\n"));
	CHECK(!reads(SEED " \n"));
	CHECK(!reads("7777 " SEED "\n"));
	CHECK(!reads("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\n"));
	CHECK(!reads("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuIA==\n"));
	CHECK(!reads(SEED "AAAA\n"));
	CHECK(strstr(error, path) != NULL);
}

static void
too_large(void)
{
	static char text[8192];
	struct node_key key;

	memset(text, '\n', sizeof(text));
	memcpy(text, SEED, sizeof(SEED) - 1);
	put(text, 4095, 0600);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == 0);
	put(text, 4096, 0600);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == -1);
	put(text, sizeof(text), 0600);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == -1);
}

static void
open_to_others(void)
{
	struct node_key key;

	put(SEED, sizeof(SEED) - 1, 0604);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == -1);
	CHECK(strstr(error, "chmod 600") != NULL);
	put(SEED, sizeof(SEED) - 1, 0440);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == 0);
}

static void
missing_file(void)
{
	struct node_key key;

	(void)unlink(path);
	CHECK(keyfile_read(path, &key, error, sizeof(error)) == -1);
	CHECK(strstr(error, "No such file") != NULL);
	CHECK(keyfile_read(dir, &key, error, sizeof(error)) == -1);
}

int
main(void)
{
	if (sodium_init() == -1 || mkdtemp(dir) == NULL)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/key", dir);
	RUN(what_is_made_can_be_read);
	RUN(each_key_is_another);
	RUN(existing_file_is_kept);
	RUN(known_pair);
	RUN(malformed_files);
	RUN(too_large);
	RUN(open_to_others);
	RUN(missing_file);
	(void)unlink(path);
	(void)rmdir(dir);
	return (test_failed());
}
