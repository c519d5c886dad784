/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <unistd.h>

#include "regress/unit/worker/parts.h"

/* Messages in shared memory: in a circle, and never more than there is. */

#define SIZE FRAME_WINDOW_BYTES
#define NONE UINT32_MAX /* there is no room */

static uint8_t bytes[FRAME_DATA_MAX];
static uint8_t *program; /* the window as the program has it */
static struct window window;

static void
begin(size_t size)
{
	int fd;

	fd = memfd_create("test", MFD_CLOEXEC);
	if (fd == -1 || ftruncate(fd, (off_t)size) == -1)
		abort();
	program = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	router_window_open(&window, fd);
}

/* The place of a message of so many bytes x; NONE: there is no room. */
static uint32_t
put(int x, size_t len)
{
	uint32_t at;

	memset(bytes, x, len);
	if (!router_window_put(&window, bytes, len, &at))
		return (NONE);
	if (memcmp(program + FRAME_WINDOW_PLACE(at), bytes, len) != 0)
		abort();
	return (at);
}

static uint8_t *
take(uint32_t at, uint32_t len)
{
	struct msg_frame_at msg = { at, len };

	return (router_window_take(&window, &msg));
}

static int
done(uint32_t at)
{
	return (router_window_free(&window, at));
}

static void
test_what_is_no_window(void)
{
	begin(SIZE - 1);
	CHECK(window.base == NULL && put('x', 1000) == NONE);
	CHECK(take(0, 0) == NULL && take(0, 1) == NULL && done(1) == -1);
	begin(SIZE);
	CHECK(window.base != NULL && put('x', 1000) == 0);
}

static void
test_a_message_there_and_back(void)
{
	uint32_t at, next;
	uint8_t *copy;

	begin(SIZE);
	at = put('a', 1001);
	next = put('b', 1000);
	CHECK(next > at + 1000 && next % 64 == 0);
	/* The program may have written into it, and copies are ours alone. */
	program[at + 1] = 'c';
	copy = take(at + 1, 1000);
	CHECK(copy != NULL && copy[0] == 'c' && copy[999] == 'a');
	program[at + 1] = 'd';
	memset(copy - FRAME_HEADROOM, 0, FRAME_HEADROOM + 1000);
	CHECK(program[at + 2] == 'a' && program[next] == 'b');
	CHECK(take(at, 1001) != NULL && take(next, 1000)[0] == 'b');
}

static void
test_small_ones_are_not_worth_it(void)
{
	begin(SIZE);
	CHECK(put('x', 255) == NONE && put('x', 256) == 0);
}

static void
test_it_is_full_and_goes_on(void)
{
	uint64_t before;
	uint32_t i;

	begin(SIZE);
	before = COUNTED(ROUTER_WINDOW_FULL);
	for (i = 0; i < SIZE / 1024; i++)
		CHECK(put('x', 1024) == i * 1024);
	CHECK(COUNTED(ROUTER_WINDOW_FULL) == before);
	CHECK(put('x', 1024) == NONE && put('x', 255) == NONE);
	CHECK(COUNTED(ROUTER_WINDOW_FULL) == before + 1);
	CHECK(done(1024) == 0 && put('y', 1024) == SIZE);
	CHECK(put('y', 1024) == NONE);
	/* All is done with: it is used from its beginning on. */
	CHECK(done(SIZE + 1024) == 0 && put('z', 1024) == 2 * SIZE);
}

static void
test_one_that_does_not_fit_at_the_end(void)
{
	uint32_t at;
	int i;

	begin(SIZE);
	for (i = 0; i < (int)SIZE / 60032; i++)
		at = put('x', 60000);
	CHECK(FRAME_WINDOW_PLACE(at) + 2 * 60000 > SIZE);
	CHECK(put('y', 60000) == NONE);
	CHECK(done(59000) == 0 && put('y', 60000) == NONE);
	CHECK(done(60000) == 0 && put('y', 60000) == SIZE);
}

