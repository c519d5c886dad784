/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "common/imsg.h"
#include "regress/unit/common/imsg_pair.h"
#include "regress/unit/test.h"

static unsigned char out[1 << 17], in[1 << 17];

static void
fill(size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = (unsigned char)(seed + i * 7 + (i >> 8));
}

/* Sends len bytes and takes them again; 1 if they are the same. */
static int
round_trip(struct pair *p, size_t len)
{
	struct imsg imsg;
	int n, reads;

	fill(len, (unsigned int)len);
	if (imsg_compose(&p->a, 7, 8, 9, -1, out, len) != 1 ||
	    imsgbuf_queued(&p->a) != len + IMSG_HEADER_SIZE ||
	    imsgbuf_write(&p->a) == -1 || imsgbuf_queued(&p->a) != 0)
		return (0);
	reads = 0;
	while ((n = imsgbuf_get(&p->b, &imsg)) == 0)
		if (reads++ == 100 || imsgbuf_read(&p->b) != 1)
			return (0);
	return (
	    n == 1 && imsg_get_len(&imsg) == len && imsg_get_type(&imsg) == 7 &&
	    imsg.peerid == 8 && imsg.pid == 9 && !imsg_has_fd(&imsg) &&
	    imsg_get_fd(&imsg) == -1 && imsg_get_data(&imsg, in, len) == 0 &&
	    memcmp(in, out, len) == 0 && imsgbuf_get(&p->b, &imsg) == 0);
}

static void
sizes(void)
{
	struct pair p;
	size_t max;

	max = MAX_IMSGSIZE - IMSG_HEADER_SIZE;
	CHECK(pair_open(&p) == 0);
	CHECK(round_trip(&p, 0));
	CHECK(round_trip(&p, 1));
	CHECK(round_trip(&p, 15));
	CHECK(round_trip(&p, 16));
	CHECK(round_trip(&p, max - 1));
	CHECK(round_trip(&p, max));
	errno = 0;
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, max + 1) == -1);
	CHECK(errno == ERANGE);
	errno = 0;
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, SIZE_MAX) == -1);
	CHECK(errno == ERANGE);
	CHECK(imsgbuf_queued(&p.a) == 0);
	pair_close(&p);
}

/* What imsgbuf_get() says to a header with this length; errno is set. */
static int
get_raw(uint32_t len)
{
	struct pair p;
	struct imsg imsg;
	int n;

	if (pair_open(&p) == -1 || raw_send(p.fd[0], 1, len, NULL, 0) == -1 ||
	    imsgbuf_read(&p.b) != 1)
		return (-2);
	errno = 0;
	n = imsgbuf_get(&p.b, &imsg);
	pair_close(&p);
	return (n);
}

static void
bad_lengths(void)
{
	CHECK(get_raw(0) == -1 && errno == ERANGE);
	CHECK(get_raw(1) == -1 && errno == ERANGE);
	CHECK(get_raw(15) == -1 && errno == ERANGE);
	CHECK(get_raw(16) == 1);
	CHECK(get_raw(17) == 1);
	CHECK(get_raw(MAX_IMSGSIZE) == 1);
	CHECK(get_raw(MAX_IMSGSIZE + 1) == -1 && errno == ERANGE);
	CHECK(get_raw(0x7fffffff) == -1 && errno == ERANGE);
	CHECK(get_raw(UINT32_MAX) == -1 && errno == ERANGE);
	CHECK(get_raw(IMSG_FD_MARK) == -1 && errno == ERANGE);
	CHECK(get_raw(IMSG_FD_MARK | 15) == -1 && errno == ERANGE);
}

static void
exact_data(void)
{
	struct pair p;
	struct imsg imsg;

	CHECK(pair_open(&p) == 0);
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, "abcdefgh", 8) == 1);
	CHECK(imsg_compose(&p.a, 2, 0, 0, -1, NULL, 0) == 1);
	CHECK(imsgbuf_write(&p.a) == 0 && imsgbuf_read(&p.b) == 1);
	CHECK(imsgbuf_get(&p.b, &imsg) == 1);
	memset(in, 0, 9);
	errno = 0;
	CHECK(imsg_get_data(&imsg, in, 7) == -1 && errno == EBADMSG);
	errno = 0;
	CHECK(imsg_get_data(&imsg, in, 9) == -1 && errno == EBADMSG);
	CHECK(in[0] == 0);
	CHECK(imsg_get_data(&imsg, in, 8) == 0);
	CHECK(memcmp(in, "abcdefgh", 8) == 0);
	imsg_free(&imsg);
	CHECK(imsgbuf_get(&p.b, &imsg) == 1);
	CHECK(imsg_get_data(&imsg, NULL, 0) == 0);
	imsg_free(&imsg);
	pair_close(&p);
}

