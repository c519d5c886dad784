/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * A channel whose other end sends any bytes, cut anywhere, with descriptors
 * where they belong or not.  What the handlers get is held against the bytes
 * that were sent, what the other end gets against what was queued, and in the
 * end no descriptor may be left.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/log.h"
#include "regress/fuzz/fuzz.h"
#include "regress/fuzz/loop.h"

#define FILES     4
#define BYTES_MAX (256U << 10) /* either way */
#define FDS_MAX   256
#define LIMIT_OUT 20000 /* bytes that may wait to be sent */

enum type {
	TYPE_FIXED = 0x10,
	TYPE_ANY,
	TYPE_FD,
	TYPE_STATE, /* in one state only */
	TYPE_PAUSE,
	TYPE_REFUSED,
	TYPE_UNKNOWN
};

/* One direction: all bytes so far, and the files that went with them. */
struct flow {
	uint8_t bytes[BYTES_MAX];
	uint8_t files[FDS_MAX];
	size_t len, at; /* at: up to which they have come out again */
	size_t nfiles, file_at;
};

static struct channel channel;
static int peer;
static int files[FILES];
static ino_t inodes[FILES];
static struct flow in, out;
static uint8_t next[BYTES_MAX]; /* messages not sent yet */
static size_t next_len;
static size_t next_fds[FDS_MAX]; /* where those begin that carry one */
static size_t next_nfds;
static int honest;  /* boolean: descriptors came as imsg sends them */
static int starved; /* boolean: there was no room for some */
static int refused; /* boolean: a handler did not like its message */
static int ended;

static const char *take_fixed(void *, const void *, size_t, int);
static const char *take_any(void *, const void *, size_t, int);
static const char *take_fd(void *, const void *, size_t, int);
static const char *take_state(void *, const void *, size_t, int);
static const char *take_pause(void *, const void *, size_t, int);
static const char *take_refused(void *, const void *, size_t, int);

static const struct channel_rule rules[] = {
	CHANNEL_RULE(TYPE_FIXED, 4, ~0U, take_fixed),
	CHANNEL_RULE_RANGE(TYPE_ANY, 0, 16368, ~0U, take_any),
	CHANNEL_RULE_FD(TYPE_FD, 4, ~0U, take_fd),
	CHANNEL_RULE(TYPE_STATE, 4, 2, take_state),
	CHANNEL_RULE_RANGE(TYPE_PAUSE, 0, 8, ~0U, take_pause),
	CHANNEL_RULE_RANGE(TYPE_REFUSED, 0, 8, ~0U, take_refused),
};

