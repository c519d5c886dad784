/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The library for routers, and a beacon that says anything, cut anywhere, with
 * descriptors where they belong or not, reads when it likes and hangs up when
 * it likes.  What it says in order is handed on whole, in order and once,
 * whatever its other channels say; what it is told is well-formed; nobody is
 * waited for longer than is promised, and no descriptor is left.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/imsg.h"
#include "common/proto_frame.h"
#include "frame/frame.h"
#include "parent/peermap_write.h"
#include "regress/fuzz/fuzz.h"

#define NODES     8 /* node n is at worker n % WORKERS */
#define WORKERS   4
#define SIDES     12 /* channels in one run, and the socket */
#define CONTROL   0  /* its number among them */
#define SAID_MAX  (256U << 10)
#define HEARD_MAX (2 * (sizeof(struct imsg_header) + BEACOND_FRAME_OUT_MAX))

/* The beacon's end of the socket, or of a channel. */
struct side {
	int fd; /* -1: it has hung up */
	uint32_t number;
	size_t len, sent, done; /* of what it says: up to which it is ... */
	int with;               /* a descriptor that is to be sent, or -1 */
	size_t with_at;
	size_t heard_len;
	int wild; /* boolean: it has said what is not followed here */
	int joined, left, replaced;
	int window;     /* boolean: messages may lie there */
	uint32_t freed; /* up to there */
	uint8_t said[SAID_MAX];
	uint8_t heard[HEARD_MAX];
};

static struct side sides[SIDES];
static uint32_t nsides, attached; /* of them, when it was opened */
static struct pmap map;
static int no_map, wrong_map; /* of another size; of another layout */
static int window_fd;
static uint8_t *window; /* all channels that have one have this */
static uint32_t window_put;
static struct input input;
static struct beacond_frame *bf;
static uint8_t data[FRAME_DATA_MAX];
static uint8_t serial;
static int nonsense; /* boolean: the beacon itself may have said some */
static int ended;    /* boolean: something of it has hung up */

int __real_epoll_wait(int, struct epoll_event *, int, int);
int __wrap_epoll_wait(int, struct epoll_event *, int, int);
int __real_poll(struct pollfd *, nfds_t, int);
int __wrap_poll(struct pollfd *, nfds_t, int);
int __wrap_socket(int, int, int);
int __wrap_connect(int, const struct sockaddr *, socklen_t);

static size_t
length(uint8_t choice)
{
	static const uint16_t lengths[8] = { 0, 1, 16, 120, 1024, 2048, 32768,
		65535 };

	return ((size_t)lengths[choice & 7] + (choice >> 7));
}

/* A pair; the library's end is returned, the other is a side from now on. */
static int
side_open(uint32_t number)
{
	struct side *s;
	int pair[2];

	REQUIRE(nsides < SIDES);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	s = &sides[nsides++];
	s->fd = pair[1];
	s->number = number;
	s->len = s->sent = s->done = s->heard_len = 0;
	s->with = -1;
	s->wild = s->joined = s->left = s->replaced = s->window = 0;
	s->freed = 0;
	return (pair[0]);
}

int
__wrap_socket(int domain, int type, int protocol)
{
	REQUIRE(nsides == 0 && (type & SOCK_CLOEXEC) != 0);
	return (side_open(CONTROL));
}

int
__wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return (0);
}

/* One sendmsg(2); returns what it took. */
static size_t
send_with(const struct side *s, size_t len, int fd)
{
	union imsg_control control;
	struct cmsghdr *cmsg;
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = (void *)(uintptr_t)(s->said + s->sent);
	iov.iov_len = len;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (fd != -1) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(fd));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return (n == -1 ? 0 : (size_t)n);
}

/* Up to `most` bytes of what it says; returns if there were any. */
static int
push(struct side *s, size_t most)
{
	size_t n;
	int fd;

	if (s->fd == -1 || s->sent == s->len)
		return (0);
	n = s->len - s->sent < most ? s->len - s->sent : most;
	fd = -1;
	if (s->with != -1 && s->with_at == s->sent)
		fd = s->with;
	else if (s->with != -1 && n > s->with_at - s->sent)
		n = s->with_at - s->sent;
	n = send_with(s, n, fd);
	s->sent += n;
	if (n > 0 && fd != -1) {
		(void)close(fd);
		s->with = -1;
	}
	return (n > 0);
}

