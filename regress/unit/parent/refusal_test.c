/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "parent/refusal.h"
#include "regress/unit/test.h"

static int output; /* what is logged */

static const char *
written(void)
{
	static char text[1 << 12];
	ssize_t n;

	n = read(output, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return (text);
}

/* Of no worker: the line is the parent's own. */
static void
test_who_was_refused(void)
{
	static const uint8_t addr[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };

	refusal_log(EVENT_DISCOVER_FULL, 7, addr, 4000, NULL);
	CHECK(strcmp(written(),
		  "beacond: event=discover-refused node=7 "
		  "remote=192.0.2.1:4000 worker=- reason=full\n") == 0);
}

/* A name is a stranger's, and may be longer than there is room for. */
static void
test_what_was_refused(void)
{
	char name[EVENT_TEXT_MAX + 10];
	const char *line;

	refusal_log(EVENT_BEACON_LISTED, 0, NULL, 0, "a\"\n:9001");
	CHECK(strcmp(written(),
		  "beacond: event=beacon-refused node=- remote=- worker=- "
		  "reason=list note=\"a\\\"\\012:9001\"\n") == 0);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	refusal_log(EVENT_BEACON_LISTED, 0, NULL, 0, name);
	line = strchr(written(), '"');
	CHECK(line != NULL && strspn(line + 1, "x") == EVENT_TEXT_MAX);
}

int
main(void)
{
	int out[2];

	(void)unsetenv("JOURNAL_STREAM");
	if (pipe2(out, O_NONBLOCK) == -1 || dup2(out[1], STDERR_FILENO) == -1)
		return (1);
	output = out[0];
	log_init("beacond", LOG_TO_STDERR);
	RUN(test_who_was_refused);
	RUN(test_what_was_refused);
	return (test_failed());
}
