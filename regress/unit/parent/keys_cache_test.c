/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "parent/newfile.h"
#include "parent/parent.h"
#include "regress/unit/test.h"

/* The parent with an auth whose end of the channel is in our hands. */
static struct parent parent;
static struct process *child;
static struct imsgbuf end;
static struct imsg imsg;
static const struct role_rules role = { .id = ROLE_AUTH, .name = "auth" };
static char dir[] = "/tmp/keys_cache_test.XXXXXX";
static char path[64], fresh[64];
static int lasts;

static void
ended(void *owner, const char *reason)
{
}

static int
set_up(void)
{
	int pair[2];

	memset(&parent, 0, sizeof(parent));
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	channel_loop_init(parent.loop);
	parent.conf = conf_new();
	parent.conf_start = parent.conf;
	(void)strlcpy(parent.conf->keys_cache, path, CONF_PATH_MAX);
	(void)strlcpy(parent.registry.target.name, "/r", sizeof("/r"));
	parent.auth.parent = &parent;
	parent.auth.role = &role;
	child = process_new(&parent.auth);
	child->state = CHILD_RUNNING;
	if (channel_pair(pair) == -1 ||
	    channel_open(&child->channel, parent.loop, pair[0], "test", NULL, 0,
		ended, child) == -1 ||
	    imsgbuf_init(&end, pair[1]) == -1)
		return (-1);
	imsgbuf_allow_fdrecv(&end);
	keys_cache_init(&parent);
	lasts = 0;
	return (0);
}

static void
tear_down(void)
{
	keys_cache_lost(child);
	ev_timer_stop(parent.loop, &parent.cache.due);
	channel_close(&child->channel);
	(void)close(end.fd);
	imsgbuf_clear(&end);
	process_free(child);
	conf_free(parent.conf);
	(void)unlink(path);
}

/* The descriptor of the next PA_CACHE; -1: there is none. */
static int
given(uint32_t load)
{
	struct msg_cache msg;
	int fd, result;

	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	fcntl(end.fd, F_SETFL, O_NONBLOCK);
	(void)imsgbuf_read(&end);
	if (imsgbuf_get(&end, &imsg) != 1)
		return (-1);
	result = imsg_get_data(&imsg, &msg, sizeof(msg));
	fd = imsg_get_fd(&imsg);
	if (imsg_get_type(&imsg) != PA_CACHE || result == -1 ||
	    msg.load != load || msg.wall < 1700000000)
		fd = -1;
	imsg_free(&imsg);
	return (fd);
}

static const char *
say(uint64_t bytes)
{
	struct msg_cache_written msg;

	msg.bytes = bytes;
	return (keys_cache_answer(&parent, &msg));
}

static void
run(void)
{
	while (keys_cache_busy(&parent))
		ev_run(parent.loop, EVRUN_ONCE);
}

static void
last(struct parent *p)
{
	lasts += p == &parent;
}

static void
put(const char *text, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, mode);
	if (write(fd, text, strlen(text)) == -1 || fchmod(fd, mode) == -1)
		abort();
	(void)close(fd);
}

/* What auth has written there, in more than one turn; and nothing besides. */
static void
test_written(void)
{
	struct stat st;
	uint8_t *data;
	size_t len;
	int fd;

	CHECK(set_up() == 0);
	keys_cache_ask(&parent);
	fd = given(0);
	CHECK(fd != -1 && fstat(fd, &st) == 0);
	CHECK((uint64_t)st.st_size == PROTO_CACHE_BYTES);
	CHECK(ftruncate(fd, 1) == -1 && errno == EPERM);
	len = 3 * CACHE_TURN + 1;
	data = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED);
	data[0] = 'a';
	data[len - 1] = 'z';
	CHECK(say(len) == NULL && keys_cache_busy(&parent));
	CHECK(access(path, F_OK) == -1);
	run();
	CHECK(stat(path, &st) == 0 && (size_t)st.st_size == len);
	CHECK((st.st_mode & 07777) == 0600);
	CHECK(access(fresh, F_OK) == -1);
	(void)munmap(data, len);
	(void)close(fd);
	fd = open(path, O_RDONLY);
	data = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED && data[0] == 'a' && data[len - 1] == 'z');
	(void)munmap(data, len);
	(void)close(fd);
	tear_down();
}