/* A message; fd (or -1) goes with it, with its first byte, and is not ours. */
static void
say(struct side *s, uint32_t type, uint32_t node, uint32_t number, size_t len,
    int fd)
{
	struct imsg_header header;

	while (fd != -1 && s->with != -1 && push(s, SIZE_MAX))
		continue;
	header.type = type;
	header.len = (uint32_t)(sizeof(header) + len);
	header.peerid = node;
	header.pid = number;
	if (s->fd == -1 || s->len + header.len > SAID_MAX ||
	    (fd != -1 && s->with != -1)) {
		if (fd != -1)
			(void)close(fd);
		return;
	}
	if (fd != -1) {
		s->with = fd;
		s->with_at = s->len;
		header.len |= IMSG_FD_MARK;
	}
	memcpy(s->said + s->len, &header, sizeof(header));
	memcpy(s->said + s->len + sizeof(header), data, len);
	s->len += sizeof(header) + len;
}

static int
copy_of(int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	REQUIRE(fd != -1);
	return (fd);
}

/* The channel to a worker, in place of any before. */
static void
say_channel(uint32_t number)
{
	struct side *s;
	int fd;

	if (nsides == SIDES)
		return;
	for (s = &sides[1]; s < &sides[nsides]; s++)
		s->replaced |= s->number == number;
	fd = side_open(number);
	/* What waits to be sent can have no descriptor twice. */
	if (number % 2 == 1 && sides[CONTROL].with == -1) {
		say(&sides[CONTROL], FRAME_WINDOW, number, 0, 0,
		    copy_of(window_fd));
		while (push(&sides[CONTROL], SIZE_MAX))
			continue;
		sides[nsides - 1].window = sides[CONTROL].with == -1;
	}
	say(&sides[CONTROL], FRAME_CHANNEL, number, 0, 0, fd);
}

static void
say_welcome(uint8_t how)
{
	struct msg_frame_welcome welcome = { FRAME_VERSION, FRAME_DATA_MAX,
		BEACOND_FRAME_OUT_MAX, 0 };
	const int fds[4] = { map.fd, map.fd, no_map, wrong_map };

	memcpy(data, &welcome, sizeof(welcome));
	say(&sides[CONTROL], FRAME_WELCOME, 0, 0,
	    sizeof(welcome) - (how == 1 ? 1 : 0), copy_of(fds[how & 3]));
}

static void
say_joined(struct side *s)
{
	say(s, FRAME_JOINED, 0, 0, 0, -1);
	s->joined = 1;
}

/* What a beacon with so many workers says at first. */
static void
say_all(uint32_t workers)
{
	uint32_t i;

	say_welcome(0);
	say(&sides[CONTROL], FRAME_ADDRESS, 0, 0,
	    sizeof(struct msg_frame_address), -1);
	for (i = 0; i < workers && nsides < SIDES; i++) {
		say_channel(i);
		say_joined(&sides[nsides - 1]);
	}
	say(&sides[CONTROL], FRAME_ATTACHED, 0, 0, 0, -1);
}

static void
say_control(uint8_t how)
{
	static const size_t lens[4] = { sizeof(struct msg_frame_address),
		sizeof(struct msg_frame_metrics),
		sizeof(struct msg_frame_not_welcome), 0 };
	struct side *s;

	s = &sides[CONTROL];
	nonsense |= (how & 0xf) > 1 || s->len > 0;
	switch (how & 0xf) {
	case 0:
	case 1:
		say_all(how >> 4 & 3);
		break;
	case 2:
		say_welcome(how >> 4);
		break;
	case 3:
		say_channel(how & 0x80 ? PROTO_WORKERS_MAX - 2 + (how >> 4 & 3)
				       : how >> 4);
		break;
	case 4:
		say(s, FRAME_ATTACHED, 0, 0, 0, -1);
		break;
	case 5:
		say(s, FRAME_METRICS_ARE, 0, 0, lens[1], -1);
		break;
	case 6:
		memset(data, 0, lens[2]);
		data[0] = how >> 4;
		say(s, FRAME_NOT_WELCOME, 0, 0, lens[2], -1);
		break;
	default:
		say(s, FRAME_WELCOME + (how & 7), how >> 4, 0, lens[how >> 6],
		    how & 0x20 ? copy_of(no_map) : -1);
		break;
	}
}

