/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "common/imsg.h"
#include "regress/unit/common/imsg_pair.h"
#include "regress/unit/test.h"

#define MARKED (IMSG_FD_MARK | IMSG_HEADER_SIZE)

/* Queues a message with a copy of fd. */
static int
compose_fd(struct pair *p, uint32_t type, int fd, size_t len)
{
	static const unsigned char data[MAX_IMSGSIZE];

	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	return (imsg_compose(&p->a, type, 0, 0, fd, data, len));
}

/* Whether the next message is `type` and brings file; -1: it brings none. */
static int
next_is(struct imsgbuf *imsgbuf, uint32_t type, int file)
{
	struct imsg imsg;
	int fd, ok;

	if (imsgbuf_get(imsgbuf, &imsg) != 1 || imsg_get_type(&imsg) != type)
		return (0);
	if (file == -1)
		return (!imsg_has_fd(&imsg) && imsg_get_fd(&imsg) == -1);
	fd = imsg_get_fd(&imsg);
	ok = imsg_has_fd(&imsg) && imsg_get_fd(&imsg) == -1 &&
	     same_file(fd, file) && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
	imsg_free(&imsg);
	close(fd);
	return (ok);
}

/* Whether the next message lost its descriptor. */
static int
next_lost(struct imsgbuf *imsgbuf, uint32_t type)
{
	struct imsg imsg;

	return (imsgbuf_get(imsgbuf, &imsg) == 1 &&
		imsg_get_type(&imsg) == type && imsg_has_fd(&imsg) &&
		imsg_get_fd(&imsg) == -1);
}

/* Sends messages that fill the read buffer but for `left` bytes. */
static int
send_filler(int sock, size_t left)
{
	size_t len, n;

	for (n = IMSGBUF_READ_SIZE - left; n > 0; n -= len) {
		len = n > 15000 ? 10000 : n;
		if (raw_send(sock, 1, (uint32_t)len, NULL, 0) == -1)
			return (-1);
	}
	return (0);
}

static int
skip_filler(struct imsgbuf *imsgbuf)
{
	struct imsg imsg;
	int n;

	while ((n = imsgbuf_get(imsgbuf, &imsg)) == 1)
		if (imsg_get_type(&imsg) != 1)
			return (-1);
	return (n);
}

/* The read buffer ends inside the header of a message with a descriptor. */
static void
split_header(void)
{
	struct pair p;
	int before, file;
	size_t k;

	before = open_fds();
	file = new_file();
	CHECK(file != -1);
	for (k = 1; k < IMSG_HEADER_SIZE; k++) {
		CHECK(pair_open(&p) == 0);
		CHECK(send_filler(p.fd[0], k) == 0);
		CHECK(compose_fd(&p, 2, file, 8) == 1);
		CHECK(imsg_compose(&p.a, 3, 0, 0, -1, NULL, 0) == 1);
		CHECK(imsgbuf_write(&p.a) == 0 && imsgbuf_queued(&p.a) == 0);
		CHECK(imsgbuf_read(&p.b) == 1 && skip_filler(&p.b) == 0);
		CHECK(p.b.rlen - p.b.rpos == k && p.b.nfds == 1);
		CHECK(imsgbuf_read(&p.b) == 1);
		CHECK(next_is(&p.b, 2, file) && next_is(&p.b, 3, -1));
		pair_close(&p);
	}
	close(file);
	CHECK(open_fds() == before);
}

static void
two_before_the_first_header(void)
{
	struct pair p;
	int before, one, two;

	before = open_fds();
	one = new_file();
	two = new_file();
	CHECK(pair_open(&p) == 0 && send_filler(p.fd[0], 5) == 0);
	CHECK(compose_fd(&p, 2, one, 0) == 1);
	CHECK(compose_fd(&p, 3, two, 0) == 1);
	CHECK(imsgbuf_write(&p.a) == 0);
	CHECK(imsgbuf_read(&p.b) == 1 && skip_filler(&p.b) == 0);
	CHECK(imsgbuf_read(&p.b) == 1);
	CHECK(p.b.nfds == 2);
	CHECK(next_is(&p.b, 2, one) && next_is(&p.b, 3, two));
	pair_close(&p);
	close(one);
	close(two);
	CHECK(open_fds() == before);
}

