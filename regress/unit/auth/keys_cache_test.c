/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>

#include "regress/unit/auth/parts.h"

static int begun = 0; /* what cachefile_load() and _save() return */
static int step;      /* what its steps return */
static int closed;
static char data[1];

int
cachefile_load(struct cachefile *c, int fd, uint64_t wall, uint32_t now)
{
	c->data = begun == -1 ? NULL : (void *)data;
	c->load = 1;
	(void)close(fd);
	return (begun);
}

int
cachefile_save(struct cachefile *c, int fd, uint64_t wall, uint32_t now)
{
	c->data = begun == -1 ? NULL : (void *)data;
	c->load = 0;
	return (begun);
}

int
cachefile_step_load(
    struct cachefile *c, struct learned *l, uint32_t stale, uint32_t max)
{
	return (step);
}

int
cachefile_step_save(struct cachefile *c, const struct learned *l)
{
	return (step);
}

size_t
cachefile_bytes(const struct cachefile *c)
{
	return (4711);
}

void
cachefile_close(struct cachefile *c)
{
	c->data = NULL;
	closed++;
}

uint32_t
keystore_room(const struct keystore *ks)
{
	return (1000);
}

static void
no_work(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

/* The parent asks for that; is the descriptor closed afterwards? */
static int
asks(uint32_t load)
{
	struct msg_cache msg;
	int fd;

	memset(&msg, 0, sizeof(msg));
	msg.load = load;
	closed = 0;
	fd = open("/dev/null", O_RDONLY);
	keys_cache(&auth, fd, &msg);
	return (fcntl(fd, F_GETFD) == -1);
}

/* The bytes that the parent was told of; -1: nothing. */
static int64_t
written(void)
{
	struct msg_cache_written msg;

	return (parts_told(AP_CACHE, &msg, sizeof(msg)) == 1
		    ? (int64_t)msg.bytes
		    : -1);
}

static void
test_nothing_is_under_way(void)
{
	keys_cache_init(&auth);
	CHECK(auth.cache.fd == -1 && keys_cache_work(&auth) == 0);
}

static void
test_it_is_filled_and_told(void)
{
	CHECK(asks(0) && ev_is_active(&auth.work));
	step = 1;
	CHECK(keys_cache_work(&auth) == 1 && written() == -1);
	step = 0;
	CHECK(keys_cache_work(&auth) == 0 && written() == 4711);
	CHECK(closed == 1 && keys_cache_work(&auth) == 0 && written() == -1);
}

static void
test_it_is_read_and_nothing_told(void)
{
	CHECK(asks(1));
	step = 1;
	CHECK(keys_cache_work(&auth) == 1);
	step = 0;
	CHECK(keys_cache_work(&auth) == 0 && closed == 1 && written() == -1);
	/* Not whole: it is over all the same. */
	CHECK(asks(1));
	step = -1;
	CHECK(keys_cache_work(&auth) == 0 && closed == 1);
}

/* Each one that is to be filled gets one answer. */
static void
test_one_at_a_time(void)
{
	CHECK(asks(1));
	CHECK(asks(0) && written() == 0);
	CHECK(asks(1) && written() == -1);
	CHECK(auth.cache.load && auth.cache.data != NULL);
	step = 0;
	(void)keys_cache_work(&auth);
}

static void
test_what_cannot_be_begun(void)
{
	begun = -1;
	CHECK(asks(0) && written() == 0 && auth.cache.data == NULL);
	CHECK(asks(1) && written() == -1);
	begun = 0;
}

int
main(void)
{
	parts_loop();
	turn_init(&auth, no_work);
	RUN(test_nothing_is_under_way);
	RUN(test_it_is_filled_and_told);
	RUN(test_it_is_read_and_nothing_told);
	RUN(test_one_at_a_time);
	RUN(test_what_cannot_be_begun);
	return (test_failed());
}