/* That of the map, or of one that was replaced. */
static uint32_t
generation(uint32_t node)
{
	return (serial % 8 == 7 ? NODES + 1 : node);
}

/* A message that lies in the window, all of its bytes the serial. */
static void
say_at(struct side *s, uint32_t node, size_t len)
{
	struct msg_frame_at at = { window_put, (uint32_t)len };

	memset(window + window_put, serial, len);
	window_put += (uint32_t)len;
	memcpy(data, &at, sizeof(at));
	say(s, FRAME_FRAME_AT, node, generation(node), sizeof(at), -1);
}

static void
say_channels(uint8_t how, struct side *s)
{
	uint32_t node;
	size_t len;

	/* By whom it is handed on says which side has said it. */
	node = (uint32_t)(s - sides);
	len = length(how & 0x10 ? input_u8(&input) : how >> 5);
	serial = (uint8_t)(serial + 1U);
	if (!s->joined && (how & 7) != 4)
		say_joined(s);
	memset(data, serial, len + (len < sizeof(data)));
	switch (how & 7) {
	case 0:
		say_joined(s);
		break;
	case 1:
		say(s, FRAME_LEFT, 0, 0, 0, -1);
		s->left = 1;
		break;
	case 2:
		say(s, how & 0x80 ? FRAME_CAME : FRAME_GONE, node, serial, 0,
		    -1);
		break;
	case 3:
		say(s, FRAME_REFUSED, node, how >> 6, len + 1 - len / 65536,
		    -1);
		break;
	case 4:
		s->wild = 1;
		say(s, FRAME_FRAME + (how >> 4), node, 0, how >> 7,
		    how & 0x40 ? copy_of(no_map) : -1);
		break;
	default:
		if (s->window && window_put + len <= FRAME_WINDOW_BYTES)
			say_at(s, node, len);
		else
			say(s, FRAME_FRAME, node, generation(node), len, -1);
		break;
	}
}

static void
say_bytes(struct side *s)
{
	const uint8_t *bytes;
	size_t len;

	s->wild = 1;
	bytes = input_bytes(&input, input_u8(&input), &len);
	if (s->len + len > SAID_MAX)
		return;
	memcpy(s->said + s->len, bytes, len);
	s->len += len;
}

/* What the library says on a channel. */
static void
heard_message(
    struct side *s, const struct imsg_header *header, const uint8_t *bytes)
{
	struct msg_frame_at at;
	uint32_t code;
	size_t len;

	len = header->len - sizeof(*header);
	if (s == &sides[CONTROL]) {
		REQUIRE(header->type == FRAME_METRICS
			    ? len == 0
			    : header->type == FRAME_HELLO && len == 4);
		return;
	}
	switch (header->type) {
	case FRAME_WRITE:
		REQUIRE(len > 0 && len <= BEACOND_FRAME_OUT_MAX);
		REQUIRE(header->peerid % WORKERS == s->number);
		REQUIRE(bytes[0] == bytes[len - 1]);
		break;
	case FRAME_WRITE_AT:
		REQUIRE(s->window && len == sizeof(at));
		memcpy(&at, bytes, sizeof(at));
		REQUIRE(at.len > 0 && at.len <= BEACOND_FRAME_OUT_MAX);
		REQUIRE(s->wild ||
			(at.at >= s->freed && at.at + at.len <= window_put));
		break;
	case FRAME_FREE:
		REQUIRE(s->window && len == 0);
		REQUIRE(s->wild ||
			(header->pid >= s->freed && header->pid <= window_put));
		s->freed = header->pid;
		break;
	case FRAME_CLOSE:
		REQUIRE(len >= sizeof(code) &&
			len <= sizeof(code) + FRAME_TEXT_MAX);
		memcpy(&code, bytes, sizeof(code));
		REQUIRE(code >= 1000 && code <= 4999);
		break;
	default:
		REQUIRE(header->type == FRAME_LEAVE && len == 0);
		break;
	}
}