/* From now on no descriptor can be opened, until limit is set again. */
static int
exhaust_fds(struct rlimit *limit)
{
	struct rlimit low;
	int fd;

	fd = dup(0);
	if (fd == -1 || getrlimit(RLIMIT_NOFILE, limit) == -1)
		return (-1);
	close(fd);
	low = *limit;
	low.rlim_cur = (rlim_t)fd;
	return (setrlimit(RLIMIT_NOFILE, &low));
}

static void
descriptor_limit(void)
{
	struct rlimit limit;
	struct pair p;
	int before, file[3], i;

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	for (i = 0; i < 3; i++) {
		file[i] = new_file();
		CHECK(compose_fd(&p, 10 + (uint32_t)i, file[i], 50) == 1);
		CHECK(imsg_compose(&p.a, 20, 0, 0, -1, NULL, 0) == 1);
	}
	CHECK(imsgbuf_write(&p.a) == 0);
	CHECK(imsgbuf_read(&p.b) == 1);
	CHECK(exhaust_fds(&limit) == 0);
	i = imsgbuf_read(&p.b);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && i == 1);
	CHECK(imsgbuf_read(&p.b) == 1);
	CHECK(next_is(&p.b, 10, file[0]) && next_is(&p.b, 20, -1));
	CHECK(next_lost(&p.b, 11) && next_is(&p.b, 20, -1));
	CHECK(next_is(&p.b, 12, file[2]) && next_is(&p.b, 20, -1));
	CHECK(imsgbuf_get(&p.b, &(struct imsg){ 0 }) == 0);
	pair_close(&p);
	for (i = 0; i < 3; i++)
		close(file[i]);
	CHECK(open_fds() == before);
}

/* Descriptors between messages that share their writes, little by little. */
static void
order_with_descriptors(void)
{
	struct pair p;
	uint32_t got, sent, turns;
	int before, file[5], i, size;

	before = open_fds();
	size = 1;
	CHECK(pair_open(&p) == 0);
	CHECK(setsockopt(p.fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ==
	      0);
	for (i = 0; i < 5; i++)
		file[i] = new_file();
	for (sent = 0; sent < 500; sent++) {
		i = sent % 7 < 5 ? file[sent % 7] : -1;
		if (i != -1)
			CHECK(compose_fd(&p, sent, i, sent * 37 % 3000) == 1);
		else
			CHECK(imsg_compose(&p.a, sent, 0, 0, -1, &p, 9) == 1);
	}
	CHECK(imsgbuf_queuelen(&p.a) == 500);
	got = 0;
	for (turns = 0; got < sent && turns < 100000; turns++) {
		CHECK(imsgbuf_write(&p.a) == 0 && imsgbuf_read(&p.b) == 1);
		while (p.b.rlen - p.b.rpos >= 16 + 3000 ||
		       (imsgbuf_queued(&p.a) == 0 && got < sent &&
			   p.b.rlen > p.b.rpos)) {
			CHECK(next_is(
			    &p.b, got, got % 7 < 5 ? file[got % 7] : -1));
			got++;
		}
	}
	CHECK(got == sent && imsgbuf_queuelen(&p.a) == 0);
	pair_close(&p);
	for (i = 0; i < 5; i++)
		close(file[i]);
	CHECK(open_fds() == before);
}

static void
closed_after_sending(void)
{
	struct pair p;
	struct imsg imsg;
	int before, fd;

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	fd = new_file();
	CHECK(imsg_compose(&p.a, 1, 0, 0, fd, NULL, 0) == 1 && is_open(fd));
	CHECK(imsgbuf_write(&p.a) == 0 && !is_open(fd));
	CHECK(imsgbuf_read(&p.b) == 1 && imsgbuf_get(&p.b, &imsg) == 1);
	fd = imsg.fd;
	CHECK(is_open(fd));
	imsg_free(&imsg);
	CHECK(!is_open(fd));
	imsg_free(&imsg);
	pair_close(&p);
	CHECK(open_fds() == before);
}

static void
closed_by_clear(void)
{
	struct pair p;
	int before, fd;

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	fd = new_file();
	CHECK(compose_fd(&p, 1, fd, 0) == 1);
	CHECK(imsgbuf_write(&p.a) == 0 && imsgbuf_read(&p.b) == 1);
	CHECK(compose_fd(&p, 2, fd, 0) == 1);
	CHECK(compose_fd(&p, 3, fd, 0) == 1);
	close(fd);
	CHECK(p.b.nfds == 1);
	pair_close(&p);
	CHECK(open_fds() == before);
}

static void
refused_stays_open(void)
{
	struct pair p;
	int fd;

	CHECK(pair_open(&p) == 0);
	fd = new_file();
	errno = 0;
	CHECK(imsg_compose(&p.b, 1, 0, 0, fd, NULL, 0) == -1);
	CHECK(errno == EPERM && is_open(fd) && imsgbuf_queued(&p.b) == 0);
	imsgbuf_set_limit(&p.a, 15);
	errno = 0;
	CHECK(imsg_compose(&p.a, 1, 0, 0, fd, NULL, 0) == -1);
	CHECK(errno == ENOBUFS && is_open(fd));
	close(fd);
	pair_close(&p);
}

static void
no_permission(void)
{
	struct pair p;
	int before, fd;

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	p.b.fdrecv = 0;
	fd = new_file();
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, NULL, 0) == 1);
	CHECK(imsg_compose(&p.a, 2, 0, 0, fd, NULL, 0) == 1);
	CHECK(imsgbuf_write(&p.a) == 0);
	errno = 0;
	do
		CHECK(imsgbuf_read(&p.b) != 0);
	while (errno == 0);
	CHECK(errno == EBADMSG);
	CHECK(open_fds() == before + 2); /* the sockets */
	pair_close(&p);
	CHECK(open_fds() == before);
}

