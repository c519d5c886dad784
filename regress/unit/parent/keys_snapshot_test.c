/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "parent/parent.h"
#include "regress/unit/still_clock.h"
#include "regress/unit/test.h"

/* The parent with an auth whose end of the channel is in our hands. */
static struct parent parent;
static struct process *child;
static struct imsgbuf end;
static struct msg_snapshot msg;
static const struct role_rules role = { .id = ROLE_AUTH, .name = "auth" };
static char dir[] = "/tmp/keys_snapshot_test.XXXXXX";
static char path[64], other[64];

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
	(void)strlcpy(parent.conf->keys_snapshot, path, CONF_PATH_MAX);
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
	(void)fcntl(end.fd, F_SETFL, O_NONBLOCK);
	keys_snapshot_init(&parent);
	return (0);
}

static void
tear_down(void)
{
	ev_timer_stop(parent.loop, &parent.snapshot.look);
	channel_close(&child->channel);
	(void)close(end.fd);
	imsgbuf_clear(&end);
	process_free(child);
	conf_free(parent.conf);
	(void)unlink(path);
}

static void
put(const char *text, mode_t mode, time_t mtime)
{
	struct timespec times[2] = { { mtime, 0 }, { mtime, 0 } };
	int fd;

	fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (write(fd, text, strlen(text)) == -1 || fchmod(fd, mode) == -1 ||
	    futimens(fd, times) == -1)
		abort();
	(void)close(fd);
	(void)rename(other, path);
}

/* Five seconds later: the first byte of what auth is given, 0: nothing. */
static char
look(void)
{
	struct imsg imsg;
	char c;
	int fd;

	still_pass(SNAPSHOT_LOOK);
	ev_invoke(parent.loop, &parent.snapshot.look, EV_TIMER);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
	(void)imsgbuf_read(&end);
	if (imsgbuf_get(&end, &imsg) != 1)
		return (0);
	c = '?';
	fd = imsg_get_fd(&imsg);
	if (imsg_get_type(&imsg) != PA_SNAPSHOT ||
	    imsg_get_data(&imsg, &msg, sizeof(msg)) == -1 ||
	    read(fd, &c, 1) != 1 || write(fd, "x", 1) != -1)
		c = '?';
	(void)close(fd);
	imsg_free(&imsg);
	return (c);
}

static const char *
say(uint32_t result)
{
	struct msg_snapshot_read answer;

	memset(&answer, 0, sizeof(answer));
	answer.result = result;
	answer.keys = result == KEYS_READ ? 3 : 0;
	return (keys_snapshot_answer(&parent, &answer));
}

static void
test_read_when_it_changes(void)
{
	CHECK(set_up() == 0);
	CHECK(look() == 0);
	put("a", 0600, (time_t)clock_wall() - 100);
	CHECK(look() == 'a' && strcmp(msg.path, path) == 0);
	CHECK(msg.written == clock_seconds() - 105);
	CHECK(say(KEYS_READ) == NULL && parent.snapshot.keys == 3);
	CHECK(look() == 0 && look() == 0);
	put("b", 0600, (time_t)clock_wall());
	CHECK(look() == 'b' && say(KEYS_READ) == NULL);
	/* Of the same size and time, but another file. */
	put("c", 0600, (time_t)clock_wall() - 5);
	CHECK(look() == 'c' && say(KEYS_KEPT) == NULL);
	CHECK(parent.snapshot.keys == 3 && look() == 0);
	/* Gone, and back. */
	CHECK(unlink(path) == 0 && look() == 0);
	put("d", 0600, 1);
	CHECK(look() == 'd' && msg.written > 0 && say(KEYS_READ) == NULL);
	tear_down();
}

/* One at a time, and no more than a tenth of auth's time. */
static void
test_not_too_often(void)
{
	int i;

	CHECK(set_up() == 0);
	put("a", 0600, 1);
	CHECK(look() == 'a');
	put("b", 0600, 2);
	CHECK(look() == 0);
	still_pass(1.);
	CHECK(say(KEYS_READ) == NULL);
	/* It took six seconds. */
	for (i = 0; i < 11; i++)
		CHECK(look() == 0);
	CHECK(look() == 'b');
	CHECK(say(KEYS_READ) == NULL);
	tear_down();
}

static void
test_not_anybodys(void)
{
	CHECK(set_up() == 0);
	put("a", 0622, 1);
	CHECK(look() == 0 && parent.snapshot.said);
	put("a", 0600, 1);
	CHECK(look() == 'a' && !parent.snapshot.said);
	CHECK(say(KEYS_READ) == NULL);
	CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
	CHECK(look() == 0 && parent.snapshot.said);
	tear_down();
}

static void
test_lies(void)
{
	CHECK(set_up() == 0);
	CHECK(say(KEYS_READ) != NULL);
	put("a", 0600, 1);
	CHECK(look() == 'a');
	CHECK(say(KEYS_SUPERSEDED + 1) != NULL);
	parent.map.generation = 7;
	CHECK(say(KEYS_READ) == NULL && say(KEYS_READ) != NULL);
	CHECK(parent.keys_generation == 7);
	tear_down();
}

/* Another auth has read nothing yet. */
static void
test_another_auth(void)
{
	CHECK(set_up() == 0);
	put("a", 0600, 1);
	CHECK(look() == 'a');
	keys_snapshot_introduce(child);
	parent.snapshot.asked = 0;
	keys_snapshot_introduce(child);
	CHECK(look() == 'a');
	/* One beside it gets it, and is not asked. */
	parent.snapshot.asked = 0;
	keys_snapshot_show(child);
	CHECK(look() == 'a' && !parent.snapshot.asked);
	tear_down();
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return (1);
	(void)snprintf(path, sizeof(path), "%s/snapshot", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	RUN(test_read_when_it_changes);
	RUN(test_not_too_often);
	RUN(test_not_anybodys);
	RUN(test_lies);
	RUN(test_another_auth);
	(void)rmdir(dir);
	return (test_failed());
}
