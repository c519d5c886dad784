/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "parent/park_file.h"
#include "parent/unpark_file.h"
#include "regress/unit/test.h"

/* What is written for another parent, and what that one reads of it. */

static struct park_file *f;
static struct unpark_file u;
static struct park_header header;

/* A descriptor that is told apart from others by its inode. */
static int
numbered(ino_t *number)
{
	struct stat st;
	int fd;

	fd = memfd_create("numbered", MFD_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		abort();
	*number = st.st_ino;
	return (fd);
}

static int
is_numbered(int fd, ino_t number)
{
	struct stat st;
	int is;

	is = fd != -1 && fstat(fd, &st) == 0 && st.st_ino == number;
	if (fd != -1)
		(void)close(fd);
	return (is);
}

static int
add(enum park_type type, const void *bytes, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, len };

	return (park_file_add(f, type, &iov, 1));
}

/* How many descriptors this process has. */
static uint32_t
descriptors(void)
{
	uint32_t n;
	int fd;

	n = 0;
	for (fd = 0; fd < 2048; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return (n);
}

/* What f has is the reader's from now on. */
static int
read_again(void)
{
	uint32_t i;

	memset(&header, 0, sizeof(header));
	header.nworkers = 5;
	if (park_file_seal(f, &header) == -1)
		return (-1);
	memset(&u, 0, sizeof(u));
	for (i = 0; i < f->nqueues; i++)
		u.queues[i] = dup(f->queues[i]);
	u.nqueues = f->nqueues;
	return (unpark_file_open(&u, f->fd));
}

static void
test_records_come_back_as_they_were(void)
{
	struct unpark_record r;
	struct iovec iov[2];

	f = park_file_new();
	CHECK(f != NULL);
	iov[0].iov_base = (void *)(uintptr_t) "abc";
	iov[1].iov_base = (void *)(uintptr_t) "defghi";
	iov[0].iov_len = 3;
	iov[1].iov_len = 6;
	CHECK(park_file_add(f, PARK_BYTES, iov, 2) == 0);
	CHECK(add(PARK_STATE, "", 0) == 0);
	CHECK(add((enum park_type)77, "12345678", 8) == 0);
	CHECK(read_again() == 0);
	CHECK(header.magic == PARK_MAGIC && header.sessions == 0);
	CHECK(header.bytes == f->bytes && f->bytes % 8 == 0);
	CHECK(unpark_file_next(&u, &r) == 1 && r.type == PARK_BYTES);
	CHECK(r.len == 9 && memcmp(r.data, "abcdefghi", 9) == 0);
	CHECK(unpark_file_next(&u, &r) == 1 && r.type == PARK_STATE);
	CHECK(r.len == 0);
	CHECK(unpark_file_next(&u, &r) == 1 && r.type == 77);
	CHECK(r.len == 8 && memcmp(r.data, "12345678", 8) == 0);
	CHECK(unpark_file_next(&u, &r) == 0 && u.at == u.bytes);
	CHECK(unpark_file_take_fd(&u) == -1);
	unpark_file_close(&u);
	park_file_free(f);
}

/* More than the buffer holds, in pieces and at once. */
static void
test_much_comes_back_as_it_was(void)
{
	static uint8_t big[3 * PARK_BUFFER + 5];
	struct unpark_record r;
	uint32_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + i / 251);
	f = park_file_new();
	CHECK(f != NULL);
	for (i = 0; i < 30; i++)
		CHECK(add(PARK_BYTES, big + i, 9000 + i) == 0);
	CHECK(add(PARK_SYNC, big, sizeof(big)) == 0);
	CHECK(add(PARK_STATE, "end", 3) == 0);
	CHECK(read_again() == 0);
	for (i = 0; i < 30; i++) {
		CHECK(unpark_file_next(&u, &r) == 1 && r.len == 9000 + i);
		CHECK(memcmp(r.data, big + i, r.len) == 0);
	}
	CHECK(unpark_file_next(&u, &r) == 1 && r.len == sizeof(big));
	CHECK(memcmp(r.data, big, sizeof(big)) == 0);
	CHECK(unpark_file_next(&u, &r) == 1 && memcmp(r.data, "end", 3) == 0);
	CHECK(unpark_file_next(&u, &r) == 0);
	unpark_file_close(&u);
	park_file_free(f);
}

