/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>

#include "parent/inherit.h"
#include "regress/unit/parent/parts.h"

/*
 * The parent that runs is the test's: a process of its own at start, when it is
 * asked for its sockets, and the other end of a channel later.
 */

#define FATAL 1  /* what ends with fatal() */
#define ENDS  33 /* with shutdown_fatal() */

static char path[64];
static struct imsgbuf other;
static int other_fd = -1;
static int unparks, overs;

/* ---- in the place of others ---- */

void
shutdown_fatal(struct parent *of, const char *fmt, ...)
{
	_exit(ENDS);
}

static void
kept(struct parent *of)
{
	unparks++;
}

static void
over(struct parent *of)
{
	overs++;
	of->successor.pending = 0;
}

/* ---- one that is asked for its sockets ---- */

static int
say(uint32_t type, int fd, const void *data, size_t len)
{
	return (imsg_compose(&other, type, 0, 0, fd, data, len) == 1 &&
			imsgbuf_write(&other) == 0
		    ? 0
		    : -1);
}

static void
say_end(uint32_t error)
{
	struct msg_ctl_end end;

	memset(&end, 0, sizeof(end));
	end.error = error;
	(void)say(CTL_END, -1, &end, sizeof(end));
}

static void
say_socket(int fd)
{
	(void)say(CTL_SOCKET, dup(fd), NULL, 0);
}

static int wards; /* what has come of them */

const char *
adopt_ward(void *owner, const void *data, size_t len, int fd)
{
	wards++;
	(void)close(fd);
	return (NULL);
}

const char *
adopt_ward_page(void *owner, const void *data, size_t len, int fd)
{
	return (adopt_ward(owner, data, len, fd));
}

const char *
adopt_ward_log(void *owner, const void *data, size_t len, int fd)
{
	return (adopt_ward(owner, data, len, fd));
}

const char *
adopt_ward_words(void *owner, const void *data, size_t len, int fd)
{
	return (adopt_ward(owner, data, len, fd));
}

/*
 * Whoever runs `answers` when it is asked, and closes then; we ask it.  Returns
 * how that ended: 0, FATAL.
 */
static void
ask_at_start(void)
{
	successor_ask_sockets(&parent);
}

static int
asked_at_start(void (*answers)(void), void (*ask)(void))
{
	struct sockaddr_un sun;
	struct imsg imsg;
	int fd, status;
	pid_t pid;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (void *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 1) == -1)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		other_fd = accept(fd, NULL, NULL);
		if (imsgbuf_init(&other, other_fd) == -1)
			_exit(1);
		imsgbuf_allow_fdsend(&other);
		while (imsgbuf_get(&other, &imsg) != 1)
			if (imsgbuf_read(&other) != 1)
				_exit(1);
		if (imsg_get_type(&imsg) == CTL_SOCKETS)
			answers();
		_exit(0);
	}
	(void)close(fd);
	status = parts_apart(ask);
	(void)waitpid(pid, NULL, 0);
	return (status);
}

static void
has_two_sockets(void)
{
	struct msg_ctl_steered steered = { .steered = 2,
		.key = 77,
		.nworkers = 5,
		.keys = 32,
		.alike = 99,
		.places = { 3, 4 } };

	say_socket(STDIN_FILENO);
	say_socket(STDOUT_FILENO);
	(void)say(CTL_STEERED, -1, &steered, sizeof(steered));
	say_end(0);
}

/* What is known of it afterwards, in the process that has asked. */
static void
ask_and_look(void)
{
	successor_ask_sockets(&parent);
	if (parent.successor.steered != 1 || parent.successor.steer_key != 77 ||
	    parent.successor.nworkers != 5 || parent.successor.keys != 32 ||
	    parent.successor.alike != 99 || parent.successor.places[0] != 3 ||
	    parent.successor.places[1] != 4 || !parent.successor.pending ||
	    !successor_can_go_back(&parent.successor))
		_exit(2);
}

static void
test_its_sockets_are_ours(void)
{
	parent.successor.asks = 1;
	CHECK(asked_at_start(has_two_sockets, ask_and_look) == 0);
}

static void
refuses(void)
{
	say_end(EBUSY);
}

static void
refuses_for_good(void)
{
	say_end(EPERM);
}

static void
closes(void)
{
}

static void
says_something_else(void)
{
	(void)say(CTL_SAID, -1, NULL, 0);
}

static void
has_no_descriptor(void)
{
	(void)say(CTL_SOCKET, -1, NULL, 0);
}

static void
says_too_little(void)
{
	(void)say(CTL_STEERED, -1, "x", 1);
}

