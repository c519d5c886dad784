/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/resource.h>

#include <time.h>
#include <unistd.h>

#include "common/sandbox.h"

#include "auth/snapshot.h"

#include "regress/unit/test.h"

#define KEY   "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
#define NODES 120000U
#define PAD   640 /* bytes of a node that do not matter */

static struct snapshot s;

/* Reads it, cut into pieces of n bytes; what is found is in s.cache. */
static int
read_in(const char *text, size_t n)
{
	size_t left, piece;

	snapshot_close(&s);
	if (snapshot_begin(&s, -1, "test", 7) == -1)
		return (-1);
	for (left = strlen(text); left > 0; left -= piece, text += piece) {
		piece = left < n ? left : n;
		if (snapshot_feed(&s, (const uint8_t *)text, piece) == -1)
			return (-1);
	}
	return (snapshot_end(&s));
}

/* The same by all cuts: so many keys, so many bad. */
static int
gives(const char *text, uint32_t keys, uint32_t bad)
{
	size_t n;

	for (n = 1; n < 50; n++)
		if (read_in(text, n) == -1 || s.cache.count != keys ||
		    s.bad != bad)
			return (0);
	return (read_in(text, SIZE_MAX) == 0);
}

static int
no_snapshot(const char *text)
{
	return (read_in(text, 1) == -1 && read_in(text, 1000) == -1);
}

static int
has(uint32_t node)
{
	const uint8_t *key;
	uint8_t expected[PROTO_KEY_LEN];

	memset(expected, 'k', sizeof(expected));
	key = keycache_find(&s.cache, node);
	return (key != NULL && memcmp(key, expected, sizeof(expected)) == 0);
}

static void
test_keys(void)
{
	CHECK(gives("{\"version\":3,\"nodes\":{"
		    "\"70\":{\"id\":70,\"public_key\":\"" KEY "\",\"x\":[1]},"
		    "\"5\":{\"public_key\":\"" KEY "\",\"id\":5},"
		    "\"4294967295\":{\"public_key\":\"" KEY "\"}},"
		    "\"networks\":{},\"checksum\":\"x\"}",
	    3, 0));
	CHECK(has(5) && has(70) && has(4294967295U) && !has(6));
	CHECK(s.written == 7);
}

static void
test_nodes_without_a_key(void)
{
	CHECK(gives("{\"nodes\":{\"1\":null,\"2\":{},\"3\":{\"public_key\":"
		    "\"\"},\"4\":{\"public_key\":null},\"5\":{\"id\":5,"
		    "\"public_key\":\"" KEY "\"},\"6\":[],\"7\":7}}",
	    1, 0));
	CHECK(has(5));
}

static void
test_bad_entries(void)
{
	CHECK(gives("{\"nodes\":{\"0\":{\"public_key\":\"" KEY "\"},"
		    "\"x\":{\"public_key\":\"" KEY "\"},"
		    "\"\":{\"public_key\":\"" KEY "\"},"
		    "\"4294967296\":{\"public_key\":\"" KEY "\"},"
		    "\"-1\":{\"public_key\":\"" KEY "\"},"
		    "\"1\":{\"public_key\":\"AAAA\"},"
		    "\"2\":{\"public_key\":\"" KEY "AAAA\"},"
		    "\"3\":{\"public_key\":\"?\"},"
		    "\"9\":{\"public_key\":\"" KEY "\"}}}",
	    1, 8));
	CHECK(has(9));
}

/* What looks like a key elsewhere is none. */
static void
test_other_places(void)
{
	CHECK(gives("{\"x\":{\"1\":{\"public_key\":\"" KEY "\"}},"
		    "\"nodes\":{\"2\":{\"a\":{\"public_key\":\"" KEY "\"},"
		    "\"b\":[{\"public_key\":\"" KEY "\"}]},"
		    "\"3\":[{\"public_key\":\"" KEY "\"}],"
		    "\"9\":{\"public_key\":\"" KEY "\",\"k\":{}}},"
		    "\"public_key\":\"" KEY "\","
		    "\"y\":{\"4\":{\"public_key\":\"" KEY "\"}},"
		    "\"z\":[{\"5\":{\"public_key\":\"" KEY "\"}}]}",
	    1, 0));
	CHECK(has(9));
	CHECK(
	    no_snapshot("{\"nodes\":[{\"1\":{\"public_key\":\"" KEY "\"}}]}"));
	CHECK(
	    no_snapshot("[{\"nodes\":{\"1\":{\"public_key\":\"" KEY "\"}}}]"));
}

