/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "regress/unit/metrics/parts.h"

/* Connections: a request each, few, and none for long. */

static struct sockaddr_in at;
static int no_descriptors; /* how often accept4(2) says so */
static size_t size = 5;    /* of an answer */

int
accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	if (no_descriptors > 0) {
		no_descriptors--;
		errno = EMFILE;
		return (-1);
	}
	fd = accept(fd, addr, len);
	if (fd != -1)
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return (fd);
}

/* A request ends with a newline here. */
int
request_parse(const char *head, size_t len, struct request *req)
{
	if (len == REQUEST_MAX)
		return (1);
	return (memchr(head, '\n', len) != NULL);
}

char *
answer(const struct metrics *of, const struct request *req, size_t *len)
{
	char *text;

	text = malloc(size);
	if (text != NULL)
		memset(text, 'a', size);
	*len = size;
	return (text);
}

static void
turns(int n)
{
	while (n-- > 0)
		ev_run(m.loop, EVRUN_NOWAIT);
}

static int
client(const char *says)
{
	int fd;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    send(fd, says, strlen(says), MSG_NOSIGNAL) == -1)
		abort();
	turns(3);
	return (fd);
}

/* How many bytes it has got until the end; -1: it has not ended. */
static ssize_t
got(int fd)
{
	static char bytes[1 << 16];
	ssize_t n, sum;

	for (sum = 0;; sum += n) {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n <= 0)
			break;
	}
	if (n == -1)
		return (-1);
	(void)close(fd);
	return (sum);
}

static void
test_a_request_gets_its_answer_and_the_end(void)
{
	int fd;

	CHECK(got(client("x\n")) == 5 && m.nconns == 0);
	/* In pieces, as it likes. */
	fd = client("x");
	CHECK(m.nconns == 1);
	CHECK(send(fd, "y\n", 2, MSG_NOSIGNAL) == 2);
	turns(2);
	CHECK(got(fd) == 5 && m.nconns == 0);
	/* What comes behind does not cut the answer off. */
	CHECK(got(client("x\nmore of it\n")) == 5);
}

static void
test_who_hangs_up_is_gone(void)
{
	int fd;

	fd = client("x");
	(void)close(fd);
	turns(2);
	CHECK(m.nconns == 0);
}

/* The kernel does not take it at once: the rest follows. */
static void
test_a_long_answer(void)
{
	ssize_t n, sum;
	int fd, i;

	size = 16 << 20;
	fd = client("x\n");
	CHECK(m.nconns == 1);
	for (i = 0, sum = 0; i < 10000 && m.nconns == 1; i++) {
		static char bytes[1 << 16];

		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			sum += n;
		turns(1);
	}
	CHECK(m.nconns == 0 && sum + got(fd) == 16 << 20);
	size = 5;
}

static void
test_a_slow_one_has_its_time(void)
{
	struct conn *c;
	uint64_t slow;
	int fd;

	slow = COUNTED(HTTP_SLOW);
	fd = client("x");
	c = TAILQ_FIRST(&m.conns);
	CHECK(c != NULL && ev_timer_remaining(m.loop, &c->deadline) > 4.);
	ev_feed_event(m.loop, &c->deadline, EV_TIMER);
	ev_invoke_pending(m.loop);
	CHECK(m.nconns == 0 && COUNTED(HTTP_SLOW) == slow + 1);
	CHECK(got(fd) == 0);
}

static void
test_the_oldest_makes_room(void)
{
	int fds[CONNS_MAX + 2];
	uint64_t crowded;
	int i;

	crowded = COUNTED(HTTP_CROWDED);
	for (i = 0; i < CONNS_MAX + 2; i++)
		fds[i] = client("x");
	CHECK(m.nconns == CONNS_MAX);
	CHECK(COUNTED(HTTP_CROWDED) == crowded + 2);
	CHECK(got(fds[0]) == 0 && got(fds[1]) == 0 && got(fds[2]) == -1);
	for (i = 2; i < CONNS_MAX + 2; i++)
		(void)close(fds[i]);
	turns(3);
	CHECK(m.nconns == 0);
}

static void
test_without_descriptors(void)
{
	int fds[2];

	fds[0] = client("x");
	no_descriptors = 1;
	fds[1] = client("x\n");
	/* The one that was there made room. */
	CHECK(got(fds[0]) == 0 && got(fds[1]) == 5);
	/* Nobody is there to: accepting pauses. */
	no_descriptors = 1;
	fds[0] = client("x\n");
	CHECK(!ev_is_active(&m.doors[0]->io) && ev_is_active(&m.pause));
	ev_feed_event(m.loop, &m.pause, EV_TIMER);
	ev_invoke_pending(m.loop);
	turns(3);
	CHECK(got(fds[0]) == 5 && ev_is_active(&m.doors[0]->io));
}

static void
test_no_more_listeners_than_there_is_room_for(void)
{
	struct msg_listener msg;
	struct msg_unlisten gone;

	memset(&msg, 0, sizeof(msg));
	memset(&gone, 0, sizeof(gone));
	msg.number = gone.number = 1;
	while (m.ndoors < DOORS_MAX)
		CHECK(serve_listen(&m, &msg, dup(0)) == NULL);
	CHECK(serve_listen(&m, &msg, 0) != NULL);
	while (m.ndoors > 1)
		CHECK(serve_unlisten(&m, &gone) == NULL);
	CHECK(serve_unlisten(&m, &gone) != NULL);
}

int
main(void)
{
	static const struct msg_listener first;
	socklen_t len;
	int fd;

	parts_loop();
	serve_init(&m);
	len = sizeof(at);
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&at, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) == -1 ||
	    listen(fd, 16) == -1 || serve_listen(&m, &first, fd) != NULL)
		return (1);
	serve_start(&m);
	RUN(test_a_request_gets_its_answer_and_the_end);
	RUN(test_who_hangs_up_is_gone);
	RUN(test_a_long_answer);
	RUN(test_a_slow_one_has_its_time);
	RUN(test_the_oldest_makes_room);
	RUN(test_without_descriptors);
	RUN(test_no_more_listeners_than_there_is_room_for);
	return (test_failed());
}