/* It reads up to so many bytes; returns if there were any. */
static int
hear(struct side *s, size_t most)
{
	struct imsg_header header;
	size_t off;
	ssize_t n;

	if (s->fd == -1)
		return (0);
	if (most > HEARD_MAX - s->heard_len)
		most = HEARD_MAX - s->heard_len;
	n = recv(s->fd, s->heard + s->heard_len, most, MSG_DONTWAIT);
	if (n <= 0)
		return (0);
	s->heard_len += (size_t)n;
	for (off = 0; s->heard_len - off >= sizeof(header); off += header.len) {
		memcpy(&header, s->heard + off, sizeof(header));
		REQUIRE(header.len >= sizeof(header) &&
			header.len <= HEARD_MAX / 2);
		if (header.len > s->heard_len - off)
			break;
		heard_message(s, &header, s->heard + off + sizeof(header));
	}
	s->heard_len -= off;
	memmove(s->heard, s->heard + off, s->heard_len);
	return (1);
}

static void
hang_up(struct side *s)
{
	if (s->with != -1)
		(void)close(s->with);
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = s->with = -1;
}

/* What the beacon does while it is waited for. */
static void
act(void)
{
	struct side *s;
	uint8_t how, what;

	what = input_u8(&input);
	s = &sides[(what >> 4) % nsides];
	switch (what & 0xf) {
	case 0:
	case 1:
		say_control(input_u8(&input));
		break;
	case 8:
		say_bytes(s);
		break;
	case 9:
		(void)push(s, input_u8(&input));
		return;
	case 10:
		ended = 1;
		hang_up(s);
		return;
	case 11:
		(void)hear(s, input_u16(&input));
		return;
	case 12:
		while (hear(s, SIZE_MAX))
			continue;
		return;
	case 13:
		fuzz_pass(1U + 1000U * input_u8(&input));
		return;
	default:
		how = input_u8(&input);
		if (s != &sides[CONTROL])
			say_channels(how, s);
		if (how & 8)
			return;
		break;
	}
	while (push(s, SIZE_MAX))
		continue;
	while (push(&sides[CONTROL], SIZE_MAX))
		continue;
}

/* Whoever waits waits for the beacon, until that has nothing more to do. */
static int
idle(int timeout)
{
	REQUIRE(timeout >= 0);
	if (input.size > 0)
		act();
	else
		fuzz_pass((uint32_t)timeout);
	return (0);
}

int
__wrap_epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
	int n;

	do
		n = __real_epoll_wait(fd, events, most, 0);
	while (n == -1 && errno == EINTR);
	return (n != 0 ? n : idle(timeout));
}

int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int r;

	r = __real_poll(fds, n, 0);
	return (r != 0 || timeout == 0 ? r : idle(timeout));
}

/* Of a session that another has replaced, by the map. */
static int
is_late(const struct imsg_header *header)
{
	return (
	    (header->type == FRAME_FRAME || header->type == FRAME_FRAME_AT) &&
	    header->peerid <= NODES && header->pid != header->peerid);
}

/* The next message of a side that has something to be handed on. */
static int
next(struct side *s, struct imsg_header *header)
{
	for (; s->sent - s->done >= sizeof(*header); s->done += header->len) {
		memcpy(header, s->said + s->done, sizeof(*header));
		if (header->len > s->sent - s->done)
			break;
		if (header->type != FRAME_JOINED &&
		    header->type != FRAME_LEFT && !is_late(header))
			return (1);
	}
	return (0);
}

/* Boolean: somebody may speak for others. */
static int
any_wild(void)
{
	uint32_t i;

	for (i = 0; i < nsides; i++)
		if (sides[i].wild)
			return (1);
	return (0);
}

/* It may go to where the map has the node instead of coming back. */
static int
may_go_on(const struct side *s, const struct imsg_header *header)
{
	return (header->type == FRAME_REFUSED &&
		header->pid == FRAME_NOT_CONNECTED &&
		header->peerid % WORKERS != s->number);
}

