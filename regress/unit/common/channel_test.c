/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/log.h"
#include "regress/unit/test.h"

/* One channel under test, and the bare other end of its socket pair. */

#define STATE_A 0x1
#define STATE_B 0x2

static struct ev_loop *loop;
static struct channel channel;
static struct imsgbuf peer;
static int peer_fd, calls, last_fd, ended, misaligned;
static const char *end_reason;

static const char *
take(void *owner, const void *data, size_t len, int fd)
{
	calls++;
	misaligned |= (uintptr_t)data % sizeof(uint64_t) != 0;
	last_fd = fd;
	return (NULL);
}

static const char *
object(void *owner, const void *data, size_t len, int fd)
{
	return ("no such thing");
}

static const struct channel_rule rules[] = {
	{ 1, "SIZED", 4, 4, CHANNEL_NO_FD, ~0U, 1, take },
	{ 2, "RANGE", 1, 8, CHANNEL_NO_FD, ~0U, 1, take },
	{ 3, "WITH_FD", 0, 0, CHANNEL_FD, ~0U, 1, take },
	{ 4, "STATE_B", 0, 0, CHANNEL_NO_FD, STATE_B, 1, take },
	{ 5, "OBJECT", 0, 0, CHANNEL_NO_FD, ~0U, 1, object },
};

static void
on_end(void *owner, const char *reason)
{
	ended++;
	end_reason = reason;
}

static void
open_pair(void)
{
	int pair[2];

	calls = ended = 0;
	last_fd = -1;
	end_reason = NULL;
	if (channel_pair(pair) == -1 ||
	    channel_open(&channel, loop, pair[0], "test", rules,
		sizeof(rules) / sizeof(rules[0]), on_end, NULL) == -1 ||
	    imsgbuf_init(&peer, pair[1]) == -1) {
		perror("open_pair");
		exit(1);
	}
	imsgbuf_allow_fdsend(&peer);
	peer_fd = pair[1];
}

static void
close_pair(void)
{
	channel_close(&channel);
	imsgbuf_clear(&peer);
	if (peer_fd != -1)
		(void)close(peer_fd);
}

/* Sends one message from the bare end and lets the loop turn. */
static void
say(uint32_t type, int fd, size_t len)
{
	static const uint8_t data[64];

	if (imsg_compose(&peer, type, 0, 0, fd, data, len) == -1 ||
	    imsgbuf_write(&peer) == -1) {
		perror("say");
		exit(1);
	}
	ev_run(loop, EVRUN_NOWAIT);
}

/* Whatever came before it in the same read. */
static void
data_is_aligned(void)
{
	static const uint8_t data[64];
	size_t len;

	open_pair();
	misaligned = 0;
	for (len = 1; len <= 8; len++)
		CHECK(imsg_compose(&peer, 2, 0, 0, -1, data, len) == 1);
	CHECK(imsgbuf_write(&peer) == 0);
	ev_run(loop, EVRUN_NOWAIT);
	CHECK(calls == 8 && !misaligned);
	close_pair();
}

static void
accepts_what_the_table_allows(void)
{
	open_pair();
	say(1, -1, 4);
	say(2, -1, 1);
	say(2, -1, 8);
	say(3, open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	CHECK(last_fd != -1);
	(void)close(last_fd);
	say(4, -1, 0);
	CHECK(calls == 5);
	CHECK(ended == 0);
	close_pair();
}

static void
refuse(uint32_t type, int fd, size_t len, const char *reason)
{
	open_pair();
	say(type, fd, len);
	CHECK(calls == 0);
	CHECK(ended == 1);
	CHECK(end_reason != NULL && strcmp(end_reason, reason) == 0);
	CHECK(!channel.open);
	close_pair();
}

static void
unknown_type_ends_it(void)
{
	refuse(99, -1, 0, "message of unknown type");
}

static void
wrong_size_ends_it(void)
{
	refuse(1, -1, 3, "message of wrong size");
	refuse(1, -1, 5, "message of wrong size");
	refuse(2, -1, 0, "message of wrong size");
	refuse(2, -1, 9, "message of wrong size");
}

static void
stray_descriptor_ends_it(void)
{
	refuse(1, open("/dev/null", O_RDONLY | O_CLOEXEC), 4,
	    "descriptor where none belongs");
}

static void
missing_descriptor_ends_it(void)
{
	refuse(3, -1, 0, "descriptor missing");
}

static void
handlers_objection_ends_it(void)
{
	refuse(5, -1, 0, "no such thing");
}

static void
wrong_state_ends_it(void)
{
	open_pair();
	channel.state = STATE_A;
	say(4, -1, 0);
	CHECK(calls == 0);
	CHECK(ended == 1);
	CHECK(strcmp(end_reason, "message out of turn") == 0);
	close_pair();
}

static void
nothing_after_a_violation_is_handled(void)
{
	open_pair();
	CHECK(imsg_compose(&peer, 99, 0, 0, -1, NULL, 0) == 1);
	say(4, -1, 0);
	CHECK(calls == 0);
	CHECK(ended == 1);
	close_pair();
}

static void
hang_up_has_no_reason(void)
{
	open_pair();
	(void)close(peer_fd);
	peer_fd = -1;
	ev_run(loop, EVRUN_NOWAIT);
	CHECK(ended == 1);
	CHECK(end_reason == NULL);
	close_pair();
}

static void
pause_holds_what_is_there_and_resume_gives_it(void)
{
	open_pair();
	channel_pause(&channel);
	say(1, -1, 4);
	say(1, -1, 4);
	CHECK(calls == 0);
	channel_resume(&channel);
	ev_run(loop, EVRUN_NOWAIT);
	CHECK(calls == 2);
	close_pair();
}

static void
a_peer_that_never_reads_costs_the_bound_and_no_more(void)
{
	static const uint8_t data[8192];
	int sent;

	open_pair();
	for (sent = 0; sent < 10000; sent++)
		if (channel_send(&channel, 1, 0, -1, data, sizeof(data)) == -1)
			break;
	CHECK(errno == ENOBUFS);
	CHECK(sent < 10000);
	CHECK(channel_queued(&channel) <= CHANNEL_LIMIT);
	CHECK(ended == 0);
	close_pair();
}

int
main(void)
{
	log_init("channel_test", LOG_TO_STDERR);
	loop = ev_default_loop(EVFLAG_NOENV);
	channel_loop_init(loop);
	RUN(accepts_what_the_table_allows);
	RUN(data_is_aligned);
	RUN(unknown_type_ends_it);
	RUN(wrong_size_ends_it);
	RUN(stray_descriptor_ends_it);
	RUN(missing_descriptor_ends_it);
	RUN(handlers_objection_ends_it);
	RUN(wrong_state_ends_it);
	RUN(nothing_after_a_violation_is_handled);
	RUN(hang_up_has_no_reason);
	RUN(pause_holds_what_is_there_and_resume_gives_it);
	RUN(a_peer_that_never_reads_costs_the_bound_and_no_more);
	return (test_failed());
}
