/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_UNIT_TEST_H
#define REGRESS_UNIT_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A unit test is a program of void functions, run by RUN() from main().  Each
 * prints one line, "ok NAME" or "not ok NAME: FILE:LINE: EXPRESSION"; main()
 * ends with `return (test_failed());`.  With UNIT_LIST in the environment only
 * the names are printed.
 */
static const char *test_name;
static int test_failures;
static int test_bad;

/* Returns 1 if tests are to be named, not run. */
static inline int
test_listed(const char *prefix, const char *name)
{
	if (getenv("UNIT_LIST") == NULL)
		return (0);
	printf("%s%s%s\n", prefix, *prefix == '\0' ? "" : "_", name);
	fflush(stdout);
	return (1);
}

#define CHECK(expr)                                                           \
	do {                                                                  \
		if (!(expr)) {                                                \
			printf("not ok %s: %s:%d: %s\n", test_name, __FILE__, \
			    __LINE__, #expr);                                 \
			fflush(stdout);                                       \
			test_bad = 1;                                         \
			return;                                               \
		}                                                             \
	} while (0)

#define RUN(fn)                                       \
	do {                                          \
		if (test_listed("", #fn))             \
			break;                        \
		test_name = #fn;                      \
		test_bad = 0;                         \
		fn();                                 \
		if (test_bad)                         \
			test_failures++;              \
		else                                  \
			printf("ok %s\n", test_name); \
		fflush(stdout);                       \
	} while (0)

static inline int
test_failed(void)
{
	return (test_failures != 0);
}

#endif /* REGRESS_UNIT_TEST_H */
