/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/counters.h"
#include "regress/unit/test.h"

static void
test_counted_in_the_page_that_was_sent(void)
{
	struct counters *page;
	int fd, other;

	fd = memfd_create("page", 0);
	CHECK(fd != -1 && ftruncate(fd, COUNTERS_BYTES) == 0);
	other = dup(fd);
	page = mmap(NULL, COUNTERS_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(page != MAP_FAILED);
	counters_add(COUNTER_FRAMES_IN, 5); /* before there is one: its own */
	CHECK(counters_open(fd) == 0 && fcntl(fd, F_GETFD) == -1);
	CHECK(counters_read(page, COUNTER_FRAMES_IN) == 0);
	counters_add(COUNTER_FRAMES_IN, 3);
	counters_add(COUNTER_FRAMES_IN, UINT64_C(1) << 40);
	CHECK(
	    counters_read(page, COUNTER_FRAMES_IN) == (UINT64_C(1) << 40) + 3);
	CHECK(counters_read(page, COUNTER_FRAMES_OUT) == 0);
	/* Another size is no page, and what was stays. */
	CHECK(ftruncate(other, COUNTERS_BYTES / 2) == 0);
	CHECK(counters_open(other) == -1 && fcntl(other, F_GETFD) == -1);
	CHECK(counters != NULL);
}

/* Prometheus takes no other names, and a family stands together. */
static void
test_names_and_families(void)
{
	char help[COUNTERS_HELP_MAX];
	const char *name;
	enum counter c, d;
	size_t i, len;

	CHECK(counters_begins(0));
	for (c = 0; c < COUNTER_MAX; c++) {
		name = counters_name(c);
		len = counters_family_len(c);
		CHECK(len > 6 && strncmp(name + len - 6, "_total", 6) == 0);
		for (i = 0; i < len; i++)
			CHECK(
			    isalnum((unsigned char)name[i]) || name[i] == '_');
		CHECK(name[len] == '\0' || name[strlen(name) - 1] == '}');
		CHECK(counters_help(c)[0] != '\0');
		for (d = 0; d < c; d++) {
			CHECK(strcmp(counters_name(d), name) != 0);
			if (counters_begins(c))
				CHECK(
				    counters_family_len(d) != len ||
				    strncmp(counters_name(d), name, len) != 0);
		}
		/* It is not cut off. */
		if (counters_begins(c)) {
			(void)counters_family_help(c, help, sizeof(help));
			CHECK(strlen(help) < sizeof(help) - 1);
			CHECK(strstr(help, counters_help(c)) != NULL);
		}
	}
}

/* Operators see these apart from what goes its way. */
static void
test_losses(void)
{
	CHECK(counters_is_loss(COUNTER_DROP_NOT_FOUND));
	CHECK(counters_is_loss(COUNTER_FAIL_LOGIN_NONCE));
	CHECK(counters_is_loss(COUNTER_ACCEPT_PAUSES));
	CHECK(!counters_is_loss(COUNTER_FRAMES_IN));
	CHECK(!counters_is_loss(COUNTER_VERIFY_OK));
}

int
main(void)
{
	RUN(test_names_and_families);
	RUN(test_losses);
	RUN(test_counted_in_the_page_that_was_sent);
	return (test_failed());
}
