/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "parent/unpark_file.h"
#include "regress/unit/test.h"

/* A file of another version, or of nobody's, and queues that lack something. */

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct {
	struct park_header header;
	struct {
		struct park_record record;
		uint8_t data[16];
	} first, last;
} file;

static struct unpark_file u;

static void
fill(void)
{
	memset(&file, 0, sizeof(file));
	file.header.magic = PARK_MAGIC;
	file.header.version = PARK_VERSION;
	file.header.len = sizeof(file.header);
	file.header.sessions = 3;
	file.header.bytes = sizeof(file);
	file.first.record.type = PARK_SESSION;
	file.first.record.len = 13;
	file.last.record.type = 1000;
	file.last.record.len = 16;
}

/* It as a file of so many bytes, with those seals. */
static int
made(size_t len, int seals)
{
	int fd;

	fd = memfd_create("kept", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1 || ftruncate(fd, (off_t)len) == -1 ||
	    pwrite(fd, &file, len < sizeof(file) ? len : sizeof(file), 0) ==
		-1 ||
	    fcntl(fd, F_ADD_SEALS, seals) == -1)
		abort();
	return (fd);
}

/* Likewise; 0 if it is taken, or -1. */
static int
opened(size_t len, int seals)
{
	int fd, result;

	fd = made(len, seals);
	unpark_file_close(&u);
	memset(&u, 0, sizeof(u));
	result = unpark_file_open(&u, fd);
	(void)close(fd);
	return (result);
}

static void
test_what_is_known_is_read(void)
{
	struct unpark_record r;

	fill();
	CHECK(opened(sizeof(file), SEALS) == 0 && u.left == 3);
	CHECK(unpark_file_next(&u, &r) == 1 && r.type == PARK_SESSION);
	CHECK(r.len == 13 && (const uint8_t *)r.data ==
				 u.base + ((const uint8_t *)&file.first.data -
					      (const uint8_t *)&file));
	CHECK(unpark_file_next(&u, &r) == 1 && r.type == 1000 && r.len == 16);
	CHECK(unpark_file_next(&u, &r) == 0 && u.at == u.bytes);
}

/* A later version may have more in its header, and another number. */
static void
test_a_longer_header_is_read_as_far_as_it_is_known(void)
{
	struct unpark_record r;

	fill();
	file.header.version = PARK_VERSION + 1;
	file.header.len += sizeof(file.first);
	CHECK(opened(sizeof(file), SEALS) == 0);
	CHECK(unpark_file_next(&u, &r) == 1 && r.type == 1000);
	CHECK(unpark_file_next(&u, &r) == 0);
	file.header.len = sizeof(file);
	CHECK(opened(sizeof(file), SEALS) == 0);
	CHECK(unpark_file_next(&u, &r) == 0 && u.at == u.bytes);
}

static void
test_a_file_that_could_change_is_refused(void)
{
	fill();
	CHECK(opened(sizeof(file), F_SEAL_SHRINK | F_SEAL_GROW) == -1);
	CHECK(opened(sizeof(file), F_SEAL_SHRINK | F_SEAL_WRITE) == -1);
	CHECK(opened(sizeof(file), F_SEAL_GROW | F_SEAL_WRITE) == -1);
	CHECK(opened(sizeof(file), SEALS) == 0);
}

static void
test_what_is_no_memory_file_is_refused(void)
{
	struct park_header header;
	int fd;

	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	CHECK(fd != -1 && unpark_file_head(fd, &header) == -1);
	(void)close(fd);
	CHECK(unpark_file_head(-1, &header) == -1);
}

static void
test_a_head_that_makes_no_sense_is_refused(void)
{
	fill();
	CHECK(opened(0, SEALS) == -1);
	CHECK(opened(sizeof(file.header) - 1, SEALS) == -1);
	file.header.magic++;
	CHECK(opened(sizeof(file), SEALS) == -1);
	fill();
	file.header.version = 0;
	CHECK(opened(sizeof(file), SEALS) == -1);
	fill();
	file.header.len = PARK_HEADER_LEAST - 8;
	CHECK(opened(sizeof(file), SEALS) == -1);
	fill();
	file.header.len += 4;
	CHECK(opened(sizeof(file), SEALS) == -1);
	fill();
	file.header.len = sizeof(file) + 8;
	CHECK(opened(sizeof(file), SEALS) == -1);
	fill();
	file.header.bytes++;
	CHECK(opened(sizeof(file), SEALS) == -1);
	fill();
	CHECK(opened(sizeof(file) - 1, SEALS) == -1);
}

/* What it did not write is not taken for something else. */
static void
test_the_head_of_an_earlier_version(void)
{
	struct park_header header;
	int fd;

	fill();
	file.header.len = PARK_HEADER_LEAST;
	file.header.generation = file.header.tickets = 7;
	fd = made(sizeof(file), SEALS);
	CHECK(unpark_file_head(fd, &header) == 0);
	CHECK(header.keys == file.header.keys);
	CHECK(header.generation == 0 && header.tickets == 0);
	(void)close(fd);
	file.header.len = sizeof(file.header);
	fd = made(sizeof(file), SEALS);
	CHECK(unpark_file_head(fd, &header) == 0);
	CHECK(header.generation == 7 && header.tickets == 7);
	(void)close(fd);
}