static void
gathered(void)
{
	struct pair p;
	struct imsg imsg;
	char ab[] = "ab", cde[] = "cde";
	struct iovec iov[3] = { { ab, 2 }, { NULL, 0 }, { cde, 3 } };

	CHECK(pair_open(&p) == 0);
	CHECK(imsg_composev(&p.a, 1, 2, 3, -1, iov, 3) == 1);
	CHECK(imsg_composev(&p.a, 1, 2, 3, -1, iov, 0) == 1);
	iov[1].iov_len = MAX_IMSGSIZE - IMSG_HEADER_SIZE - 4;
	CHECK(imsg_composev(&p.a, 1, 2, 3, -1, iov, 3) == -1);
	CHECK(errno == ERANGE);
	CHECK(imsgbuf_queuelen(&p.a) == 2);
	CHECK(imsgbuf_write(&p.a) == 0 && imsgbuf_queuelen(&p.a) == 0);
	CHECK(imsgbuf_read(&p.b) == 1 && imsgbuf_get(&p.b, &imsg) == 1);
	CHECK(imsg_get_data(&imsg, in, 5) == 0 && memcmp(in, "abcde", 5) == 0);
	CHECK(imsgbuf_get(&p.b, &imsg) == 1 && imsg_get_len(&imsg) == 0);
	pair_close(&p);
}

static void
byte_by_byte(void)
{
	struct pair p, q;
	struct imsg imsg;
	ssize_t n, i;

	CHECK(pair_open(&p) == 0 && pair_open(&q) == 0);
	CHECK(imsg_compose(&p.a, 5, 0, 0, -1, "abc", 3) == 1);
	CHECK(imsgbuf_write(&p.a) == 0);
	n = read(p.fd[1], in, sizeof(in));
	CHECK(n == 19);
	for (i = 0; i < n; i++) {
		CHECK(imsgbuf_get(&q.b, &imsg) == 0);
		CHECK(write(q.fd[0], in + i, 1) == 1);
		CHECK(imsgbuf_read(&q.b) == 1);
	}
	CHECK(imsgbuf_get(&q.b, &imsg) == 1 && imsg_get_len(&imsg) == 3);
	pair_close(&p);
	pair_close(&q);
}

static void
end_of_file(void)
{
	struct pair p;
	struct imsg imsg;

	CHECK(pair_open(&p) == 0);
	CHECK(imsgbuf_read(&p.b) == 1 && imsgbuf_get(&p.b, &imsg) == 0);
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, NULL, 0) == 1);
	CHECK(imsgbuf_write(&p.a) == 0);
	CHECK(shutdown(p.fd[0], SHUT_WR) == 0);
	CHECK(imsgbuf_read(&p.b) == 1 && imsgbuf_get(&p.b, &imsg) == 1);
	CHECK(imsgbuf_read(&p.b) == 0 && imsgbuf_read(&p.b) == 0);
	CHECK(shutdown(p.fd[1], SHUT_RD) == 0);
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, NULL, 0) == 1);
	errno = 0;
	CHECK(imsgbuf_write(&p.a) == -1 && errno == EPIPE);
	errno = 0;
	CHECK(imsgbuf_flush(&p.a, 1000) == -1 && errno == EPIPE);
	pair_close(&p);
	imsgbuf_clear(&p.a); /* once more */
}

/* A caller that does not drain must not take a full buffer for the end. */
static void
full_read_buffer(void)
{
	struct pair p;
	struct imsg imsg;
	int i, n;

	CHECK(pair_open(&p) == 0);
	for (i = 0; i < 5; i++)
		CHECK(raw_send(p.fd[0], 1, MAX_IMSGSIZE, NULL, 0) == 0);
	for (i = 0; i < 5; i++)
		CHECK(imsgbuf_read(&p.b) == 1);
	for (n = 0; imsgbuf_get(&p.b, &imsg) == 1; n++)
		continue;
	CHECK(n == 3);
	CHECK(imsgbuf_read(&p.b) == 1);
	for (; imsgbuf_get(&p.b, &imsg) == 1; n++)
		continue;
	CHECK(n == 5);
	pair_close(&p);
}