/* A queue takes so much only: they go to several, in order. */
static void
test_descriptors_fill_several_queues_in_order(void)
{
	static ino_t numbers[2000];
	uint32_t i, n;
	int least;

	least = 1;
	n = descriptors();
	f = park_file_new();
	CHECK(f != NULL);
	for (i = 0; i < 2000; i++) {
		CHECK(park_file_add_fd(f, numbered(&numbers[i])) == 0);
		if (f->sender != -1)
			CHECK(setsockopt(f->sender, SOL_SOCKET, SO_SNDBUF,
				  &least, sizeof(least)) == 0);
	}
	CHECK(f->nqueues > 2);
	/* None of those in the queues is open here. */
	CHECK(descriptors() < n + 2 * PARK_BATCH);
	CHECK(read_again() == 0);
	CHECK(header.sessions == 2000 && u.left == 2000);
	for (i = 0; i < 2000; i++)
		CHECK(is_numbered(unpark_file_take_fd(&u), numbers[i]));
	CHECK(unpark_file_take_fd(&u) == -1);
	unpark_file_close(&u);
	park_file_free(f);
	CHECK(descriptors() == n);
}

/* The kernel takes only so many on their way; whoever goes on is refused. */
static void
test_more_than_can_be_kept_is_refused_each_time(void)
{
	ino_t number;
	uint32_t i, n;

	n = descriptors();
	f = park_file_new();
	CHECK(f != NULL);
	/* As if there were that many: no more can be made. */
	for (i = 0; i < PARK_BATCH - 1; i++)
		CHECK(park_file_add_fd(f, numbered(&number)) == 0);
	while (f->nqueues < PARK_QUEUES_MAX)
		f->queues[f->nqueues++] = dup(STDIN_FILENO);
	for (i = 0; i < 3; i++)
		CHECK(park_file_add_fd(f, numbered(&number)) == -1);
	CHECK(park_file_seal(f, &header) == -1);
	park_file_free(f);
	CHECK(descriptors() == n);
}

static void
test_all_that_was_not_handed_over_is_closed(void)
{
	ino_t number;
	uint32_t i, n;

	n = descriptors();
	f = park_file_new();
	CHECK(f != NULL);
	for (i = 0; i < PARK_BATCH + 3; i++)
		CHECK(park_file_add_fd(f, numbered(&number)) == 0);
	CHECK(f->nqueues == 1);
	park_file_free(f);
	CHECK(descriptors() == n);
}

/* A disk quota, or the end of memory, is the same to it. */
static void
test_what_cannot_be_written_is_an_error(void)
{
	static uint8_t big[PARK_BUFFER + 1];

	f = park_file_new();
	CHECK(f != NULL);
	CHECK(fcntl(f->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW) == 0);
	CHECK(add(PARK_BYTES, "few", 3) == 0);
	CHECK(add(PARK_BYTES, big, sizeof(big)) == -1);
	CHECK(park_file_seal(f, &header) == -1);
	park_file_free(f);
}

static void
test_what_is_too_much_is_an_error(void)
{
	f = park_file_new();
	CHECK(f != NULL);
	f->bytes = PARK_BYTES_MAX - 15;
	CHECK(add(PARK_BYTES, "few", 3) == -1 && errno == EFBIG);
	park_file_free(f);
}

static void
test_nobody_writes_to_it_once_it_is_whole(void)
{
	f = park_file_new();
	CHECK(f != NULL);
	CHECK(add(PARK_BYTES, "few", 3) == 0);
	memset(&header, 0, sizeof(header));
	CHECK(park_file_seal(f, &header) == 0);
	CHECK(write(f->fd, "x", 1) == -1 && errno == EPERM);
	CHECK(ftruncate(f->fd, 8) == -1 && errno == EPERM);
	CHECK(ftruncate(f->fd, 1 << 20) == -1 && errno == EPERM);
	CHECK(fcntl(f->fd, F_GET_SEALS) & F_SEAL_SEAL);
	park_file_free(f);
}

int
main(void)
{
	struct rlimit limit;

	/* Its own numbers of descriptors are those that are looked at. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		abort();
	limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	RUN(test_records_come_back_as_they_were);
	RUN(test_much_comes_back_as_it_was);
	RUN(test_descriptors_fill_several_queues_in_order);
	RUN(test_more_than_can_be_kept_is_refused_each_time);
	RUN(test_all_that_was_not_handed_over_is_closed);
	RUN(test_what_cannot_be_written_is_an_error);
	RUN(test_what_is_too_much_is_an_error);
	RUN(test_nobody_writes_to_it_once_it_is_whole);
	return (test_failed());
}