/* Two of a node: the first. */
static void
test_double(void)
{
	CHECK(gives("{\"nodes\":{\"1\":{\"public_key\":\"" KEY "\"},"
		    "\"1\":{\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAA=\"},\"2\":{\"public_key\":\"" KEY "\"}}}",
	    2, 0));
	CHECK(has(1));
}

/* Cut anywhere, empty, or something else: not believed. */
static void
test_not_whole(void)
{
	static const char whole[] = "{\"nodes\":{\"1\":{\"public_key\":\"" KEY
				    "\"}},\"checksum\":\"\"}";
	char text[sizeof(whole)];
	size_t n;

	CHECK(gives(whole, 1, 0));
	for (n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(text, whole, n);
		text[n] = '\0';
		CHECK(no_snapshot(text));
	}
	CHECK(no_snapshot("{}"));
	CHECK(no_snapshot("null"));
	CHECK(no_snapshot("{\"nodes\":null}"));
	CHECK(no_snapshot("{\"nodes\":{}}"));
	CHECK(no_snapshot("{\"nodes\":{\"1\":{\"public_key\":\"\"}}}"));
	CHECK(no_snapshot("{\"nodes\":{\"1\":{\"public_key\":\"" KEY "\"}}}}"));
	CHECK(
	    no_snapshot("{\"nodes\":{\"1\":{\"public_key\":\"" KEY "\"}}} {}"));
}

static void
test_depth(void)
{
	char text[2 * SNAPSHOT_DEPTH + 512], *p;
	int depth, i;

	for (depth = SNAPSHOT_DEPTH - 1; depth <= SNAPSHOT_DEPTH; depth++) {
		p = text + snprintf(text, sizeof(text),
			       "{\"nodes\":{\"1\":{\"public_key\":\"" KEY
			       "\"}},\"x\":");
		for (i = 0; i < depth; i++)
			*p++ = '[';
		for (i = 0; i < depth; i++)
			*p++ = ']';
		*p++ = '}';
		*p = '\0';
		CHECK(
		    (read_in(text, 10) == 0) == (depth == SNAPSHOT_DEPTH - 1));
	}
}

static size_t
resident_most(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return ((size_t)usage.ru_maxrss * 1024);
}

/* As large as registries have them: how long, and with how much memory. */
static void
test_large(void)
{
	char pad[PAD], text[PAD + 200];
	struct timespec from, to;
	size_t before, bytes;
	double seconds;
	uint32_t i;
	int fd, result;
	FILE *f;

	memset(pad, 'x', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	fd = memfd_create("snapshot", 0);
	f = fdopen(dup(fd), "w");
	CHECK(fd != -1 && f != NULL);
	CHECK(fputs("{\"version\":1,\"nodes\":{", f) >= 0);
	for (i = 1; i <= NODES; i++) {
		(void)snprintf(text, sizeof(text),
		    "%s\"%u\":{\"id\":%u,\"public_key\":\"" KEY
		    "\",\"hostname\":\"%s\",\"tags\":[\"a\",\"b\"]}",
		    i == 1 ? "" : ",", i, i, pad);
		CHECK(fputs(text, f) >= 0);
	}
	CHECK(fputs("}}", f) >= 0);
	bytes = (size_t)ftell(f);
	CHECK(fclose(f) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	snapshot_close(&s);
	before = resident_most();
	CHECK(snapshot_begin(&s, fd, "large", 1) == 0);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	while ((result = snapshot_step(&s)) == 1)
		continue;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	CHECK(result == 0 && s.cache.count == NODES && s.bad == 0);
	seconds = (double)(to.tv_sec - from.tv_sec) +
		  (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("# %zu MB in %.2f s, %zu bytes a key\n", bytes >> 20, seconds,
	    (resident_most() - before) / NODES);
	CHECK(has(1) && has(NODES));
#ifndef SANDBOX_NONE /* without a sanitizer, that is */
	CHECK(seconds < 2);
	CHECK((resident_most() - before) / NODES < 120);
#endif
}

int
main(void)
{
	s.fd = -1;
	RUN(test_keys);
	RUN(test_nodes_without_a_key);
	RUN(test_bad_entries);
	RUN(test_other_places);
	RUN(test_double);
	RUN(test_not_whole);
	RUN(test_depth);
	RUN(test_large);
	snapshot_close(&s);
	return (test_failed());
}
