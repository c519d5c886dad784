/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/event.h"
#include "common/log.h"
#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

static int output; /* what is logged */

static const char *
written(void)
{
	static char text[1 << 18];
	ssize_t n;

	n = read(output, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return (text);
}

static int
lines(const char *text)
{
	int n;

	for (n = 0; *text != '\0'; text++)
		n += *text == '\n';
	return (n);
}

static struct event
event_of(enum event_kind kind, uint8_t last)
{
	struct event e;

	memset(&e, 0, sizeof(e));
	e.kind = kind;
	e.addr[10] = e.addr[11] = 0xff;
	e.addr[12] = 192;
	e.addr[15] = last;
	return (e);
}

static void
test_one_form(void)
{
	struct event e;

	e = event_of(EVENT_REQUEST_PATH, 1);
	e.port = 99;
	e.number[0] = 404;
	e.text_len = 5;
	memcpy(e.text, "\"\\\n\xff ", 5);
	event_log(&e);
	CHECK(strcmp(written(),
		  "test: event=request-refused node=- remote=192.0.0.1:99 "
		  "worker=- reason=path status=404 "
		  "request=\"\\\"\\\\\\012\\377 \"\n") == 0);
	log_set_json(1);
	event_log(&e);
	CHECK(strstr(written(),
		  "\"level\":\"notice\",\"process\":\"test\",\"event\":"
		  "\"request-refused\",\"node\":null,\"remote\":"
		  "\"192.0.0.1:99\",\"worker\":null,\"reason\":\"path\","
		  "\"status\":404,\"request\":"
		  "\"\\\"\\\\\\u000a\\u00ff \"}\n") != NULL);
	log_set_json(0);
}

static void
test_what_cannot_be_is_not_valid(void)
{
	struct event e;

	e = event_of(EVENT_KEPT_BACK, 1);
	CHECK(event_valid(&e));
	e.number[2] = EVENT_MAX;
	CHECK(!event_valid(&e));
	e = event_of(EVENT_LOGIN, 1);
	e.text_len = sizeof(e.text) + 1;
	CHECK(!event_valid(&e));
	e = event_of(EVENT_MAX, 1);
	CHECK(!event_valid(&e));
}

/* One source has its share; others have theirs; the rest is told. */
static void
test_limits_by_reason_and_source(void)
{
	struct event e;
	int i;

	e = event_of(EVENT_LOGIN_SIGNATURE, 1);
	for (i = 0; i < 50; i++)
		event_log(&e);
	CHECK(lines(written()) == EVENT_SOURCE_LINES);
	e = event_of(EVENT_LOGIN_SIGNATURE, 2);
	event_log(&e);
	CHECK(lines(written()) == 1);
	e = event_of(EVENT_LOGIN_NONCE, 1);
	event_log(&e);
	CHECK(lines(written()) == 1);
	for (i = 3; i < 250; i++) {
		e = event_of(EVENT_LOGIN_SIGNATURE, (uint8_t)i);
		event_log(&e);
	}
	CHECK(lines(written()) == EVENT_LINES - EVENT_SOURCE_LINES - 1);
	event_flush(0);
	CHECK(written()[0] == '\0');
	still_ns += EVENT_PERIOD * CLOCK_SECOND;
	event_flush(0);
	CHECK(
	    strcmp(written(),
		"test: event=kept-back node=- remote=192.0.0.1 worker=- "
		"reason=signature lines=198 most=40 of=login-refused\n") == 0);
	event_log(&e);
	CHECK(lines(written()) == 1);
	CHECK(counters_read(counters, COUNTER_FAIL_LOGIN_SIGNATURE) == 299);
}

/* What is not written is counted all the same. */
static void
test_level(void)
{
	struct event e;

	log_set_level(LOG_WARNING);
	e = event_of(EVENT_LOGIN_AGE, 1);
	event_log(&e);
	CHECK(written()[0] == '\0');
	CHECK(counters_read(counters, COUNTER_FAIL_LOGIN_AGE) == 1);
	e = event_of(EVENT_LOGIN_CAPACITY, 1);
	event_log(&e);
	CHECK(lines(written()) == 1);
	log_set_level(LOG_INFO);
}

int
main(void)
{
	int out[2];

	(void)unsetenv("JOURNAL_STREAM");
	if (pipe2(out, O_NONBLOCK) == -1 ||
	    fcntl(out[0], F_SETPIPE_SZ, 1 << 18) == -1 ||
	    dup2(out[1], STDERR_FILENO) == -1)
		return (1);
	output = out[0];
	log_init("test", LOG_TO_STDERR);
	RUN(test_one_form);
	RUN(test_what_cannot_be_is_not_valid);
	RUN(test_limits_by_reason_and_source);
	RUN(test_level);
	return (test_failed());
}
