/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * Runs the pairs of regress/config from the top of the tree: NAME.in is parsed,
 * then either printed and compared with NAME.ok or its errors with NAME.err.
 * "beacond -n -v -f regress/config/NAME.in" writes the same.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/conf.h"
#include "parent/conf_internal.h"
#include "regress/unit/test.h"

#define PAIRS     "regress/config/*.in"
#define PAIRS_MIN 28
#define EXAMPLE   "etc/beacond.conf"

/* The whole of a file, or NULL if there is none; to be freed. */
static char *
slurp(const char *path)
{
	FILE *fp, *out;
	char *text;
	size_t len;
	int c;

	fp = fopen(path, "r");
	if (fp == NULL)
		return (NULL);
	out = open_memstream(&text, &len);
	if (out == NULL)
		abort();
	while ((c = getc(fp)) != EOF)
		putc(c, out);
	fclose(fp);
	fclose(out);
	return (text);
}

static char *
print(const struct config *conf)
{
	FILE *out;
	char *text;
	size_t len;

	out = open_memstream(&text, &len);
	if (out == NULL)
		abort();
	conf_print(conf, out);
	fclose(out);
	return (text);
}

/* Parse path, or text if there is any.  *result: what it printed, to free. */
static int
parse(const char *path, char *text, char **result)
{
	struct config *conf;
	FILE *errors, *fp;
	size_t len;
	int rv;

	conf = conf_new();
	errors = open_memstream(result, &len);
	if (conf == NULL || errors == NULL)
		abort();
	if (text != NULL) {
		fp = fmemopen(text, strlen(text), "r");
		if (fp == NULL)
			abort();
		rv = conf_parse_stream(conf, fp, path, errors);
		fclose(fp);
	} else
		rv = conf_parse(conf, path, errors);
	fclose(errors);
	if (rv == 0 && **result == '\0') {
		free(*result);
		*result = print(conf);
	}
	conf_free(conf);
	return (rv);
}

static void
diff(const char *path, const char *want, const char *got)
{
	if (strcmp(want, got) != 0)
		printf("# %s: expected:\n%s# got:\n%s", path, want, got);
}

/* 1 if path does what the file `expected` says and rv is what it should be. */
static int
pair(const char *path, const char *expected, int rv)
{
	char *again, *got, *want;
	int good;

	want = slurp(expected);
	if (want == NULL) {
		printf("# %s: missing\n", expected);
		return (0);
	}
	good = parse(path, NULL, &got) == rv && strcmp(want, got) == 0;
	diff(path, want, got);
	if (good && rv == 0) {
		good =
		    parse("print", got, &again) == 0 && strcmp(got, again) == 0;
		diff("printed and parsed again", got, again);
		free(again);
	}
	free(got);
	free(want);
	return (good);
}

/* What the input stands beside says which of both it is. */
static int
run(const char *in)
{
	char err[CONF_PATH_MAX], ok[CONF_PATH_MAX];
	int stem;

	stem = (int)(strlen(in) - strlen(".in"));
	snprintf(err, sizeof(err), "%.*s.err", stem, in);
	snprintf(ok, sizeof(ok), "%.*s.ok", stem, in);
	if (access(err, F_OK) == 0)
		return (pair(in, err, -1));
	return (pair(in, ok, 0));
}

static void
pairs(void)
{
	glob_t g;
	size_t i;
	int bad;

	CHECK(glob(PAIRS, 0, NULL, &g) == 0);
	CHECK(g.gl_pathc >= PAIRS_MIN);
	bad = 0;
	for (i = 0; i < g.gl_pathc; i++) {
		if (!run(g.gl_pathv[i])) {
			printf("# %s: failed\n", g.gl_pathv[i]);
			bad++;
		}
	}
	globfree(&g);
	CHECK(bad == 0);
}

static void
example(void)
{
	CHECK(pair(EXAMPLE, "regress/config/example.ok", 0));
}

int
main(void)
{
	RUN(pairs);
	RUN(example);
	return (test_failed());
}
