/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "parent/control.h"
#include "parent/inherit.h"
#include "parent/parent.h"
#include "regress/unit/parent/operator.h"
#include "regress/unit/test.h"

/* Operators connect to a real control socket; what they may ask is ours. */
static struct parent parent;
static struct config conf;
static char directory[] = "/tmp/control_test.XXXXXX";
static struct control_client *asked; /* the last that did */
static uint32_t rows;                /* what the greedy one was told */

/* Whom the kernel says a client to be; uid 0: as it is. */
static struct ucred peer;
static gid_t peer_group;

/* The daemon's way to the kernel. */
int
getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (peer.uid != 0 && level == SOL_SOCKET && name == SO_PEERCRED) {
		memcpy(value, &peer, sizeof(peer));
		return (0);
	}
	if (peer.uid != 0 && level == SOL_SOCKET && name == SO_PEERGROUPS) {
		memcpy(value, &peer_group, sizeof(peer_group));
		*len = sizeof(peer_group);
		return (0);
	}
	return ((int)syscall(SYS_getsockopt, fd, level, name, value, len));
}

static int failed; /* times that sessions were to stay */

int
inherit_take_local(const struct sockaddr_un *sun)
{
	return (-1);
}

static void
has_left(struct parent *of)
{
	failed++;
}

static const char *
answer(void *owner, const void *data, size_t len, int fd)
{
	asked = owner;
	return (control_done(owner, ENOENT));
}

static void
time_is_over(struct ev_loop *loop, ev_timer *w, int revents)
{
}

/* The answer takes a while. */
static const char *
take_long(void *owner, const void *data, size_t len, int fd)
{
	asked = owner;
	control_wait(owner, JOB_RELOAD, time_is_over, 100., 0.);
	return (NULL);
}

static const char *
tell_without_end(void *owner, const void *data, size_t len, int fd)
{
	static const struct msg_ctl_said row;

	for (rows = 0; rows < 1000000; rows++)
		if (control_row(owner, CTL_SAID, &row, sizeof(row)) == -1)
			return (CONTROL_SLOW);
	return (NULL);
}

static const struct channel_rule rules[] = {
	CHANNEL_RULE(CTL_SHOW_SUMMARY, 0, CONTROL_READY, answer),
	CHANNEL_RULE(CTL_RELOAD, 0, CONTROL_READY, take_long),
	CHANNEL_RULE(CTL_SHOW_NODES, 0, CONTROL_READY, tell_without_end),
};

static void
begin(void)
{
	parent.loop = ev_default_loop(EVFLAG_NOENV);
	parent.conf = &conf;
	if (parent.loop == NULL || mkdtemp(directory) == NULL)
		abort();
	(void)snprintf(conf.control_socket, sizeof(conf.control_socket),
	    "%s/ctl", directory);
	channel_loop_init(parent.loop);
	control_check(&parent);
	control_bind(&parent);
	control_start(&parent, rules, sizeof(rules) / sizeof(rules[0]));
}

static void
operator_comes(struct imsgbuf *end)
{
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	(void)strlcpy(sun.sun_path, conf.control_socket, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (void *)&sun, sizeof(sun)) == -1 ||
	    imsgbuf_init(end, fd) == -1)
		abort();
	turn();
}

static void
operator_goes(struct imsgbuf *end)
{
	(void)close(end->fd);
	imsgbuf_clear(end);
	turn();
}

/* Boolean: nothing more is to be read, and never will. */
static int
is_closed(const struct imsgbuf *end)
{
	char byte;
	ssize_t n;

	n = recv(end->fd, &byte, 1, MSG_PEEK);
	return (n == 0 || (n == -1 && errno == ECONNRESET));
}

static void
test_a_request_is_answered(void)
{
	struct msg_ctl_end last;
	struct imsgbuf end;

	CHECK(control_made(&parent)[0] == '\0');
	operator_comes(&end);
	CHECK(parent.control->nclients == 1);
	ask(&end, CTL_SHOW_SUMMARY, NULL, 0);
	CHECK(told(&end, CTL_END, &last, sizeof(last)));
	CHECK(last.error == ENOENT);
	ask(&end, CTL_SHOW_SUMMARY, NULL, 0);
	CHECK(told(&end, CTL_END, &last, sizeof(last)));
	operator_goes(&end);
	CHECK(parent.control->nclients == 0);
}

static void
test_so_many_and_no_more(void)
{
	static struct imsgbuf ends[CONTROL_CLIENTS_MAX], more;
	int i;

	for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
		operator_comes(&ends[i]);
	CHECK(parent.control->nclients == CONTROL_CLIENTS_MAX);
	operator_comes(&more);
	CHECK(is_closed(&more) && !is_closed(&ends[0]));
	operator_goes(&more);
	operator_goes(&ends[7]);
	operator_comes(&ends[7]);
	CHECK(!is_closed(&ends[7]));
	for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
		operator_goes(&ends[i]);
	CHECK(parent.control->nclients == 0);
}

/* Whatever the mode of the file is: root, our user, our group. */
static void
test_who_may_ask(void)
{
	struct imsgbuf end;

	peer.uid = geteuid() + 1;
	peer.gid = peer_group = getegid() + 1;
	operator_comes(&end);
	CHECK(is_closed(&end) && parent.control->nclients == 0);
	operator_goes(&end);
	peer_group = getegid();
	operator_comes(&end);
	CHECK(!is_closed(&end));
	operator_goes(&end);
	peer_group = getegid() + 1;
	peer.gid = getegid();
	operator_comes(&end);
	CHECK(!is_closed(&end));
	operator_goes(&end);
	memset(&peer, 0, sizeof(peer));
}