static void
ends_with_too_little(void)
{
	(void)say(CTL_END, -1, "x", 1);
}

static void
says_what_is_no_message(void)
{
	static const uint8_t zero[64];

	(void)!write(other_fd, zero, sizeof(zero));
}

static void
has_too_many(void)
{
	int i;

	for (i = 0; i < 20000; i++)
		say_socket(STDOUT_FILENO);
	say_end(0);
}

static void
test_without_its_sockets_we_end(void)
{
	static void (*const answers[])(void) = { refuses, refuses_for_good,
		closes, says_something_else, has_no_descriptor, says_too_little,
		ends_with_too_little, says_what_is_no_message, has_too_many };
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		CHECK(asked_at_start(answers[i], ask_at_start) == FATAL);
}

static void
test_nobody_runs(void)
{
	(void)unlink(path);
	CHECK(parts_apart(ask_at_start) == FATAL);
	memset(parts_conf.control_socket, 'x',
	    sizeof(parts_conf.control_socket) - 1);
	CHECK(parts_apart(ask_at_start) == FATAL);
}

/* ---- one that is asked for all ---- */

static void
run(void)
{
	int i;

	for (i = 0; i < 10; i++)
		(void)ev_run(parent.loop, EVRUN_NOWAIT);
}

static int
is_asked(uint32_t type)
{
	struct imsg imsg;
	int is;

	run();
	if (imsgbuf_get(&other, &imsg) != 1 &&
	    (imsgbuf_read(&other) != 1 || imsgbuf_get(&other, &imsg) != 1))
		return (0);
	is = imsg_get_type(&imsg) == type;
	imsg_free(&imsg);
	return (is);
}

/* Asks it; returns 0, or -1. */
static int
begin(void)
{
	uint32_t i;
	int pair[2];

	/* It may be another process than the last time. */
	ev_loop_fork(parent.loop);
	/* And what it logs is not for the channel. */
	if (fcntl(STDERR_FILENO, F_GETFD) == -1 &&
	    open("/dev/null", O_WRONLY) != STDERR_FILENO)
		abort();
	channel_close(&parent.successor.channel);
	for (i = 0; i < parent.successor.unpark.file.nqueues; i++)
		(void)close(parent.successor.unpark.file.queues[i]);
	memset(&parent.successor, 0, sizeof(parent.successor));
	imsgbuf_clear(&other);
	(void)close(other_fd);
	if (channel_pair(pair) == -1 || imsgbuf_init(&other, pair[1]) == -1)
		abort();
	imsgbuf_allow_fdsend(&other);
	other_fd = pair[1];
	parent.successor.fd = pair[0];
	parent.successor.file = -1;
	parent.successor.asks = parent.successor.pending = 1;
	unparks = overs = 0;
	successor_open_channel(&parent, kept, over);
	parent.successor.last = 1;
	successor_ask(&parent);
	return (is_asked(CTL_TAKE) ? 0 : -1);
}

static void
say_all(void)
{
	(void)say(CTL_FILE, dup(STDOUT_FILENO), NULL, 0);
	(void)say(CTL_QUEUE, dup(STDOUT_FILENO), NULL, 0);
	(void)say(CTL_QUEUE, dup(STDOUT_FILENO), NULL, 0);
	say_end(0);
}

static void
test_all_comes_and_is_confirmed(void)
{
	CHECK(begin() == 0 && successor_can_go_back(&parent.successor));
	run();
	CHECK(unparks == 0);
	say_all();
	run();
	CHECK(unparks == 1 && parent.successor.file != -1);
	CHECK(parent.successor.unpark.file.nqueues == 2);
	CHECK(successor_can_go_back(&parent.successor));
	successor_taken(&parent);
	CHECK(is_asked(CTL_TAKEN) && !successor_can_go_back(&parent.successor));
	CHECK(overs == 0);
	say_end(0);
	run();
	CHECK(overs == 1 && !parent.successor.channel.open && unparks == 1);
}

/* Of one that is alike its children are asked for; queues do not come then. */
static int
begin_alike(void)
{
	if (begin() == -1)
		return (-1);
	parent.successor.adopt.likely = 1;
	successor_ask(&parent);
	return (is_asked(CTL_ADOPT) ? 0 : -1);
}

