/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "parent/dial.h"
#include "regress/unit/test.h"

static struct ev_loop *loop;
static struct dial dial;
static int calls, got, error;

static void
done(void *owner, int fd, int why)
{
	calls += owner == &calls;
	got = fd;
	error = why;
	ev_break(loop, EVBREAK_ALL);
}

/* A listener on loopback that takes so many; its address in ss. */
static int
listener(struct sockaddr_storage *ss, int backlog)
{
	struct sockaddr_in *sin;
	socklen_t len;
	int fd;

	memset(ss, 0, sizeof(*ss));
	sin = (struct sockaddr_in *)ss;
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	len = sizeof(*sin);
	if (bind(fd, (struct sockaddr *)ss, len) == -1 ||
	    (backlog >= 0 && listen(fd, backlog) == -1) ||
	    getsockname(fd, (struct sockaddr *)ss, &len) == -1)
		abort();
	return (fd);
}

static void
set_up(void)
{
	loop = ev_default_loop(EVFLAG_NOENV);
	calls = 0;
	got = error = -1;
	dial_init(&dial, loop, done, &calls);
}

static void
test_accepted(void)
{
	struct sockaddr_storage ss;
	int fd, peer;

	set_up();
	fd = listener(&ss, 1);
	dial_start(&dial, &ss, sizeof(struct sockaddr_in));
	CHECK(calls == 0 && dial_busy(&dial));
	ev_run(loop, 0);
	CHECK(calls == 1 && got != -1 && error == 0 && !dial_busy(&dial));
	CHECK((fcntl(got, F_GETFL) & O_NONBLOCK) != 0);
	CHECK((fcntl(got, F_GETFD) & FD_CLOEXEC) != 0);
	peer = accept(fd, NULL, NULL);
	CHECK(peer != -1 && write(peer, "x", 1) == 1);
	(void)close(peer);
	(void)close(got);
	(void)close(fd);
}

static void
test_refused(void)
{
	struct sockaddr_storage ss;
	int fd;

	set_up();
	/* Bound, and so nobody else's; but nobody listens. */
	fd = listener(&ss, -1);
	dial_start(&dial, &ss, sizeof(struct sockaddr_in));
	CHECK(calls == 0);
	ev_run(loop, 0);
	CHECK(calls == 1 && got == -1 && error == ECONNREFUSED);
	(void)close(fd);
}

static void
test_path(void)
{
	struct sockaddr_storage ss;
	struct sockaddr_un *sun;
	int fd;

	set_up();
	memset(&ss, 0, sizeof(ss));
	sun = (struct sockaddr_un *)&ss;
	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path),
	    "/tmp/dial_test.%d", (int)getpid());
	dial_start(&dial, &ss, sizeof(*sun));
	ev_run(loop, 0);
	CHECK(calls == 1 && got == -1 && error == ENOENT);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(fd, (struct sockaddr *)sun, sizeof(*sun)) == 0);
	CHECK(listen(fd, 1) == 0);
	dial_start(&dial, &ss, sizeof(*sun));
	ev_run(loop, 0);
	(void)unlink(sun->sun_path);
	CHECK(calls == 2 && got != -1 && error == 0);
	(void)close(got);
	(void)close(fd);
}

/* A backlog that is full: the kernel leaves our SYN without an answer. */
static void
test_no_answer(void)
{
	struct sockaddr_storage ss;
	ev_tstamp before;
	int fd, i, fill[4];

	set_up();
	fd = listener(&ss, 0);
	for (i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&ss,
		    sizeof(struct sockaddr_in));
	}
	dial_start(&dial, &ss, sizeof(struct sockaddr_in));
	before = ev_now(loop);
	ev_run(loop, 0);
	CHECK(calls == 1 && got == -1 && error == ETIMEDOUT);
	CHECK(ev_now(loop) - before > DIAL_SECONDS - 1.);
	CHECK(ev_now(loop) - before < DIAL_SECONDS + 3.);
	for (i = 0; i < 4; i++)
		(void)close(fill[i]);
	(void)close(fd);
}

/* What is given up is closed, and nobody hears of it. */
static void
test_given_up(void)
{
	struct sockaddr_storage ss;
	int fd, first, other;

	set_up();
	fd = listener(&ss, 4);
	dial_start(&dial, &ss, sizeof(struct sockaddr_in));
	first = dial.fd;
	dial_stop(&dial);
	CHECK(!dial_busy(&dial) && fcntl(first, F_GETFD) == -1);
	(void)ev_run(loop, EVRUN_NOWAIT);
	CHECK(calls == 0);
	other = listener(&ss, 4);
	dial_start(&dial, &ss, sizeof(struct sockaddr_in));
	dial_start(&dial, &ss, sizeof(struct sockaddr_in));
	ev_run(loop, 0);
	(void)ev_run(loop, EVRUN_NOWAIT);
	CHECK(calls == 1 && got != -1);
	(void)close(got);
	(void)close(fd);
	(void)close(other);
}

int
main(void)
{
	RUN(test_accepted);
	RUN(test_refused);
	RUN(test_path);
	RUN(test_no_answer);
	RUN(test_given_up);
	return (test_failed());
}
