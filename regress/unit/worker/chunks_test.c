/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "regress/unit/test.h"
#include "worker/chunks.h"

#define ROOM 400000

static struct chunks q;
static uint8_t bytes[ROOM];
static size_t first, end; /* of bytes, what waits */

static void
begin(void)
{
	size_t i;

	chunks_cut(&q, 0);
	for (i = 0; i < ROOM; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 13);
	first = end = 0;
}

static int
add(size_t len)
{
	if (chunks_add(&q, bytes + end, len) == -1)
		return (-1);
	end += len;
	return (0);
}

static void
take(size_t len)
{
	chunks_take(&q, len);
	first += len;
}

/* Is what waits what was added, in all and in pieces, and counted right? */
static int
right(void)
{
	static uint8_t copy[ROOM];
	struct iovec iov[64];
	struct chunk *c;
	size_t from, got, size, to;
	int i, n;

	if (q.len != end - first || (q.head == NULL) != (q.tail == NULL) ||
	    chunks_copy(&q, copy, ROOM) != q.len ||
	    memcmp(copy, bytes + first, q.len) != 0)
		return (0);
	for (size = 0, c = q.head; c != NULL; c = c->next) {
		size += c->size;
		if (c->first == c->end || (c->next == NULL && c != q.tail))
			return (0);
	}
	if (size != q.size)
		return (0);
	from = q.len / 3;
	to = q.len - q.len / 5;
	n = chunks_pieces(&q, from, to, iov, 64);
	for (got = 0, i = 0; i < n; i++) {
		if (memcmp(bytes + first + from + got, iov[i].iov_base,
			iov[i].iov_len) != 0)
			return (0);
		got += iov[i].iov_len;
	}
	return (got == to - from);
}

static void
test_nothing_waits_at_first(void)
{
	CHECK(right() && q.size == 0);
	CHECK(chunks_copy(&q, bytes, 4) == 0);
}

static void
test_what_was_added_is_taken_in_order(void)
{
	size_t n;
	int i;

	begin();
	for (i = 0; end < ROOM - 70000; i++) {
		n = (size_t)i * 7919 % 33000;
		CHECK(n == 0 || add(n) == 0);
		CHECK(right());
		n = (size_t)i * 104729 % 30000;
		take(n < q.len ? n : q.len);
		CHECK(right());
	}
	take(q.len);
	CHECK(right() && q.size == 0);
}

static void
test_memory_follows_what_waits(void)
{
	begin();
	CHECK(add(1) == 0 && q.size == CHUNK_MIN);
	while (end < 300000)
		CHECK(add(100) == 0);
	CHECK(q.size < q.len + CHUNK_MAX + CHUNK_MAX / 8);
	take(q.len - 1);
	CHECK(right() && q.size <= CHUNK_MAX);
	take(1);
	CHECK(q.size == 0);
}

static void
test_what_is_added_at_once_is_in_two_pieces_at_most(void)
{
	struct iovec iov[3];

	begin();
	CHECK(add(4000) == 0);
	CHECK(add(32772) == 0);
	CHECK(chunks_pieces(&q, 4000, q.len, iov, 3) == 2);
}

/* Wherever pieces begin. */
static void
test_what_ends_before_it_begins_is_nothing(void)
{
	struct iovec iov[3];

	begin();
	CHECK(add(4000) == 0 && add(32772) == 0);
	CHECK(chunks_pieces(&q, 0, 0, iov, 3) == 0);
	CHECK(chunks_pieces(&q, 3000, 3000, iov, 3) == 0);
	CHECK(chunks_pieces(&q, 3000, 2999, iov, 3) == 0);
	CHECK(chunks_pieces(&q, 30000, 29999, iov, 3) == 0);
	CHECK(chunks_pieces(&q, 30000, 100, iov, 3) == 0);
}

static void
test_the_end_is_cut_off(void)
{
	static const size_t keep[] = { 0, 1, 4095, 4096, 5000, 99999 };
	size_t i;

	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		begin();
		while (end < 100000)
			CHECK(add(2500) == 0);
		take(777);
		chunks_cut(&q, keep[i] < q.len ? keep[i] : q.len);
		end = first + q.len;
		CHECK(right());
		CHECK(add(3000) == 0 && right());
	}
}

/* One queue behind another, of which any may be empty. */
static void
test_two_are_joined(void)
{
	static const size_t lens[] = { 0, 1, 5000, 100000 };
	struct chunks more;
	size_t i, j;

	for (i = 0; i < 4; i++)
		for (j = 0; j < 4; j++) {
			begin();
			memset(&more, 0, sizeof(more));
			CHECK(add(lens[i]) == 0);
			CHECK(chunks_add(&more, bytes + end, lens[j]) == 0);
			end += lens[j];
			chunks_join(&q, &more);
			CHECK(right() && q.len == lens[i] + lens[j]);
			CHECK(more.len == 0 && more.size == 0);
			CHECK(more.head == NULL && more.tail == NULL);
			CHECK(add(3000) == 0 && right());
		}
}

int
main(void)
{
	RUN(test_nothing_waits_at_first);
	RUN(test_what_was_added_is_taken_in_order);
	RUN(test_memory_follows_what_waits);
	RUN(test_what_is_added_at_once_is_in_two_pieces_at_most);
	RUN(test_what_ends_before_it_begins_is_nothing);
	RUN(test_the_end_is_cut_off);
	RUN(test_two_are_joined);
	return (test_failed());
}
