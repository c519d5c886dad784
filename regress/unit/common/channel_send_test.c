/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/log.h"
#include "regress/unit/test.h"

/* What a channel sends, and how it ends: by itself, or for want of something */

static struct ev_loop *loop;
static struct channel channel;
static struct imsgbuf peer;
static int peer_fd, calls, ended;
static const char *end_reason;

/* Booleans: there is no memory; what sendmsg(2) and recvmsg(2) fail with. */
static int no_malloc, no_calloc;
static int send_error, recv_error;
static char logged[200];

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
ssize_t __real_recvmsg(int, struct msghdr *, int);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
ssize_t __wrap_recvmsg(int, struct msghdr *, int);
void __wrap_log_limited(struct log_limit *, uint32_t, const char *, ...)
    __attribute__((format(printf, 3, 4)));

void *
__wrap_malloc(size_t size)
{
	errno = ENOMEM;
	return (no_malloc ? NULL : __real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	errno = ENOMEM;
	return (no_calloc ? NULL : __real_calloc(n, size));
}

void *
__wrap_realloc(void *old, size_t size)
{
	errno = ENOMEM;
	return (no_malloc ? NULL : __real_realloc(old, size));
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	errno = send_error;
	return (send_error != 0 ? -1 : __real_sendmsg(fd, msg, flags));
}

ssize_t
__wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	errno = recv_error;
	return (recv_error != 0 && fd != peer_fd
		    ? -1
		    : __real_recvmsg(fd, msg, flags));
}

void
__wrap_log_limited(
    struct log_limit *limit, uint32_t now, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(logged, sizeof(logged), format, ap);
	va_end(ap);
}

static const char *
take(void *owner, const void *data, size_t len, int fd)
{
	calls++;
	return (len == 0 || memcmp(data, "x", len) == 0 ? NULL : "other data");
}

static const char *
wait(void *owner, const void *data, size_t len, int fd)
{
	calls++;
	channel_pause(&channel);
	return (NULL);
}

static const struct channel_rule rules[] = {
	{ 1, "WITH_FD", 0, 0, CHANNEL_FD, ~0U, 1, take },
	{ 2, "DATA", 1, 1, CHANNEL_NO_FD, ~0U, 1, take },
	{ 3, "WAIT", 0, 0, CHANNEL_NO_FD, ~0U, 1, wait },
};

static int open_channel(int);

static int again; /* boolean: who hears of its end opens it, and is sent to */

static void
on_end(void *owner, const char *reason)
{
	int pair[2];

	ended++;
	end_reason = reason;
	if (!again)
		return;
	imsgbuf_clear(&peer);
	if (channel_pair(pair) == -1 || open_channel(pair[0]) != 0 ||
	    imsgbuf_init(&peer, pair[1]) == -1 ||
	    imsg_compose(&peer, 2, 0, 0, -1, "x", 1) == -1 ||
	    imsgbuf_write(&peer) == -1)
		abort();
	peer_fd = pair[1];
}

static int
open_channel(int fd)
{
	return (channel_open(&channel, loop, fd, "test", rules,
	    sizeof(rules) / sizeof(rules[0]), on_end, NULL));
}

static void
open_pair(void)
{
	int pair[2];

	calls = ended = 0;
	end_reason = NULL;
	logged[0] = '\0';
	if (channel_pair(pair) == -1 || open_channel(pair[0]) != 0 ||
	    imsgbuf_init(&peer, pair[1]) == -1)
		abort();
	imsgbuf_allow_fdrecv(&peer);
	imsgbuf_allow_fdsend(&peer);
	peer_fd = pair[1];
}

static void
close_pair(void)
{
	channel_close(&channel);
	imsgbuf_clear(&peer);
	(void)close(peer_fd);
}

static void
turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

/* Messages of that type and text that have come to the peer; -1: another. */
static int
got(uint32_t type, const char *text)
{
	struct imsg imsg;
	char data[8];
	int n, r;

	for (n = 0;; n++) {
		if (imsgbuf_get(&peer, &imsg) != 1 &&
		    (imsgbuf_read(&peer) != 1 ||
			imsgbuf_get(&peer, &imsg) != 1))
			return (n);
		memset(data, 0, sizeof(data));
		r = imsg_get_type(&imsg) == type && imsg.pid == 0 &&
		    imsg.peerid == 7 && imsg_get_len(&imsg) == strlen(text) &&
		    imsg_get_data(&imsg, data, strlen(text)) == 0 &&
		    strcmp(data, text) == 0;
		imsg_free(&imsg);
		if (!r)
			return (-1);
	}
}