/* What waits for it is bounded; others are served. */
static void
test_one_that_does_not_read(void)
{
	struct msg_ctl_end last;
	struct imsgbuf slow, other;

	operator_comes(&slow);
	operator_comes(&other);
	ask(&slow, CTL_SHOW_NODES, NULL, 0);
	CHECK(
	    rows > 100 && rows <= CONTROL_QUEUE / sizeof(struct msg_ctl_said));
	CHECK(parent.control->nclients == 1);
	ask(&other, CTL_SHOW_SUMMARY, NULL, 0);
	CHECK(told(&other, CTL_END, &last, sizeof(last)));
	operator_goes(&slow);
	operator_goes(&other);
}

static void
test_one_request_at_a_time(void)
{
	struct imsgbuf end;

	operator_comes(&end);
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(!is_closed(&end) && asked->channel.state == CONTROL_BUSY);
	ask(&end, CTL_SHOW_SUMMARY, NULL, 0);
	CHECK(is_closed(&end) && parent.control->nclients == 0);
	operator_goes(&end);
}

/* It hears what is said meanwhile, and how it ended; others do not. */
static void
test_a_reload(void)
{
	struct msg_ctl_said said;
	struct msg_ctl_end last;
	struct imsgbuf end, other;

	operator_comes(&other);
	operator_comes(&end);
	ask(&end, CTL_RELOAD, NULL, 0);
	log_warnx("a line");
	control_reloaded(&parent, 0);
	turn();
	CHECK(told(&end, CTL_SAID, &said, sizeof(said)));
	CHECK(strstr(said.text, "a line") != NULL);
	CHECK(told(&end, CTL_END, &last, sizeof(last)));
	CHECK(last.error == ENOKEY && asked->job == JOB_NONE);
	log_warnx("another");
	turn();
	CHECK(!told(&end, CTL_SAID, &said, sizeof(said)));
	CHECK(!told(&other, CTL_SAID, &said, sizeof(said)));
	CHECK(!is_closed(&other));
	operator_goes(&end);
	operator_goes(&other);
}

/* While all stand still nobody is listened to but who waits for that. */
static void
test_nobody_is_listened_to_for_a_while(void)
{
	struct imsgbuf taker, other, late;
	struct msg_ctl_end last;

	operator_comes(&taker);
	ask(&taker, CTL_RELOAD, NULL, 0);
	asked->job = JOB_TAKE;
	asked->left = has_left;
	operator_comes(&other);
	control_pause(&parent);
	ask(&other, CTL_SHOW_SUMMARY, NULL, 0);
	CHECK(!told(&other, CTL_END, &last, sizeof(last)));
	operator_comes(&late);
	CHECK(parent.control->nclients == 2);
	control_resume(&parent);
	turn();
	CHECK(told(&other, CTL_END, &last, sizeof(last)));
	CHECK(parent.control->nclients == 3);
	/* The taker's end is seen at once, as nobody takes over any more. */
	control_pause(&parent);
	operator_goes(&other);
	CHECK(failed == 0 && parent.control->nclients == 3);
	operator_goes(&taker);
	CHECK(failed == 1 && parent.control->nclients == 2);
	control_resume(&parent);
	turn();
	CHECK(failed == 1 && parent.control->nclients == 1);
	operator_goes(&late);
}

/* What is said goes to whoever has sessions kept, too. */
static void
test_who_parks_hears_of_it(void)
{
	struct msg_ctl_said said;
	struct imsgbuf end;

	failed = 0;
	operator_comes(&end);
	ask(&end, CTL_RELOAD, NULL, 0);
	asked->job = JOB_PARK;
	asked->left = has_left;
	log_warnx("a line");
	turn();
	CHECK(told(&end, CTL_SAID, &said, sizeof(said)));
	operator_goes(&end);
	CHECK(failed == 1);
}

/* What has been answered still arrives. */
static void
test_the_end(void)
{
	struct msg_ctl_end last;
	struct imsgbuf end;
	struct stat st;

	operator_comes(&end);
	ask(&end, CTL_RELOAD, NULL, 0);
	CHECK(control_done(asked, 0) == NULL);
	ev_io_stop(parent.loop, &parent.control->listener);
	/* Another one's still, of whom we have not taken over. */
	parent.successor.pending = 1;
	control_stop(&parent);
	CHECK(stat(conf.control_socket, &st) == 0);
	parent.successor.pending = 0;
	control_stop(&parent);
	CHECK(told(&end, CTL_END, &last, sizeof(last)) && last.error == 0);
	CHECK(is_closed(&end) && TAILQ_EMPTY(&parent.control->clients));
	CHECK(stat(conf.control_socket, &st) == -1 && errno == ENOENT);
	operator_goes(&end);
}

int
main(void)
{
	begin();
	RUN(test_a_request_is_answered);
	RUN(test_so_many_and_no_more);
	RUN(test_who_may_ask);
	RUN(test_one_that_does_not_read);
	RUN(test_one_request_at_a_time);
	RUN(test_a_reload);
	RUN(test_nobody_is_listened_to_for_a_while);
	RUN(test_who_parks_hears_of_it);
	RUN(test_the_end);
	(void)unlink(conf.control_socket);
	(void)rmdir(directory);
	free(parent.control);
	return (test_failed());
}
