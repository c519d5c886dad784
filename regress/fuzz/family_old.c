/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/imsg.h"
#include "common/proto_ctl.h"
#include "regress/fuzz/family.h"

/*
 * A parent that runs, and is asked for what it has: for its sockets, for the
 * file and the queues (those that a service manager keeps otherwise), and
 * whether it has ended.  Each answer is as it should be, or as the input says.
 */

#define SOCKETS_MAX 7
#define AHEAD_KEPT  0x80

/* Of an answer. */
#define OLD_STRAY    0x8  /* a message without the descriptor that it needs */
#define OLD_SHORT    0x10 /* one that is shorter than it should be */
#define OLD_END(how) ((how) >> 5)

static struct {
	int there;                      /* boolean: there is one */
	uint8_t sockets, sessions, yes; /* how it answers */
	uint8_t ahead; /* & AHEAD_KEPT: what is kept comes ahead; else last */
	uint32_t gone; /* the first of the numbers that are called off then */
	int given;     /* boolean: what is kept has come */
	struct imsgbuf channel; /* fd -1: none */
	int theirs;             /* the other end of that; -1: closed */
	int asked;              /* boolean: somebody has come */
	int told;               /* boolean: all that is needed to take over */
	int last;               /* boolean: all else was asked for */
	int is_over;            /* boolean: it has said that it has ended */
	int silent;             /* boolean: whoever asked waits for an answer */
} old = { .theirs = -1, .channel.fd = -1 };

int __real_connect(int, const struct sockaddr *, socklen_t);
int __wrap_connect(int, const struct sockaddr *, socklen_t);
int __real_poll(struct pollfd *, nfds_t, int);
int __wrap_poll(struct pollfd *, nfds_t, int);

/* For the next life of a parent, which takes over from it. */
void
family_old(struct input *input)
{
	memset(&old, 0, sizeof(old));
	old.there = 1;
	old.sockets = input_u8(input);
	old.sessions = input_u8(input);
	old.yes = input_u8(input);
	old.ahead = input_u8(input);
	old.gone = input_u8(input);
	old.channel.fd = -1;
	old.theirs = -1;
}

int
family_old_is_there(void)
{
	return (old.there);
}

/* Boolean: it may still be what serves. */
int
family_old_serves(void)
{
	return (old.there && !old.is_over);
}

/* Boolean: nothing more comes of it unless it ends. */
int
family_old_is_silent(void)
{
	return (old.there && old.silent);
}

static void
say(uint32_t type, int fd, const void *data, size_t len)
{
	/* Nobody may hear that any more. */
	if (old.channel.fd == -1 ||
	    imsg_compose(&old.channel, type, 0, 0, fd, data, len) == -1)
		(void)close(fd);
}

static void
say_end(int error)
{
	struct msg_ctl_end end;

	end.error = (uint32_t)error;
	say(CTL_END, -1, &end, sizeof(end));
}

/* It is gone, whatever was asked. */
void
family_old_ends(void)
{
	family_hang_up(&old.channel);
}

/* The end of an answer.  Returns whether it says yes. */
static int
answer_end(uint8_t how)
{
	static const int errors[] = { EPERM, EOPNOTSUPP, EBUSY, EAGAIN, EIO };

	switch (OLD_END(how)) {
	case 0:
	case 7:
		say_end(0);
		break;
	case 1:
		say_end(errors[how % 5]);
		break;
	case 2:
		say(CTL_END, -1, "end", 3);
		break;
	case 3:
		say(CTL_SUMMARY + how % 16, -1, "other", 5);
		break;
	case 4:
		old.silent = 1;
		break;
	case 5:
		(void)send(old.channel.fd, "what is no message at all", 25,
		    MSG_NOSIGNAL);
		break;
	default:
		break;
	}
	if (old.channel.fd != -1)
		(void)imsgbuf_write(&old.channel);
	if (OLD_END(how) == 6)
		family_old_ends();
	return (OLD_END(how) == 0 || OLD_END(how) == 7);
}

static int
some_fd(void)
{
	int fd;

	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	REQUIRE(fd != -1);
	return (fd);
}