static void
mark_without_descriptor(void)
{
	struct pair p;
	int i;

	CHECK(pair_open(&p) == 0);
	CHECK(raw_send(p.fd[0], 1, MARKED, NULL, 0) == 0);
	CHECK(imsgbuf_read(&p.b) == 1);
	for (i = 0; i < 2; i++) {
		errno = 0;
		CHECK(imsgbuf_get(&p.b, &(struct imsg){ 0 }) == -1);
		CHECK(errno == EBADMSG);
	}
	pair_close(&p);
}

static void
descriptor_without_mark(void)
{
	struct pair p;
	int before, fd;

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	fd = new_file();
	CHECK(raw_send(p.fd[0], 1, IMSG_HEADER_SIZE, &fd, 1) == 0);
	CHECK(imsgbuf_read(&p.b) == 1 && next_is(&p.b, 1, -1));
	errno = 0;
	CHECK(imsgbuf_get(&p.b, &(struct imsg){ 0 }) == -1);
	CHECK(errno == EBADMSG);
	close(fd);
	pair_close(&p);
	CHECK(open_fds() == before);
}

static void
several_at_once(void)
{
	struct pair p;
	int before, fds[3];

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	fds[0] = fds[1] = fds[2] = new_file();
	CHECK(raw_send(p.fd[0], 1, MARKED, fds, 2) == 0);
	errno = 0;
	CHECK(imsgbuf_read(&p.b) == -1 && errno == EBADMSG);
	CHECK(raw_send(p.fd[0], 1, MARKED, fds, 3) == 0);
	errno = 0;
	CHECK(imsgbuf_read(&p.b) == -1 && errno == EBADMSG);
	CHECK(p.b.nfds == 0 && open_fds() == before + 3);
	close(fds[0]);
	pair_close(&p);
	CHECK(open_fds() == before);
}

static void
too_many_waiting(void)
{
	struct pair p;
	int before, fd, i;

	before = open_fds();
	CHECK(pair_open(&p) == 0);
	fd = new_file();
	for (i = 0; i < IMSGBUF_FD_MAX + 1; i++)
		CHECK(raw_send(p.fd[0], 1, MARKED, &fd, 1) == 0);
	for (i = 0; i < IMSGBUF_FD_MAX; i++)
		CHECK(imsgbuf_read(&p.b) == 1);
	errno = 0;
	CHECK(imsgbuf_read(&p.b) == -1 && errno == EBADMSG);
	CHECK(open_fds() == before + 3 + IMSGBUF_FD_MAX);
	close(fd);
	pair_close(&p);
	CHECK(open_fds() == before);
}

int
main(void)
{
	RUN(split_header);
	RUN(two_before_the_first_header);
	RUN(descriptor_limit);
	RUN(order_with_descriptors);
	RUN(closed_after_sending);
	RUN(closed_by_clear);
	RUN(refused_stays_open);
	RUN(no_permission);
	RUN(mark_without_descriptor);
	RUN(descriptor_without_mark);
	RUN(several_at_once);
	RUN(too_many_waiting);
	return (test_failed());
}