/* The next message of a side is that, or one that has gone elsewhere. */
static int
is_that(const struct side *s, const struct imsg_header *header, uint32_t type,
    const uint8_t *bytes, size_t len)
{
	return (header->type == type && header->len == sizeof(*header) + len &&
		memcmp(bytes, s->said + s->done + sizeof(*header), len) == 0);
}

/* Something is handed on: it is what was said. */
static void
check(uint32_t type, uint32_t node, uint32_t number, const uint8_t *bytes,
    size_t len)
{
	struct imsg_header header;
	struct msg_frame_at at;
	struct side *s;

	if (any_wild())
		return;
	REQUIRE(node > CONTROL && node < nsides);
	s = &sides[node];
	for (;; s->done += header.len) {
		REQUIRE(next(s, &header));
		if (!may_go_on(s, &header) ||
		    is_that(s, &header, type, bytes, len))
			break;
	}
	if (header.type == FRAME_FRAME_AT) {
		memcpy(&at, s->said + s->done + sizeof(header), sizeof(at));
		REQUIRE(type == FRAME_FRAME && len == at.len);
		REQUIRE(len == 0 || (bytes[0] == window[at.at] &&
					bytes[len - 1] == bytes[0]));
		s->done += header.len;
		return;
	}
	REQUIRE(header.type == type && header.len == sizeof(header) + len);
	REQUIRE(type == FRAME_FRAME || header.pid == number);
	REQUIRE(len == 0 ||
		memcmp(bytes, s->said + s->done + sizeof(header), len) == 0);
	s->done += header.len;
}

/* A part of what it has been given goes on. */
static void
forward(uint8_t how, const uint8_t *bytes, size_t len)
{
	size_t from, n;

	from = input_u8(&input);
	from = from > len ? 0 : from;
	n = how & 8 ? len - from : input_u8(&input);
	if (n > len - from)
		n = len - from;
	(void)beacond_frame_forward(
	    bf, 1 + (how >> 4) % (NODES + 1), bytes + from, n);
}

/* What a router does with it. */
static void
route(const uint8_t *bytes, size_t given)
{
	static uint8_t out[FRAME_DATA_MAX + 2];
	uint8_t addr[16];
	uint16_t port;
	uint8_t how;
	size_t len;
	int n;

	how = input_u8(&input);
	switch (how & 7) {
	case 0:
	case 1:
	case 2:
		/* One of any length, or enough to fill a queue. */
		len = how & 8 ? 32768 : length(how >> 4) + (how & 2);
		memset(out, how, sizeof(out));
		for (n = how & 8 ? 8 : 1; n > 0; n--)
			REQUIRE(
			    beacond_frame_write(bf,
				1 + (how >> 4) % (NODES + 1), out, len) == 0 ||
			    (len > 0 && len <= BEACOND_FRAME_OUT_MAX));
		break;
	case 3:
		(void)beacond_frame_close_peer(bf, 1 + (how >> 4) % NODES, 0,
		    how & 8 ? 1000 : how * 100, "bye");
		break;
	case 4:
		(void)beacond_frame_flush(bf);
		break;
	case 5:
		(void)beacond_frame_address(bf, how >> 3, addr, &port);
		REQUIRE(beacond_frame_peer_count(bf) == NODES);
		REQUIRE(beacond_frame_is_connected(bf, how >> 4) ==
			(how >> 4 > 0 && how >> 4 <= NODES));
		break;
	case 6:
		forward(how, bytes, given);
		break;
	default:
		break;
	}
}

static void
on_frame(void *arg, uint32_t sender, uint8_t *bytes, size_t len)
{
	REQUIRE(bf != NULL);
	check(FRAME_FRAME, sender, 0, bytes, len);
	memset(bytes, 0xdd, len);
	route(bytes, len);
}

static void
on_refused(void *arg, uint32_t dest, enum beacond_frame_reason reason,
    const uint8_t *bytes, size_t len)
{
	REQUIRE(len > 0);
	check(FRAME_REFUSED, dest, reason, bytes, len);
	REQUIRE(bf != NULL);
	route(bytes, len - 1); /* the last byte is any */
}

static void
on_peer(void *arg, uint32_t node, uint32_t generation, int came)
{
	REQUIRE(bf != NULL);
	check(came ? FRAME_CAME : FRAME_GONE, node, generation, NULL, 0);
}