/* CTL_SOCKETS, before it is asked. */
static void
answer_sockets(void)
{
	static const struct msg_ctl_steered steered = {
		.steered = 1, .key = 0x12345678, .nworkers = WORKERS, .keys = 2
	};
	uint8_t how;
	int i;

	how = old.sockets;
	for (i = 0; i < (how & SOCKETS_MAX); i++)
		say(CTL_SOCKET, some_fd(), NULL, 0);
	if (how & OLD_STRAY)
		say(CTL_SOCKET, -1, NULL, 0);
	say(CTL_STEERED, -1, &steered,
	    sizeof(steered) - (how & OLD_SHORT ? 1 : 0));
	(void)answer_end(how);
	/* What comes behind the end. */
	if (OLD_END(how) == 7)
		say(CTL_SOCKET, some_fd(), NULL, 0);
	if (old.channel.fd != -1)
		(void)imsgbuf_write(&old.channel);
}

/* What is kept does not come with this answer, but this many that are gone. */
static void
answer_gone(uint32_t n)
{
	int file;

	file = family_kept_gone(old.gone, n);
	say(CTL_FILE, file, NULL, 0);
	say_end(0);
	(void)imsgbuf_write(&old.channel);
}

/* CTL_AHEAD, CTL_TAKE */
static void
answer_sessions(void)
{
	int fd, file, i;
	uint8_t how;

	how = old.sessions;
	old.given = 1;
	file = family_kept_take(0);
	REQUIRE(file != -1);
	if (how & 1)
		say(CTL_FILE, some_fd(), NULL, 0);
	if (how & OLD_STRAY)
		say(how & 4 ? CTL_QUEUE : CTL_FILE, -1, NULL, 0);
	if (how & 2)
		(void)close(file);
	else
		say(CTL_FILE, file, "x", how & OLD_SHORT ? 1 : 0);
	for (i = 1; (fd = family_kept_take(i)) != -1; i++)
		say(CTL_QUEUE, fd, NULL, 0);
	if (how & 4)
		say(CTL_QUEUE, some_fd(), NULL, 0);
	old.told = answer_end(how) && (how & 3) != 2;
}

static void
answer_take(int last)
{
	REQUIRE(!old.is_over && (!old.given || old.told));
	if (!old.given && (last || old.ahead & AHEAD_KEPT))
		answer_sessions();
	else
		answer_gone(last ? old.ahead & 7 : 0);
	/* What is said of the last is asked for once. */
	REQUIRE(!old.last);
	old.last = last;
}

static void
hear(struct imsg *imsg)
{
	switch (imsg_get_type(imsg)) {
	case CTL_SOCKETS:
		break;
	case CTL_AHEAD:
		answer_take(0);
		break;
	case CTL_TAKE:
		answer_take(1);
		break;
	case CTL_TAKEN:
		REQUIRE(old.told && old.last && !old.is_over);
		old.is_over = answer_end(old.yes);
		break;
	default:
		REQUIRE(!"asked for what nobody takes over");
	}
	REQUIRE(imsg_get_len(imsg) == 0);
}

/* Returns how much there was. */
int
family_old_hears(void)
{
	struct imsg imsg;
	int n, over;

	if (old.channel.fd == -1)
		return (0);
	over = imsgbuf_read(&old.channel) != 1;
	for (n = 0;
	     old.channel.fd != -1 && imsgbuf_get(&old.channel, &imsg) == 1;
	     n++) {
		hear(&imsg);
		imsg_free(&imsg);
	}
	if (over)
		family_old_ends();
	return (n);
}

/* The parent closes a descriptor. */
void
family_old_closed(int fd)
{
	if (fd == old.theirs)
		old.theirs = -1;
}

/* The parent has ended. */
void
family_old_end(void)
{
	family_old_ends();
	if (old.theirs != -1)
		(void)close(old.theirs);
	old.there = 0;
}

int
__wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int pair[2];

	if (!old.there || old.asked || sa->sa_family != AF_UNIX)
		return (__real_connect(fd, sa, len));
	old.asked = 1;
	/* What is made here is not the parent's. */
	family_memory_starting(0);
	REQUIRE(channel_pair(pair) == 0);
	REQUIRE(dup3(pair[1], fd, O_CLOEXEC) == fd);
	(void)close(pair[1]);
	old.theirs = fd;
	REQUIRE(imsgbuf_init(&old.channel, pair[0]) == 0);
	imsgbuf_allow_fdsend(&old.channel);
	answer_sockets();
	family_memory_starting(1);
	return (0);
}

/* Who waits for longer than he wants to does not wait here. */
int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	(void)timeout;
	return (__real_poll(fds, n, 0));
}
