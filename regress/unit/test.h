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
 * ends with `return (test_failed());`.
 */
static const char *test_name;
static int test_failures;
static int test_bad;

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