/* Messages of all sizes through a socket that takes little at a time. */
static void
partial_writes(void)
{
	struct pair p;
	struct imsg imsg;
	uint32_t sent, got, turns;
	size_t len;
	int n, size;

	size = 1;
	CHECK(pair_open(&p) == 0);
	CHECK(setsockopt(p.fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ==
	      0);
	imsgbuf_set_limit(&p.a, 8 << 20);
	sent = got = 0;
	for (turns = 0; got < 2000 && turns < 100000; turns++) {
		for (n = 0; n < 40 && sent < 2000; n++, sent++) {
			len = sent * 61 % 5000;
			fill(len, sent);
			CHECK(
			    imsg_compose(&p.a, sent, 0, 0, -1, out, len) == 1);
		}
		CHECK(imsgbuf_write(&p.a) == 0);
		CHECK(imsgbuf_read(&p.b) == 1);
		while ((n = imsgbuf_get(&p.b, &imsg)) == 1) {
			CHECK(imsg_get_type(&imsg) == got);
			len = got * 61 % 5000;
			fill(len, got);
			CHECK(imsg_get_data(&imsg, in, len) == 0);
			CHECK(memcmp(in, out, len) == 0);
			got++;
		}
		CHECK(n == 0);
	}
	CHECK(got == 2000);
	CHECK(turns > 100);
	CHECK(imsgbuf_queued(&p.a) == 0 && imsgbuf_queuelen(&p.a) == 0);
	pair_close(&p);
}

static int64_t
cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

/* Queues small messages until the bound; how many, or -1. */
static int
compose_to_limit(struct imsgbuf *imsgbuf)
{
	int n;

	for (n = 0; n < 1000000; n++) {
		if (imsg_compose(imsgbuf, (uint32_t)n, 0, 0, -1, out, 100) ==
		    -1)
			return (errno == ENOBUFS ? n : -1);
		if (imsgbuf_write(imsgbuf) == -1)
			return (-1);
	}
	return (-1);
}

static void
peer_never_reads(void)
{
	struct pair p;
	struct imsg imsg;
	size_t memory, queued;
	int64_t cpu;
	int got, n, sent, turns;

	CHECK(pair_open(&p) == 0);
	imsgbuf_set_limit(&p.a, 1 << 20);
	memory = mallinfo2().uordblks;
	sent = compose_to_limit(&p.a);
	CHECK(sent > 9000);
	CHECK(mallinfo2().uordblks - memory < (1 << 20) + (1 << 17));
	queued = imsgbuf_queued(&p.a);
	CHECK(queued <= 1 << 20 && queued > (1 << 20) - 116);
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, 100) == -1);
	CHECK(imsgbuf_queued(&p.a) == queued);
	cpu = cpu_ms();
	errno = 0;
	CHECK(imsgbuf_flush(&p.a, 200) == -1 && errno == ETIMEDOUT);
	CHECK(cpu_ms() - cpu < 100);
	got = 0;
	for (turns = 0; got < sent && turns < 10000; turns++) {
		CHECK(imsgbuf_write(&p.a) == 0 && imsgbuf_read(&p.b) == 1);
		while ((n = imsgbuf_get(&p.b, &imsg)) == 1)
			CHECK(imsg_get_type(&imsg) == (uint32_t)got++);
		CHECK(n == 0);
	}
	CHECK(got == sent && imsgbuf_queued(&p.a) == 0);
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, 100) == 1);
	pair_close(&p);
}

static void
limit_is_exact(void)
{
	struct pair p;

	CHECK(pair_open(&p) == 0);
	imsgbuf_set_limit(&p.a, 100);
	errno = 0;
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, 85) == -1);
	CHECK(errno == ENOBUFS && imsgbuf_queuelen(&p.a) == 0);
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, 84) == 1);
	imsgbuf_set_limit(&p.a, 50);
	errno = 0;
	CHECK(imsg_compose(&p.a, 1, 0, 0, -1, out, 0) == -1);
	CHECK(errno == ENOBUFS && imsgbuf_queued(&p.a) == 100);
	pair_close(&p);
}

/* The reader's half of flush_waits(): all messages, then exit. */
static int
read_all(struct imsgbuf *imsgbuf, uint32_t count)
{
	struct imsg imsg;
	uint32_t got;

	for (got = 0; got < count;) {
		if (imsgbuf_read(imsgbuf) != 1)
			return (1);
		while (imsgbuf_get(imsgbuf, &imsg) == 1)
			if (imsg_get_type(&imsg) != got++)
				return (1);
	}
	return (0);
}

static void
flush_waits(void)
{
	struct pair p;
	uint32_t i;
	pid_t pid;
	int status;

	CHECK(pair_open(&p) == 0);
	CHECK(imsgbuf_flush(&p.a, 0) == 0);
	for (i = 0; i < 200; i++)
		CHECK(imsg_compose(&p.a, i, 0, 0, -1, out, 16000) == 1);
	CHECK(fcntl(p.fd[1], F_SETFL, 0) == 0); /* let the reader block */
	pid = fork();
	CHECK(pid != -1);
	if (pid == 0)
		_exit(read_all(&p.b, 200));
	CHECK(imsgbuf_flush(&p.a, 20000) == 0);
	CHECK(imsgbuf_queued(&p.a) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pair_close(&p);
}

int
main(void)
{
	RUN(sizes);
	RUN(bad_lengths);
	RUN(exact_data);
	RUN(gathered);
	RUN(byte_by_byte);
	RUN(end_of_file);
	RUN(full_read_buffer);
	RUN(partial_writes);
	RUN(peer_never_reads);
	RUN(limit_is_exact);
	RUN(flush_waits);
	return (test_failed());
}