static void
test_what_must_not_be_passed_over_is_refused(void)
{
	fill();
	file.header.required = 1U << 31;
	CHECK(opened(sizeof(file), SEALS) == -1);
}

/* It ends where it makes no sense, and is at its end. */
static void
test_a_record_that_is_cut_short_is_the_last(void)
{
	static const uint32_t lengths[] = { 17, 24, 1U << 31, UINT32_MAX - 7,
		UINT32_MAX };
	struct unpark_record r;
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fill();
		file.last.record.len = lengths[i];
		CHECK(opened(sizeof(file), SEALS) == 0);
		CHECK(unpark_file_next(&u, &r) == 1);
		CHECK(unpark_file_next(&u, &r) == 0 && u.at == u.bytes);
		CHECK(unpark_file_next(&u, &r) == 0);
	}
}

static void
test_part_of_a_record_is_the_end(void)
{
	struct unpark_record r;
	size_t more;

	for (more = 1; more < 8; more++) {
		fill();
		file.header.bytes = sizeof(file) + more;
		CHECK(opened(sizeof(file) + more, SEALS) == 0);
		CHECK(unpark_file_next(&u, &r) == 1);
		CHECK(unpark_file_next(&u, &r) == 1);
		CHECK(unpark_file_next(&u, &r) == 0 && u.at == u.bytes);
	}
}

/* ---- the queues ---- */

static int
sent(int to, const void *bytes, size_t len, uint32_t nfds)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(100 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg;
	uint32_t i;
	int fd;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (nfds > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(nfds * sizeof(int));
	}
	for (i = 0; i < nfds; i++) {
		fd = STDOUT_FILENO;
		memcpy(
		    CMSG_DATA(&control.hdr) + i * sizeof(fd), &fd, sizeof(fd));
	}
	return (sendmsg(to, &msg, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1);
}

static int
sent_fds(int to, uint32_t count, uint32_t nfds)
{
	return (sent(to, &count, sizeof(count), nfds));
}

static int
queue(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	u.queues[u.nqueues++] = pair[1];
	return (pair[0]);
}

/* So many are taken until there are no more; those are closed. */
static uint32_t
taken(void)
{
	uint32_t n;
	int fd;

	for (n = 0; (fd = unpark_file_take_fd(&u)) != -1; n++)
		(void)close(fd);
	return (n);
}

static int
first_free(void)
{
	int fd;

	fd = dup(STDOUT_FILENO);
	(void)close(fd);
	return (fd);
}

static void
test_descriptors_of_several_queues_are_taken(void)
{
	int a, b, c, first;

	first = first_free();
	memset(&u, 0, sizeof(u));
	a = queue();
	b = queue();
	c = queue();
	CHECK(sent_fds(a, PARK_BATCH, PARK_BATCH) == 0);
	CHECK(sent_fds(a, 2, 2) == 0 && sent_fds(c, 5, 5) == 0);
	/* One whose other end is gone has what is in it. */
	(void)close(a);
	CHECK(taken() == PARK_BATCH + 2 + 5);
	CHECK(unpark_file_take_fd(&u) == -1);
	(void)close(b);
	(void)close(c);
	unpark_file_close(&u);
	CHECK(first_free() == first);
}

/* Whose the others are nobody knows: none is taken, of this queue or others. */
static void
test_a_message_without_all_of_its_descriptors_ends_all(void)
{
	int a, b, first, i;

	first = first_free();
	for (i = 0; i < 5; i++) {
		memset(&u, 0, sizeof(u));
		a = queue();
		b = queue();
		CHECK(sent_fds(a, 1, 1) == 0);
		if (i == 0)
			CHECK(sent_fds(a, 3, 2) == 0);
		else if (i == 1)
			CHECK(sent_fds(a, 3, 0) == 0);
		else if (i == 2)
			/* The kernel closes those that there is no room for. */
			CHECK(sent_fds(a, 80, 80) == 0);
		else if (i == 3)
			CHECK(sent(a, "12", 2, 2) == 0);
		else
			CHECK(sent_fds(a, 2, 3) == 0);
		CHECK(sent_fds(b, 1, 1) == 0);
		CHECK(taken() == 1);
		(void)close(a);
		(void)close(b);
		unpark_file_close(&u);
		CHECK(first_free() == first);
	}
}

static void
test_what_was_not_taken_is_closed(void)
{
	int a, first;

	first = first_free();
	memset(&u, 0, sizeof(u));
	a = queue();
	CHECK(sent_fds(a, 4, 4) == 0);
	CHECK(close(unpark_file_take_fd(&u)) == 0);
	unpark_file_close(&u);
	(void)close(a);
	CHECK(first_free() == first);
}

int
main(void)
{
	RUN(test_what_is_known_is_read);
	RUN(test_a_longer_header_is_read_as_far_as_it_is_known);
	RUN(test_a_file_that_could_change_is_refused);
	RUN(test_what_is_no_memory_file_is_refused);
	RUN(test_a_head_that_makes_no_sense_is_refused);
	RUN(test_the_head_of_an_earlier_version);
	RUN(test_what_must_not_be_passed_over_is_refused);
	RUN(test_a_record_that_is_cut_short_is_the_last);
	RUN(test_part_of_a_record_is_the_end);
	RUN(test_descriptors_of_several_queues_are_taken);
	RUN(test_a_message_without_all_of_its_descriptors_ends_all);
	RUN(test_what_was_not_taken_is_closed);
	return (test_failed());
}
