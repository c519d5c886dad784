/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>

#include "regress/unit/auth/parts.h"

static int step;           /* what keyfile_step() returns */
static uint32_t found = 5; /* keys in the file */
static int walks, walk_left, snapshot_left, cache_left;
static uint32_t before; /* boolean, as the parent says */

int
keystore_init(struct keystore *ks)
{
	return (0);
}

int
firstkey_init(struct firstkeys *first)
{
	return (0);
}

int
firstkey_prune(struct firstkeys *first, const struct keycache *keys,
    const struct peermap *map)
{
	return (0);
}

void
keyfile_begin(struct keyfile *file, int fd, const char *path)
{
	file->fd = fd;
	file->bad = 2;
	file->cache.count = 0;
}

int
keyfile_step(struct keyfile *file)
{
	if (step == 0)
		file->cache.count = found;
	return (step);
}

void
keyfile_close(struct keyfile *file)
{
	if (file->fd != -1)
		(void)close(file->fd);
	file->fd = -1;
}

void
keystore_swap_file(struct keystore *ks, struct keycache *new)
{
	ks->file.count = new->count;
}

void
walk_fast(struct auth *of)
{
	walks++;
}

int
walk_work(struct auth *of)
{
	return (walk_left);
}

int
keys_snapshot_work(struct auth *of)
{
	return (snapshot_left);
}

int
keys_cache_work(struct auth *of)
{
	return (cache_left);
}

static void
no_work(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

static void
load(const char *path)
{
	struct msg_keys msg;

	walks = 0;
	msg.before = before;
	(void)strlcpy(msg.path, path, sizeof(msg.path));
	keys_load(&auth, open(path, O_RDONLY), &msg);
}

/* What became of a file, as the parent was told; -1: nothing. */
static int
result(uint32_t keys)
{
	struct msg_keys_read msg;

	if (parts_told(AP_KEYS, &msg, sizeof(msg)) != 1)
		return (-1);
	if (msg.keys != keys || msg.bad != (keys == 0 ? 0 : 2))
		return (-2);
	return ((int)msg.result);
}

/* The keys, what else there is to be read, and then it is ready: once. */
static void
test_ready_when_all_is_read(void)
{
	struct msg_hello msg;

	load("/proc/self/exe");
	CHECK(keys_work(&auth) == 0 && auth.file.fd != -1); /* not started */
	auth.parent.state = AUTH_RUNNING;
	step = 1;
	CHECK(keys_work(&auth) == 1 && !auth.ready);
	step = 0;
	snapshot_left = 1;
	CHECK(keys_work(&auth) == 1 && result(5) == KEYS_READ && !auth.ready);
	snapshot_left = 0;
	cache_left = 1;
	CHECK(keys_work(&auth) == 1 && !auth.ready);
	cache_left = 0;
	walk_left = 1;
	CHECK(keys_work(&auth) == 1 && auth.ready);
	CHECK(parts_told(AP_READY, &msg, sizeof(msg)) == 1);
	walk_left = 0;
	CHECK(keys_work(&auth) == 0 && result(0) == -1);
	CHECK(walks == 1);
}

static void
test_keys_that_stay(void)
{
	/* None in it: somebody has just begun to write it. */
	found = 0;
	load("/proc/self/exe");
	CHECK(keys_work(&auth) == 0 && result(0) == KEYS_KEPT);
	CHECK(auth.store.file.count == 5 && walks == 0 && auth.file.fd == -1);
	step = -1;
	load("/proc/self/exe");
	CHECK(keys_work(&auth) == 0 && result(0) == KEYS_KEPT);
	step = 0;
	load("/dev/null");
	CHECK(result(0) == KEYS_KEPT && auth.file.fd == -1);
	load("/nonexistent");
	CHECK(result(0) == KEYS_KEPT);
	CHECK(auth.store.file.count == 5);
}

/* Another auth had some, and sessions stand on them. */
static void
test_an_empty_file_of_an_auth_that_is_new(void)
{
	auth.store.file.count = 0;
	before = 1;
	load("/proc/self/exe");
	CHECK(keys_work(&auth) == 0 && result(0) == KEYS_KEPT && walks == 0);
	found = 5;
	load("/proc/self/exe");
	CHECK(keys_work(&auth) == 0 && result(5) == KEYS_READ && walks == 1);
	found = before = 0;
}

/* There never was one: an empty file is what there is. */
static void
test_an_empty_file_of_an_empty_beacon(void)
{
	auth.store.file.count = 0;
	load("/proc/self/exe");
	CHECK(keys_work(&auth) == 0 && walks == 1);
	found = 5;
}

static void
test_another_comes_before_it_is_read(void)
{
	while (result(0) != -1)
		;
	load("/proc/self/exe");
	load("/proc/self/exe");
	CHECK(result(0) == KEYS_SUPERSEDED && result(0) == -1);
	CHECK(keys_work(&auth) == 0 && result(5) == KEYS_READ);
}

int
main(void)
{
	parts_loop();
	turn_init(&auth, no_work);
	keys_init(&auth);
	RUN(test_ready_when_all_is_read);
	RUN(test_keys_that_stay);
	RUN(test_an_empty_file_of_an_auth_that_is_new);
	RUN(test_an_empty_file_of_an_empty_beacon);
	RUN(test_another_comes_before_it_is_read);
	return (test_failed());
}