/* Is fd the file that the other end sent in its turn? */
static void
check_file(struct flow *flow, int fd)
{
	struct stat st;
	size_t file;

	REQUIRE(flow->file_at < flow->nfiles);
	file = flow->files[flow->file_at++];
	REQUIRE(fstat(fd, &st) == 0 && st.st_ino == inodes[file]);
	REQUIRE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static struct imsg_header
header_at(const struct flow *flow)
{
	struct imsg_header header;

	REQUIRE(flow->len - flow->at >= sizeof(header));
	memcpy(&header, flow->bytes + flow->at, sizeof(header));
	return (header);
}

/* May the message that the channel has come to not be here? */
static int
is_against_the_rules(void)
{
	struct imsg_header header;
	const struct channel_rule *rule;
	uint32_t len;

	header = header_at(&in);
	len = header.len & ~IMSG_FD_MARK;
	if (len < sizeof(header) || len > MAX_IMSGSIZE ||
	    header.type < TYPE_FIXED || header.type > TYPE_REFUSED)
		return (1);
	rule = &rules[header.type - TYPE_FIXED];
	len -= sizeof(header);
	return (
	    len < rule->min || len > rule->max ||
	    (rule->fd == CHANNEL_FD) != ((header.len & IMSG_FD_MARK) != 0) ||
	    (rule->states & channel.state) == 0);
}

/* A message has come: is it what was sent? */
static void
take(void *owner, const void *data, size_t len, int fd, uint32_t type)
{
	struct imsg_header header;

	header = header_at(&in);
	REQUIRE(owner == &channel && !channel.paused && !ended);
	REQUIRE(!is_against_the_rules());
	REQUIRE(header.type == type && ((uintptr_t)data & 7) == 0);
	REQUIRE((header.len & ~IMSG_FD_MARK) == sizeof(header) + len);
	REQUIRE(len <= in.len - in.at - sizeof(header));
	REQUIRE(memcmp(data, in.bytes + in.at + sizeof(header), len) == 0);
	REQUIRE((fd != -1) == ((header.len & IMSG_FD_MARK) != 0));
	if (honest && fd != -1)
		check_file(&in, fd);
	in.at += sizeof(header) + len;
}

#define TAKE(name, type, act)                                  \
	static const char *name(                               \
	    void *owner, const void *data, size_t len, int fd) \
	{                                                      \
		take(owner, data, len, fd, type);              \
		act;                                           \
		return (NULL);                                 \
	}
/* clang-format off */
TAKE(take_fixed, TYPE_FIXED, )
TAKE(take_any, TYPE_ANY, )
TAKE(take_fd, TYPE_FD, (void)close(fd))
TAKE(take_state, TYPE_STATE, )
TAKE(take_pause, TYPE_PAUSE, channel_pause(&channel))
/* clang-format on */

static const char *
take_refused(void *owner, const void *data, size_t len, int fd)
{
	take(owner, data, len, fd, TYPE_REFUSED);
	refused = 1;
	return ("refused");
}

static void
on_end(void *owner, const char *reason)
{
	REQUIRE(owner == &channel && !ended);
	ended = 1;
	if (reason != NULL && honest && !starved && !refused)
		REQUIRE(is_against_the_rules());
}

/* All that has come whole has been dealt with, the rest may become whole. */
static void
check_idle(void)
{
	uint32_t len;

	if (ended || !honest || channel.paused ||
	    in.len - in.at < sizeof(struct imsg_header))
		return;
	len = header_at(&in).len & ~IMSG_FD_MARK;
	REQUIRE(len > in.len - in.at && len <= MAX_IMSGSIZE);
}

/* Queues a message for the channel, or bytes that are like one. */
static void
add_message(struct input *input)
{
	struct imsg_header header;
	const uint8_t *data;
	uint8_t how;
	size_t len;

	how = input_u8(input);
	data = input_bytes(input,
	    how & 0x80 ? input_u16(input) & 0x3fff : (how >> 3) & 0xf, &len);
	header.type = TYPE_FIXED + (how & 7);
	header.len = (uint32_t)(sizeof(header) + len);
	header.peerid = input_u8(input);
	header.pid = input_u8(input);
	if (next_len + header.len > sizeof(next) || next_nfds == FDS_MAX)
		return;
	if (header.type == TYPE_FD) {
		next_fds[next_nfds++] = next_len;
		header.len |= IMSG_FD_MARK;
	}
	memcpy(next + next_len, &header, sizeof(header));
	memcpy(next + next_len + sizeof(header), data, len);
	next_len += sizeof(header) + len;
}

static void
add_bytes(struct input *input)
{
	const uint8_t *data;
	size_t len;

	data = input_bytes(input, input_u8(input), &len);
	if (next_len + len > sizeof(next))
		return;
	memcpy(next + next_len, data, len);
	next_len += len;
}

/* One sendmsg(2) with these descriptors; returns what it took. */
static size_t
send_with(const uint8_t *bytes, size_t len, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(FILES * sizeof(int))];
	} control;
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = (void *)(uintptr_t)bytes;
	iov.iov_len = len;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.hdr), fds, nfds * sizeof(int));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	}
	n = sendmsg(peer, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return (n == -1 ? 0 : (size_t)n);
}

static void
drop_next(size_t n)
{
	size_t i;

	next_len -= n;
	memmove(next, next + n, next_len);
	if (next_nfds > 0 && n > 0 && next_fds[0] == 0) {
		next_nfds--;
		memmove(
		    next_fds, next_fds + 1, next_nfds * sizeof(next_fds[0]));
	}
	for (i = 0; i < next_nfds; i++)
		next_fds[i] -= n;
}

/* The next bytes; as imsg does it, a descriptor comes with the first byte. */
static void
send_next(size_t most, size_t strange)
{
	size_t file, n, nfds;
	int fds[FILES];

	n = most < next_len ? most : next_len;
	nfds = 0;
	file = in.nfiles % FILES;
	if (next_nfds > 0 && next_fds[0] == 0) {
		fds[nfds++] = files[file];
		if (next_nfds > 1 && n > next_fds[1])
			n = next_fds[1];
	} else if (next_nfds > 0 && n > next_fds[0])
		n = next_fds[0];
	if (n == 0 || n > sizeof(in.bytes) - in.len || in.nfiles == FDS_MAX)
		return;
	for (; strange > 0 && nfds < FILES; strange--) {
		fds[nfds++] = files[strange % FILES];
		honest = 0;
	}
	n = send_with(next, n, fds, nfds);
	if (n == 0)
		return;
	memcpy(in.bytes + in.len, next, n);
	in.len += n;
	if (nfds > 0)
		in.files[in.nfiles++] = (uint8_t)file;
	drop_next(n);
}

/* A turn with room for no more descriptors. */
static void
starve(void)
{
	struct rlimit all, none;

	starved = 1;
	REQUIRE(getrlimit(RLIMIT_NOFILE, &all) == 0);
	none = all;
	none.rlim_cur = 3;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
	(void)loop_turn();
	REQUIRE(setrlimit(RLIMIT_NOFILE, &all) == 0);
}