/* Positions go round after 4 GiB. */
static void
test_after_very_many(void)
{
	uint32_t at, i;

	begin(SIZE);
	window.put = window.got = 0U - 3 * SIZE;
	for (i = 0; i < 6000; i++) {
		at = put('x', 1000);
		CHECK(take(at, 1000) != NULL && take(at, 1100) == NULL);
		CHECK(done(window.got - 64) == -1);
		CHECK(done(at + 1088) == -1);
		router_window_burst(&window);
		if (i % 7 == 0)
			CHECK(done(at + 1000) == 0);
	}
	CHECK(window.put < 0U - 3 * SIZE);
}

static void
test_what_is_not_there(void)
{
	uint32_t at;

	begin(SIZE);
	CHECK(take(0, 1) == NULL && take(SIZE, 1) == NULL);
	at = put('x', 1000);
	CHECK(take(at, 1024) != NULL && take(at, 1025) == NULL);
	CHECK(take(at + 1024, 1) == NULL && take(at - 1, 2) == NULL);
	CHECK(take(at, UINT32_MAX) == NULL && take(UINT32_MAX, 2) == NULL);
	CHECK(done(at + 1025) == -1 && done(at - 1) == -1);
	CHECK(done(at + 500) == 0 && take(at, 100) == NULL);
	/* Nor can one begin at the end of the memory and go on behind it. */
	window.got = SIZE - 512;
	window.put = SIZE + 512;
	CHECK(take(SIZE - 512, 512) != NULL);
	CHECK(take(SIZE - 512, 513) == NULL);
	window.got = 0;
	window.put = SIZE;
	CHECK(take(0, FRAME_DATA_MAX) != NULL);
	CHECK(take(0, FRAME_DATA_MAX + 1) == NULL);
}

static void
test_copies_have_an_end(void)
{
	struct msg_frame_at msg = { 0, FRAME_DATA_MAX };
	uint32_t i;

	begin(SIZE);
	for (i = 0; i < 16; i++)
		CHECK(put('x', FRAME_DATA_MAX) == i * FRAME_DATA_MAX);
	for (i = 0; i < 3; i++) {
		CHECK(!router_window_is_full(&window, &msg));
		CHECK(take(i * FRAME_DATA_MAX, FRAME_DATA_MAX) != NULL);
	}
	CHECK(router_window_is_full(&window, &msg));
	msg.len -= 4 * FRAME_HEADROOM - 1;
	CHECK(router_window_is_full(&window, &msg));
	msg.len--;
	CHECK(!router_window_is_full(&window, &msg));
	msg.len = UINT32_MAX;
	CHECK(router_window_is_full(&window, &msg));
	router_window_burst(&window);
	CHECK(take(0, 1) == window.copies + FRAME_HEADROOM);
}

/* The room is used to its last byte, and no further. */
static void
test_copies_that_fit_exactly(void)
{
	struct msg_frame_at msg = { 0, FRAME_DATA_MAX };
	uint32_t left;

	begin(SIZE);
	CHECK(put('x', FRAME_DATA_MAX) == 0);
	for (left = 256U << 10; left > 0; left -= FRAME_HEADROOM + msg.len) {
		msg.len = left < FRAME_HEADROOM + FRAME_DATA_MAX
			      ? left - FRAME_HEADROOM
			      : FRAME_DATA_MAX;
		CHECK(!router_window_is_full(&window, &msg));
		CHECK(take(0, msg.len) != NULL);
	}
	for (msg.len = 1; msg.len <= FRAME_DATA_MAX; msg.len++) {
		CHECK(router_window_is_full(&window, &msg));
		CHECK(take(0, msg.len) == NULL);
	}
}

int
main(void)
{
	RUN(test_what_is_no_window);
	RUN(test_a_message_there_and_back);
	RUN(test_small_ones_are_not_worth_it);
	RUN(test_it_is_full_and_goes_on);
	RUN(test_one_that_does_not_fit_at_the_end);
	RUN(test_after_very_many);
	RUN(test_what_is_not_there);
	RUN(test_copies_have_an_end);
	RUN(test_copies_that_fit_exactly);
	return (test_failed());
}