static void
test_lies(void)
{
	int fd;

	CHECK(set_up() == 0);
	CHECK(say(0) != NULL && say(1) != NULL);
	keys_cache_ask(&parent);
	fd = given(0);
	CHECK(fd != -1);
	CHECK(say(PROTO_CACHE_BYTES + 1) != NULL);
	CHECK(say(UINT64_MAX) != NULL && say((uint64_t)1 << 63) != NULL);
	/* Nothing to write: the file stays as it is. */
	put("old", 0600);
	CHECK(say(0) == NULL && !keys_cache_busy(&parent));
	CHECK(say(0) != NULL && access(path, F_OK) == 0);
	(void)close(fd);
	tear_down();
}

/* One that cannot be written leaves the old one. */
static void
test_no_room(void)
{
	struct stat st;
	int fd;

	CHECK(set_up() == 0);
	put("old", 0600);
	CHECK(mkdir(fresh, 0700) == 0);
	CHECK(newfile_prove(parent.conf_start->keys_cache) == -1);
	keys_cache_ask(&parent);
	fd = given(0);
	CHECK(fd != -1 && say(100) == NULL && !keys_cache_busy(&parent));
	CHECK(stat(path, &st) == 0 && st.st_size == 3);
	CHECK(rmdir(fresh) == 0);
	CHECK(newfile_prove(parent.conf_start->keys_cache) == 0);
	CHECK(access(fresh, F_OK) == -1);
	(void)close(fd);
	tear_down();
}

/* Whoever ends waits for the last one, and not for an auth that is gone. */
static void
test_last(void)
{
	int fd;

	CHECK(set_up() == 0);
	keys_cache_last(&parent, last);
	fd = given(0);
	CHECK(fd != -1 && keys_cache_busy(&parent) && lasts == 0);
	CHECK(say(10) == NULL && lasts == 0);
	run();
	CHECK(lasts == 1 && access(path, F_OK) == 0);
	keys_cache_last(&parent, last);
	CHECK(keys_cache_busy(&parent));
	keys_cache_lost(child);
	CHECK(!keys_cache_busy(&parent) && lasts == 2);
	parent.cache.last = NULL;
	(void)close(fd);
	tear_down();
}

static void
test_read_at_start(void)
{
	char c;
	int fd;

	CHECK(set_up() == 0);
	keys_cache_introduce(child);
	CHECK(given(1) == -1);
	put("x", 0600);
	keys_cache_introduce(child);
	fd = given(1);
	CHECK(fd != -1 && read(fd, &c, 1) == 1 && c == 'x');
	CHECK(write(fd, "y", 1) == -1);
	(void)close(fd);
	/* Somebody else's, perhaps. */
	put("x", 0666);
	keys_cache_introduce(child);
	CHECK(given(1) == -1);
	put("x", 0600);
	CHECK(truncate(path, (off_t)PROTO_CACHE_BYTES + 1) == 0);
	keys_cache_introduce(child);
	CHECK(given(1) == -1);
	CHECK(unlink(path) == 0 && symlink("/etc/passwd", path) == 0);
	keys_cache_introduce(child);
	CHECK(given(1) == -1);
	tear_down();
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/cache", dir);
	(void)snprintf(fresh, sizeof(fresh), "%s/cache.new", dir);
	RUN(test_written);
	RUN(test_lies);
	RUN(test_no_room);
	RUN(test_last);
	RUN(test_read_at_start);
	(void)rmdir(dir);
	return (test_failed());
}