/* The channel sends something itself. */
static void
queue_message(struct input *input)
{
	struct imsg_header header;
	const uint8_t *data;
	size_t file, len;
	uint8_t how;
	int fd;

	how = input_u8(input);
	data = input_bytes(
	    input, how & 0x80 ? input_u16(input) & 0x3fff : how & 0x1f, &len);
	header.type = how;
	header.len = (uint32_t)(sizeof(header) + len);
	header.peerid = len;
	header.pid = 0;
	file = out.nfiles % FILES;
	fd = -1;
	if (how & 0x40 && out.nfiles < FDS_MAX) {
		fd = fcntl(files[file], F_DUPFD_CLOEXEC, 0);
		REQUIRE(fd != -1);
		header.len |= IMSG_FD_MARK;
	}
	if (channel_send(&channel, how, (uint32_t)len, fd, data, len) == -1) {
		REQUIRE(errno == EPIPE || errno == ENOBUFS || errno == ERANGE);
		return;
	}
	REQUIRE(channel_queued(&channel) <= LIMIT_OUT);
	REQUIRE(out.len + sizeof(header) + len <= sizeof(out.bytes));
	memcpy(out.bytes + out.len, &header, sizeof(header));
	memcpy(out.bytes + out.len + sizeof(header), data, len);
	out.len += sizeof(header) + len;
	if (fd != -1)
		out.files[out.nfiles++] = (uint8_t)file;
}

/* The other end reads. */
static void
read_some(size_t most)
{
	union imsg_control control;
	struct msghdr msg;
	uint8_t bytes[512];
	struct iovec iov;
	ssize_t n;
	int fd;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = bytes;
	iov.iov_len = most < sizeof(bytes) ? most : sizeof(bytes);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	n = recvmsg(peer, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return;
	REQUIRE((size_t)n <= out.len - out.at);
	REQUIRE(memcmp(bytes, out.bytes + out.at, (size_t)n) == 0);
	out.at += (size_t)n;
	if (msg.msg_controllen > 0) {
		memcpy(&fd, CMSG_DATA(&control.hdr), sizeof(fd));
		check_file(&out, fd);
		(void)close(fd);
	}
}

static void
act(struct input *input)
{
	uint8_t what;

	what = input_u8(input);
	switch (what & 0xf) {
	case 0:
	case 1:
		add_message(input);
		break;
	case 2:
		add_bytes(input);
		break;
	case 3:
		send_next(input_u8(input), what >> 4);
		break;
	case 4:
		send_next(input_u16(input), 0);
		(void)loop_turn();
		break;
	case 5:
		send_next(sizeof(next), 0);
		loop_quiet(64);
		check_idle();
		break;
	case 6:
		channel_resume(&channel);
		break;
	case 7:
		starve();
		break;
	case 8:
	case 9:
		queue_message(input);
		break;
	case 10:
		read_some(1 + (size_t)input_u8(input) * 2);
		break;
	case 11:
		channel.state = what >> 4;
		break;
	case 12:
		channel_pause(&channel);
		break;
	case 13:
		(void)channel_flush(&channel);
		break;
	default:
		(void)loop_turn();
		break;
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct stat st;
	int i;

	(void)argc;
	(void)argv;
	log_init("fuzz", fuzz_log_target());
	for (i = 0; i < FILES; i++) {
		files[i] = memfd_create("fuzz", MFD_CLOEXEC);
		REQUIRE(files[i] != -1 && fstat(files[i], &st) == 0);
		inodes[i] = st.st_ino;
	}
	channel_loop_init(ev_default_loop(0));
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	int pair[2];

	in.len = in.at = in.nfiles = in.file_at = 0;
	out.len = out.at = out.nfiles = out.file_at = 0;
	next_len = next_nfds = 0;
	honest = 1;
	starved = refused = ended = 0;
	fuzz_descriptors_mark();
	REQUIRE(channel_pair(pair) == 0);
	peer = pair[1];
	REQUIRE(
	    channel_open(&channel, ev_default_loop(0), pair[0], "fuzz", rules,
		sizeof(rules) / sizeof(rules[0]), on_end, &channel) == 0);
	imsgbuf_set_limit(&channel.imsgbuf, LIMIT_OUT);
	while (input.size > 0)
		act(&input);
	send_next(sizeof(next), 0);
	loop_quiet(1000);
	check_idle();
	(void)close(peer);
	channel_resume(&channel);
	loop_quiet(1000);
	channel_close(&channel);
	REQUIRE(loop_watchers() == 0);
	fuzz_descriptors_check();
	return (0);
}