static int
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

static int
null_fd(void)
{
	return (open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void
a_pair_is_as_it_is_to_be(void)
{
	int i, pair[2];

	CHECK(channel_pair(pair) == 0);
	for (i = 0; i < 2; i++) {
		CHECK((fcntl(pair[i], F_GETFL) & O_NONBLOCK) != 0);
		CHECK((fcntl(pair[i], F_GETFD) & FD_CLOEXEC) != 0);
		(void)close(pair[i]);
	}
}

static void
what_is_opened(void)
{
	int pair[2];

	open_pair();
	CHECK(channel.imsgbuf.fdrecv == 1);
	CHECK(channel.imsgbuf.limit == CHANNEL_LIMIT);
	CHECK((channel.writer.events & (EV_READ | EV_WRITE)) == EV_WRITE);
	close_pair();
	/* Where no descriptor belongs none is taken. */
	CHECK(channel_pair(pair) == 0);
	CHECK(channel_open(&channel, loop, pair[0], "test", rules + 1, 2,
		  on_end, NULL) == 0);
	CHECK(channel.imsgbuf.fdrecv == 0);
	channel_close(&channel);
	(void)close(pair[1]);
}

static void
without_memory_nothing_is_opened(void)
{
	int i, pair[2], r;

	for (i = 0; i < 2; i++) {
		CHECK(channel_pair(pair) == 0);
		*(i == 0 ? &no_malloc : &no_calloc) = 1;
		r = open_channel(pair[0]);
		no_malloc = no_calloc = 0;
		CHECK(r == -1 && !is_open(pair[0]));
		(void)close(pair[1]);
	}
}

/* All that a turn has for it leaves before the loop waits. */
static void
what_is_sent_is_gathered(void)
{
	int i;

	open_pair();
	for (i = 0; i < 3; i++) {
		CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
		CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
		CHECK(channel.dirty && got(4, "abc") == 0);
		CHECK(channel_queued(&channel) == 2 * (IMSG_HEADER_SIZE + 3));
		turn();
		CHECK(!channel.dirty && channel_queued(&channel) == 0);
		CHECK(!ev_is_active(&channel.writer));
		CHECK(got(4, "abc") == 2);
	}
	CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
	CHECK(channel_flush(&channel) == 0 && !channel.dirty);
	CHECK(got(4, "abc") == 1);
	close_pair();
}

static void
what_the_kernel_does_not_take_waits(void)
{
	open_pair();
	CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
	send_error = EAGAIN;
	turn();
	CHECK(ev_is_active(&channel.writer) && got(4, "abc") == 0);
	CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
	send_error = 0;
	turn();
	CHECK(!ev_is_active(&channel.writer) && got(4, "abc") == 2);
	close_pair();
}

static void
a_descriptor_goes_with_its_message(void)
{
	int fd;

	open_pair();
	fd = null_fd();
	CHECK(channel_send(&channel, 5, 7, fd, "abc", 3) == 0);
	CHECK(channel.dirty && is_open(fd));
	turn();
	CHECK(!is_open(fd) && got(5, "abc") == 1);
	close_pair();
}

/* The descriptor is gone in each case. */
static void
what_cannot_be_sent(void)
{
	static const uint8_t data[8192];
	size_t queued;
	int fd;

	open_pair();
	while (channel_send(&channel, 4, 7, -1, data, sizeof(data)) == 0)
		continue;
	queued = channel_queued(&channel);
	CHECK(errno == ENOBUFS && queued > CHANNEL_LIMIT - 9000);
	fd = null_fd();
	CHECK(channel_send(&channel, 4, 7, fd, data, sizeof(data)) == -1);
	CHECK(errno == ENOBUFS && !is_open(fd));
	/* Nor was room made for it by sending. */
	CHECK(channel_queued(&channel) == queued);
	close_pair();
	CHECK(channel_queued(&channel) == 0);
	fd = null_fd();
	errno = 0;
	CHECK(channel_send(&channel, 4, 7, fd, "abc", 3) == -1);
	CHECK(errno == EPIPE && !is_open(fd));
	errno = 0;
	CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == -1);
	CHECK(errno == EPIPE && channel_flush(&channel) == -1);
	CHECK(ended == 0);
}

/* What is there serves again and again, as long as the other end reads. */
static void
without_memory_the_queue_is_sent(void)
{
	int i;

	open_pair();
	no_malloc = no_calloc = 1;
	for (i = 0; i < 3; i++) {
		int fd;

		fd = null_fd();
		if (channel_send(&channel, 5, 7, fd, "abc", 3) != 0)
			break;
	}
	no_malloc = no_calloc = 0;
	CHECK(i == 3 && channel_flush(&channel) == 0);
	CHECK(got(5, "abc") == 3);
	no_malloc = no_calloc = 1;
	send_error = EAGAIN;
	errno = 0;
	for (i = 0; i < 3; i++)
		if (channel_send(&channel, 5, 7, null_fd(), "abc", 3) == -1)
			break;
	no_malloc = no_calloc = send_error = 0;
	CHECK(i == 1 && errno == ENOMEM);
	close_pair();
}

static void
a_failure_to_send_ends_it(void)
{
	open_pair();
	CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
	send_error = ENOTCONN;
	CHECK(channel_flush(&channel) == -1);
	send_error = 0;
	CHECK(ended == 1 && strncmp(end_reason, "sendmsg: ", 9) == 0);
	close_pair();
}

/* What the other end said before it went is still to read. */
static void
gone_is_who_cannot_be_sent_to(void)
{
	static const int errors[] = { EPIPE, ECONNRESET };
	size_t i;

	for (i = 0; i < 2; i++) {
		open_pair();
		CHECK(channel_send(&channel, 4, 7, -1, "abc", 3) == 0);
		send_error = EAGAIN;
		turn();
		CHECK(ev_is_active(&channel.writer));
		send_error = errors[i];
		CHECK(channel_flush(&channel) == 0);
		send_error = 0;
		CHECK(ended == 0 && !ev_is_active(&channel.writer));
		close_pair();
	}
}

/* A read that fails so: the reason, or "" if there is none. */
static const char *
read_fails(int error)
{
	open_pair();
	if (imsg_compose(&peer, 2, 0, 0, -1, "x", 1) == -1 ||
	    imsgbuf_write(&peer) == -1)
		abort();
	recv_error = error;
	turn();
	recv_error = 0;
	close_pair();
	if (ended != 1 || calls != 0)
		return ("it has not ended");
	return (end_reason == NULL ? "" : end_reason);
}

static void
a_failure_to_read_ends_it(void)
{
	CHECK(strcmp(read_fails(ECONNRESET), "") == 0);
	CHECK(strcmp(read_fails(EBADMSG), "unreadable message") == 0);
	CHECK(strcmp(read_fails(ERANGE), "unreadable message") == 0);
	CHECK(strncmp(read_fails(ENOTCONN), "recvmsg: ", 9) == 0);
}

/* n messages of that type come, as one. */
static void
say(uint32_t type, int n, const char *text)
{
	while (n-- > 0)
		if (imsg_compose(&peer, type, 0, 0, -1, text, strlen(text)) ==
		    -1)
			abort();
	if (imsgbuf_write(&peer) == -1)
		abort();
}

static void
data_is_what_was_sent(void)
{
	open_pair();
	say(2, 1, "y");
	turn();
	CHECK(
	    calls == 1 && ended == 1 && strcmp(end_reason, "other data") == 0);
	close_pair();
	open_pair();
	say(2, 2, "x");
	turn();
	CHECK(calls == 2 && ended == 0 && logged[0] == '\0');
	close_pair();
}

static void
what_is_refused_is_logged(void)
{
	open_pair();
	say(2, 1, "xx");
	turn();
	CHECK(ended == 1 &&
	      strcmp(logged,
		  "test: message of wrong size: type 0x2 DATA, 2 bytes") == 0);
	close_pair();
	open_pair();
	say(99, 1, "");
	turn();
	CHECK(ended == 1 &&
	      strcmp(logged,
		  "test: message of unknown type: type 0x63, 0 bytes") == 0);
	close_pair();
}

static void
no_header_of_a_message(void)
{
	static const uint32_t header[4] = { 2, 3, 0, 0 };

	open_pair();
	CHECK(write(peer_fd, header, sizeof(header)) == sizeof(header));
	turn();
	CHECK(ended == 1 && strcmp(end_reason, "malformed message") == 0);
	close_pair();
}

/* We have as many as we may have: it was sent, and is lost. */
static void
a_descriptor_that_does_not_arrive(void)
{
	struct rlimit limit, none;

	open_pair();
	CHECK(imsg_compose(&peer, 1, 0, 0, null_fd(), NULL, 0) == 1);
	CHECK(imsgbuf_write(&peer) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	none = limit;
	none.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	turn();
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(calls == 0 && ended == 1);
	CHECK(strcmp(end_reason, "descriptor lost") == 0);
	close_pair();
}

/* What was read before comes first, and no more until there is something. */
static void
a_pause_between_messages(void)
{
	open_pair();
	say(3, 3, "");
	turn();
	CHECK(calls == 1 && channel.paused);
	(void)shutdown(peer_fd, SHUT_WR);
	turn();
	CHECK(calls == 1);
	channel_resume(&channel);
	ev_feed_event(loop, &channel.reader, EV_READ);
	ev_invoke_pending(loop);
	CHECK(calls == 2 && channel.paused && ended == 0);
	channel_resume(&channel);
	ev_invoke_pending(loop);
	CHECK(calls == 3 && channel.paused && ended == 0);
	channel_resume(&channel);
	ev_invoke_pending(loop);
	CHECK(!channel.paused && ended == 0);
	turn();
	CHECK(ended == 1 && end_reason == NULL);
	close_pair();
}

/* What ends it comes behind a pause; nothing is read of the next one yet. */
static int
ends_and_opens(const void *bytes, size_t len)
{
	int end, r;

	open_pair();
	say(3, 1, "");
	if (write(peer_fd, bytes, len) != (ssize_t)len)
		abort();
	turn();
	again = 1;
	end = peer_fd;
	channel_resume(&channel);
	ev_feed_event(loop, &channel.reader, EV_READ);
	ev_invoke_pending(loop);
	again = 0;
	r = ended == 1 && channel.open && calls == 1;
	turn();
	r = r && calls == 2;
	close_pair();
	(void)close(end);
	return (r);
}

static void
who_hears_of_the_end_may_open_it_anew(void)
{
	static const uint32_t unknown[4] = { 99, 16, 0, 0 };
	static const uint32_t malformed[4] = { 2, 3, 0, 0 };

	CHECK(ends_and_opens(unknown, sizeof(unknown)));
	CHECK(ends_and_opens(malformed, sizeof(malformed)));
}

static void
what_is_closed_stays_so(void)
{
	int fd;

	open_pair();
	fd = channel.imsgbuf.fd;
	channel_close(&channel);
	/* Somebody else's, by now. */
	CHECK(dup2(STDOUT_FILENO, fd) == fd);
	channel_close(&channel);
	CHECK(is_open(fd));
	channel_pause(&channel);
	CHECK(!channel.paused);
	channel_resume(&channel);
	CHECK(!ev_is_active(&channel.reader));
	channel.paused = 1;
	channel_resume(&channel);
	CHECK(!ev_is_active(&channel.reader) && channel.paused);
	(void)close(fd);
	close_pair();
}

/* libev has stopped the watchers: nothing is to be had now. */
static void
without_memory_for_epoll(void)
{
	open_pair();
	say(2, 1, "x");
	ev_io_stop(loop, &channel.reader);
	ev_feed_event(loop, &channel.reader, EV_READ | EV_ERROR);
	ev_invoke_pending(loop);
	CHECK(calls == 0 && ended == 0);
	close_pair();
}

int
main(void)
{
	log_init("channel_send_test", LOG_TO_STDERR);
	loop = ev_default_loop(EVFLAG_NOENV);
	channel_loop_init(loop);
	RUN(a_pair_is_as_it_is_to_be);
	RUN(what_is_opened);
	RUN(without_memory_nothing_is_opened);
	RUN(what_is_sent_is_gathered);
	RUN(what_the_kernel_does_not_take_waits);
	RUN(a_descriptor_goes_with_its_message);
	RUN(what_cannot_be_sent);
	RUN(without_memory_the_queue_is_sent);
	RUN(a_failure_to_send_ends_it);
	RUN(gone_is_who_cannot_be_sent_to);
	RUN(a_failure_to_read_ends_it);
	RUN(data_is_what_was_sent);
	RUN(what_is_refused_is_logged);
	RUN(no_header_of_a_message);
	RUN(a_descriptor_that_does_not_arrive);
	RUN(a_pause_between_messages);
	RUN(who_hears_of_the_end_may_open_it_anew);
	RUN(what_is_closed_stays_so);
	RUN(without_memory_for_epoll);
	return (test_failed());
}