/* Each channel that is there has said JOINED, or time is up. */
static void
check_joined(int64_t began)
{
	uint32_t i;

	if (any_wild() || fuzz_clocks.mono - began >= 10 * FUZZ_SECOND)
		return;
	for (i = 1; i < nsides; i++)
		REQUIRE(
		    sides[i].fd == -1 || sides[i].replaced || sides[i].joined);
}

/* Each has been told that we leave, and has said LEFT, or time is up. */
static void
check_left(int64_t began)
{
	uint32_t i;

	if (any_wild() || nonsense || ended ||
	    fuzz_clocks.mono - began >= 10 * FUZZ_SECOND)
		return;
	for (i = 1; i < attached; i++)
		REQUIRE(sides[i].replaced || sides[i].left);
}

/* All is said: all of it is handed on, but for what has ended. */
static void
settle(void)
{
	struct imsg_header header;
	uint32_t i;
	int n;

	do {
		n = 0;
		for (i = 0; i < nsides; i++)
			n += push(&sides[i], SIZE_MAX) +
			     hear(&sides[i], SIZE_MAX);
		for (i = 0; i < 2 * SIDES; i++)
			if (beacond_frame_dispatch(bf, 0) == -1)
				return;
	} while (n > 0);
	for (i = 1; i < nsides && !any_wild(); i++) {
		while (
		    next(&sides[i], &header) && may_go_on(&sides[i], &header))
			sides[i].done += header.len;
		REQUIRE(sides[i].fd == -1 || sides[i].replaced ||
			!next(&sides[i], &header));
	}
}

/* Up to an end, or to where it is to leave. */
static void
work(void)
{
	struct beacond_frame_metrics metrics;
	uint8_t what;
	int r;

	for (r = 0; r == 0 && input.size > 0;) {
		what = input.data[0];
		if ((what & 0xf) != 0xf)
			r = beacond_frame_dispatch(bf, 100);
		else if (input_u8(&input) & 0x10)
			return;
		else
			r = beacond_frame_metrics(bf, &metrics);
	}
	if (r == 0)
		settle();
	else
		REQUIRE(errno != 0 && beacond_frame_flush(bf) == -1);
	ended |= r != 0;
}

static void
leave(void)
{
	int64_t began;
	uint32_t i;

	began = fuzz_clocks.mono;
	beacond_frame_close(bf);
	check_left(began);
	for (i = 0; i < nsides; i++) {
		while (hear(&sides[i], SIZE_MAX))
			continue;
		hang_up(&sides[i]);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct peermap_entry entry;
	uint32_t i;

	(void)argc;
	(void)argv;
	REQUIRE(pmap_create(&map) == 0);
	for (i = 1; i <= NODES; i++) {
		memset(&entry, 0, sizeof(entry));
		entry.node = i;
		entry.generation = i;
		entry.worker = i % WORKERS;
		pmap_store(&map, pmap_add(&map, i, 0), &entry);
	}
	no_map = memfd_create("none", MFD_CLOEXEC);
	wrong_map = memfd_create("wrong", MFD_CLOEXEC);
	window_fd = memfd_create("window", MFD_CLOEXEC);
	REQUIRE(
	    window_fd != -1 && ftruncate(window_fd, FRAME_WINDOW_BYTES) == 0);
	window = mmap(NULL, FRAME_WINDOW_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED, window_fd, 0);
	REQUIRE(window != MAP_FAILED);
	REQUIRE(no_map != -1 && wrong_map != -1 &&
		ftruncate(wrong_map, PEERMAP_BYTES) == 0);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct beacond_frame_calls calls = { on_frame, on_refused,
		on_peer };
	int64_t began;

	input.data = bytes;
	input.size = size;
	nsides = attached = 0;
	serial = 0;
	window_put = 0;
	nonsense = ended = 0;
	fuzz_descriptors_mark();
	began = fuzz_clocks.mono;
	bf = NULL;
	bf = beacond_frame_open("router.sock", &calls, NULL);
	if (bf != NULL) {
		attached = nsides;
		check_joined(began);
		work();
	}
	leave();
	fuzz_descriptors_check();
	return (0);
}
