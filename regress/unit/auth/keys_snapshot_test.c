/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>

#include "regress/unit/auth/parts.h"

static int begun; /* what snapshot_begin() returns */
static int step;  /* what snapshot_step() does */
static uint32_t changed;
static int walks;

int
snapshot_begin(struct snapshot *s, int fd, const char *path, uint32_t written)
{
	if (begun == -1) {
		(void)close(fd);
		return (-1);
	}
	s->fd = fd;
	s->bad = 3;
	return (0);
}

int
snapshot_step(struct snapshot *s)
{
	return (step);
}

void
snapshot_close(struct snapshot *s)
{
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}

uint32_t
keystore_swap_snapshot(
    struct keystore *ks, struct keycache *new, uint32_t written, uint32_t now)
{
	ks->snapshot.count = 12;
	return (changed);
}

void
walk_fast(struct auth *of)
{
	walks++;
}

static void
no_work(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

static void
no_time(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

static void
load(const char *path)
{
	struct msg_snapshot msg;

	memset(&msg, 0, sizeof(msg));
	(void)strlcpy(msg.path, path, sizeof(msg.path));
	walks = 0;
	keys_snapshot_load(&auth, open(path, O_RDONLY), &msg);
}

/* What became of one, as the parent was told; -1: nothing. */
static int
result(uint32_t keys)
{
	struct msg_snapshot_read msg;

	if (parts_told(AP_SNAPSHOT, &msg, sizeof(msg)) != 1)
		return (-1);
	if (msg.keys != keys || msg.bad != (keys == 0 ? 0 : 3))
		return (-2);
	return ((int)msg.result);
}

static void
test_it_takes_the_place_of_the_old_one(void)
{
	load("/proc/self/exe");
	CHECK(auth.snapshot.fd != -1 && ev_is_active(&auth.work));
	step = 1;
	CHECK(keys_snapshot_work(&auth) == 1 && result(0) == -1);
	step = 0;
	CHECK(keys_snapshot_work(&auth) == 0 && result(12) == KEYS_READ);
	CHECK(auth.snapshot.fd == -1 && ev_is_active(&auth.second));
	CHECK(walks == 0 && keys_snapshot_work(&auth) == 0);
	/* Sessions are looked at only if a key has gone or changed. */
	changed = 1;
	load("/proc/self/exe");
	CHECK(keys_snapshot_work(&auth) == 0 && result(12) == KEYS_READ);
	CHECK(walks == 1);
}

static void
test_one_that_is_not_whole(void)
{
	load("/proc/self/exe");
	step = -1;
	CHECK(keys_snapshot_work(&auth) == 0 && result(0) == KEYS_KEPT);
	CHECK(auth.snapshot.fd == -1 && walks == 0);
}

/* read(2) must not wait for ever. */
static void
test_what_is_no_file(void)
{
	load("/dev/null");
	CHECK(auth.snapshot.fd == -1 && result(0) == KEYS_KEPT);
	load("/nonexistent");
	CHECK(result(0) == KEYS_KEPT);
	begun = -1;
	load("/proc/self/exe");
	CHECK(result(0) == KEYS_KEPT && result(0) == -1);
	begun = 0;
}

static void
test_another_comes_before_it_is_read(void)
{
	load("/proc/self/exe");
	CHECK(result(0) == -1);
	load("/proc/self/exe");
	CHECK(result(0) == KEYS_SUPERSEDED && result(0) == -1);
	step = 0;
	CHECK(keys_snapshot_work(&auth) == 0 && result(12) == KEYS_READ);
}

int
main(void)
{
	parts_loop();
	turn_init(&auth, no_work);
	turn_init_timers(&auth, no_time, no_time);
	keys_snapshot_init(&auth);
	RUN(test_it_takes_the_place_of_the_old_one);
	RUN(test_one_that_is_not_whole);
	RUN(test_what_is_no_file);
	RUN(test_another_comes_before_it_is_read);
	return (test_failed());
}
