/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "regress/fuzz/family.h"
#include "regress/fuzz/loop.h"

/* Children: what they hear, and what honest ones do about it. */

struct child_play children[CHILDREN];
static uint32_t nchildren;
struct opened opened[OPENED];
uint32_t nopened;
uint8_t habits;

void
children_begin(void)
{
	nchildren = 0;
	nopened = 0;
	habits = 0xff;
}

/* A child with these ends; returns its process id, or -1: no more of them. */
int
children_born(int channel, int log, int words)
{
	struct child_play *c;

	if (nchildren == CHILDREN)
		return (-1);
	c = &children[nchildren];
	memset(c, 0, sizeof(*c));
	c->pid = FAKE_PID + (pid_t)nchildren++;
	channel = fcntl(channel, F_DUPFD_CLOEXEC, 0);
	c->log = fcntl(log, F_DUPFD_CLOEXEC, 0);
	c->words = fcntl(words, F_DUPFD_CLOEXEC, 0);
	REQUIRE(channel != -1 && c->log != -1 && c->words != -1);
	REQUIRE(imsgbuf_init(&c->channel, channel) == 0);
	imsgbuf_allow_fdrecv(&c->channel);
	imsgbuf_allow_fdsend(&c->channel);
	c->kept.fd = c->parking.fd = -1;
	return (c->pid);
}

/* Nobody but a child of ours is killed, and it for a reason. */
void
child_killed(pid_t pid)
{
	struct child_play *c;

	REQUIRE(pid >= FAKE_PID && pid < FAKE_PID + (pid_t)nchildren);
	c = &children[pid - FAKE_PID];
	REQUIRE(!c->dead);
	REQUIRE(c->wild || c->killed || family_kills_all() ||
		family_is_candidate(pid));
	c->killed = 1;
}

static void
let_go(struct child_play *c)
{
	family_hang_up(&c->kept);
	family_hang_up(&c->parking);
	if (c->channel.fd == -1)
		return;
	family_hang_up(&c->channel);
	(void)close(c->log);
	(void)close(c->words);
	c->log = c->words = -1;
}

/* Its process ends; status is as from wait(2). */
void
child_die(struct child_play *c, int status)
{
	uint32_t i;

	if (c->dead)
		return;
	let_go(c);
	c->dead = 1;
	if (!c->auth)
		for (i = 0; i < nopened; i++)
			if (opened[i].worker == c->number &&
			    opened[i].epoch == c->epoch)
				opened[i].over = 1;
	REQUIRE(loop_reap(c->pid, status));
}

/* Who holds that place now, or NULL. */
struct child_play *
child_alive(int auth, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < nchildren; i++)
		if (!children[i].dead && children[i].epoch != 0 &&
		    children[i].auth == auth &&
		    (auth || children[i].number == number))
			return (&children[i]);
	return (NULL);
}

/* Says something; fd (or -1) goes with it. */
void
child_say(
    struct child_play *c, uint32_t type, int fd, const void *data, size_t len)
{
	int i;

	if (c->channel.fd == -1 ||
	    imsg_compose(&c->channel, type, 0, 0, fd, data, len) == -1) {
		if (fd != -1)
			(void)close(fd);
		return;
	}
	for (i = 0; i < 100 && imsgbuf_queued(&c->channel) > 0; i++) {
		if (imsgbuf_write(&c->channel) == -1)
			break;
		if (imsgbuf_queued(&c->channel) > 0)
			(void)loop_turn();
	}
	if (c->channel.fd != -1)
		imsgbuf_drop_queue(&c->channel);
}

static void
hear_hello(struct child_play *c, const struct imsg *imsg, int auth)
{
	struct msg_hello hello;

	REQUIRE(imsg_get_data(imsg, &hello, sizeof(hello)) == 0);
	REQUIRE(proto_same_build(&hello));
	REQUIRE(c->epoch == 0 && hello.epoch != 0);
	c->auth = auth;
	c->number = hello.worker;
	c->epoch = hello.epoch;
}

static void
hear_open(const struct child_play *c, const struct imsg *imsg)
{
	struct msg_open msg;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(msg.node != 0 && msg.generation != 0);
	REQUIRE(nopened < OPENED);
	opened[nopened].msg = msg;
	opened[nopened].worker = c->number;
	opened[nopened].epoch = c->epoch;
	opened[nopened].told = 0;
	opened[nopened].moves = 0;
	opened[nopened++].over = 0;
}

/* Each session is closed by its own worker, and once. */
static void
hear_close(struct child_play *c, const struct imsg *imsg)
{
	struct msg_close msg;
	uint32_t i;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	for (i = 0; i < nopened; i++)
		if (opened[i].msg.generation == msg.generation)
			break;
	REQUIRE(i < nopened && opened[i].worker == c->number);
	REQUIRE(opened[i].msg.slot == msg.slot && !opened[i].told);
	opened[i].told = 1;
	if (!opened[i].over && c->ready)
		child_says_closed(c, opened[i].msg.node, msg.generation);
	opened[i].over = 1;
}