static void
test_its_children_come(void)
{
	struct msg_ctl_ward ward = { ROLE_AUTH, 0, 1, 2, 3 };

	CHECK(begin_alike() == 0);
	wards = 0;
	(void)say(CTL_WARD, dup(STDOUT_FILENO), &ward, sizeof(ward));
	(void)say(CTL_WARD_PAGE, dup(STDOUT_FILENO), NULL, 0);
	(void)say(CTL_WARD_LOG, dup(STDOUT_FILENO), NULL, 0);
	(void)say(CTL_WARD_WORDS, dup(STDOUT_FILENO), NULL, 0);
	(void)say(CTL_FILE, dup(STDOUT_FILENO), NULL, 0);
	say_end(0);
	run();
	CHECK(wards == 4 && unparks == 1 && parent.successor.file != -1);
	CHECK(successor_can_go_back(&parent.successor));
	successor_taken(&parent);
	CHECK(is_asked(CTL_TAKEN) && !successor_can_go_back(&parent.successor));
}

/* Some more of them, and again: the channel is open for it each time. */
static void
test_some_come_before(void)
{
	int i;

	CHECK(begin() == 0);
	say_all();
	run();
	for (i = 2; i < 5; i++) {
		parent.successor.last = 0;
		parent.successor.file = -1;
		successor_ask(&parent);
		CHECK(is_asked(CTL_AHEAD) && unparks == i - 1);
		CHECK(successor_can_go_back(&parent.successor));
		say_all();
		run();
		CHECK(unparks == i && parent.successor.file != -1);
	}
	parent.successor.last = 1;
	successor_ask(&parent);
	CHECK(is_asked(CTL_TAKE));
}

/* The last file counts, and there are so many queues. */
static void
test_files_twice(void)
{
	int fd;

	CHECK(begin() == 0);
	(void)say(CTL_FILE, dup(STDOUT_FILENO), NULL, 0);
	run();
	fd = parent.successor.file;
	CHECK(fd != -1);
	(void)say(CTL_FILE, dup(STDIN_FILENO), NULL, 0);
	run();
	CHECK(parent.successor.file != -1 && unparks == 0);
}

static void
refuses_to_give_all(void)
{
	if (begin() == 0)
		say_end(EAGAIN);
	run();
}

static void
closes_before_it_has_given_all(void)
{
	if (begin() == 0)
		imsgbuf_clear(&other);
	(void)close(other_fd);
	run();
}

static void
has_no_file(void)
{
	if (begin() == 0)
		say_end(0);
	run();
}

static void
has_too_many_queues(void)
{
	int i;

	if (begin() == 0)
		for (i = 0; i < PARK_QUEUES_MAX + 1; i++) {
			(void)say(CTL_QUEUE, dup(STDOUT_FILENO), NULL, 0);
			run();
		}
}

static void
says_all_twice(void)
{
	if (begin() == 0)
		say_all();
	run();
	if (unparks != 1)
		return;
	say_all();
	run();
}

static void
does_not_let_go(void)
{
	if (begin() == 0)
		say_all();
	run();
	successor_taken(&parent);
	if (is_asked(CTL_TAKEN))
		say_end(EBUSY);
	run();
}

static void
has_more_when_we_have_all(void)
{
	if (begin() == 0)
		say_all();
	run();
	successor_taken(&parent);
	(void)say(CTL_QUEUE, dup(STDOUT_FILENO), NULL, 0);
	run();
}

static void
test_what_ends_us(void)
{
	CHECK(parts_apart(refuses_to_give_all) == ENDS);
	CHECK(parts_apart(closes_before_it_has_given_all) == ENDS);
	CHECK(parts_apart(has_no_file) == ENDS);
	CHECK(parts_apart(has_too_many_queues) == ENDS);
	CHECK(parts_apart(says_all_twice) == ENDS);
	CHECK(parts_apart(does_not_let_go) == ENDS);
	CHECK(parts_apart(has_more_when_we_have_all) == ENDS);
}

static void
closes_before_it_says_so(void)
{
	if (begin() == 0)
		say_all();
	run();
	successor_taken(&parent);
	imsgbuf_clear(&other);
	(void)close(other_fd);
	run();
}

/* It may go on yet: two that serve were worse than none. */
static void
test_its_end_is_to_be_said(void)
{
	CHECK(parts_apart(closes_before_it_says_so) == ENDS);
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	parts_init();
	channel_loop_init(parent.loop);
	(void)snprintf(
	    path, sizeof(path), "/tmp/successor_ask_test.%d", getpid());
	(void)strlcpy(
	    parts_conf.control_socket, path, sizeof(parts_conf.control_socket));
	RUN(test_its_sockets_are_ours);
	RUN(test_without_its_sockets_we_end);
	RUN(test_nobody_runs);
	RUN(test_all_comes_and_is_confirmed);
	RUN(test_some_come_before);
	RUN(test_files_twice);
	RUN(test_what_ends_us);
	RUN(test_its_end_is_to_be_said);
	(void)unlink(path);
	RUN(test_its_children_come);
	return (test_failed());
}