static void
hear_stat(struct child_play *c, const struct imsg *imsg)
{
	struct {
		struct msg_stat head;
		struct msg_stat_row rows[PROTO_STAT_MAX];
	} reply;
	struct msg_stat msg;
	uint32_t i;

	REQUIRE(imsg_get_len(imsg) >= sizeof(msg));
	memcpy(&msg, imsg->data, sizeof(msg));
	REQUIRE(msg.count > 0 && msg.count <= PROTO_STAT_MAX);
	REQUIRE(imsg_get_len(imsg) ==
		sizeof(msg) + msg.count * sizeof(struct msg_stat_session));
	if (!c->ready || (habits & HABIT_STAT) == 0)
		return;
	memset(&reply, 0, sizeof(reply));
	reply.head = msg;
	for (i = 0; i < msg.count; i++)
		reply.rows[i].known = (msg.request + i) & 1;
	child_say(c, WP_STAT, -1, &reply,
	    sizeof(msg) + msg.count * sizeof(reply.rows[0]));
}

static void
hear_keys(struct child_play *c, const struct imsg *imsg)
{
	static const struct msg_keys_read read = { KEYS_READ, 3, 1 };
	struct msg_keys msg;

	REQUIRE(imsg_get_data(imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(imsg->fd != -1);
	c->keys++;
	if ((habits & HABIT_KEYS) == 0)
		return;
	c->keys--;
	child_say(c, AP_KEYS, -1, &read, sizeof(read));
}

static void
begin(struct child_play *c)
{
	if (c->started && !c->ready && !c->wild && habits & HABIT_READY)
		child_says_ready(c);
}

static void
hear_worker(struct child_play *c, struct imsg *imsg)
{
	switch (imsg_get_type(imsg)) {
	case PW_HELLO:
		hear_hello(c, imsg, 0);
		break;
	case PW_START:
		c->started = 1;
		begin(c);
		break;
	case PW_OPEN:
		hear_open(c, imsg);
		break;
	case PW_CLOSE:
		hear_close(c, imsg);
		break;
	case PW_STAT:
		hear_stat(c, imsg);
		break;
	case PW_MOVE_IN:
		child_takes(c, imsg);
		break;
	case PW_MOVE_OUT:
		child_gives(imsg);
		break;
	case PW_MOVED:
		child_moved(c, imsg);
		break;
	case PW_STILL:
		child_stands_still(c, imsg);
		break;
	case PW_PARK:
		child_parks(c, imsg);
		break;
	case PW_FORGET:
		child_forgets(c, imsg);
		break;
	case PW_PING:
		child_say(c, WP_PONG, -1, NULL, 0);
		break;
	case PW_SHUTDOWN:
		c->wild = 1; /* what it does now may take too long */
		child_die(c, 0);
		break;
	default: /* of no interest here */
		break;
	}
}

static void
hear_auth(struct child_play *c, const struct imsg *imsg)
{
	switch (imsg_get_type(imsg)) {
	case PA_HELLO:
		hear_hello(c, imsg, 1);
		break;
	case PA_START:
		c->started = 1;
		begin(c);
		break;
	case PA_KEYS:
		hear_keys(c, imsg);
		break;
	case PA_PING:
		child_say(c, AP_PONG, -1, NULL, 0);
		break;
	case PA_SHUTDOWN:
		c->wild = 1;
		child_die(c, 0);
		break;
	default:
		break;
	}
}

/* Returns how many messages there were. */
static int
child_hears(struct child_play *c)
{
	struct imsg imsg;
	int n;

	n = child_hears_kept(c);
	/* The other end may be closed already. */
	if (imsgbuf_read(&c->channel) != 1)
		return (n);
	while (c->channel.fd != -1 && imsgbuf_get(&c->channel, &imsg) == 1) {
		n++;
		if (imsg_get_type(&imsg) < PA_HELLO)
			hear_worker(c, &imsg);
		else
			hear_auth(c, &imsg);
		imsg_free(&imsg);
	}
	begin(c);
	return (n);
}

/* All take what they are told; returns how much that was. */
int
children_hear(void)
{
	static uint64_t heard;
	struct child_play *c;
	int n, news;
	uint32_t i;

	n = 0;
	news = family_sent() != heard;
	heard = family_sent();
	for (i = 0; i < nchildren; i++) {
		c = &children[i];
		if (c->dead)
			continue;
		if (c->killed && habits & HABIT_BURY) {
			child_die(c, SIGKILL);
			n++;
		} else if (news && c->channel.fd != -1)
			n += child_hears(c);
	}
	if (n > 0) /* perhaps not all */
		heard = 0;
	return (n);
}

/* Whoever broke the rules has been killed. */
void
children_check(void)
{
	uint32_t i;

	for (i = 0; i < nchildren; i++)
		REQUIRE(
		    !children[i].bad || children[i].killed || children[i].dead);
}

/* The parent has ended, and they with it. */
void
children_end(void)
{
	uint32_t i;

	for (i = 0; i < nchildren; i++) {
		children[i].wild = 1;
		child_die(&children[i], SIGKILL);
	}
}
