/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/param.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/proto_park.h"
#include "parent/inherit.h"
#include "parent/notify.h"
#include "regress/fuzz/family.h"

/*
 * A service manager, and what it keeps: a file that may say anything, and
 * queues with descriptors, each of which has a size of its own: its number and
 * one more.
 */

#define FILE_MAX 65536
#define QUEUES   4
#define NAMES    128

#define KEPT_RAW      0x1  /* the bytes of the file are the input's */
#define KEPT_UNSEALED 0x6  /* both: it could change */
#define KEPT_AS_IS    0x8  /* nor is its length put right */
#define KEPT_LIE      0x30 /* both: a message has fewer descriptors */
#define KEPT_ASKED    0x40 /* by a parent that runs */

static union {
	uint8_t bytes[FILE_MAX];
	struct park_header header;
} file;
static size_t file_len;

/* The file, and queues; -1: taken, or never there. */
static int fds[1 + QUEUES] = { -1, -1, -1, -1, -1 };
static uint32_t nodes[KEPT_FDS];
static uint32_t nnodes;

static int manager; /* boolean: there is one */
static int fails;   /* boolean: it takes nothing */
static char names[NAMES][INHERIT_NAME_LEN];
static uint32_t nnames;

int __wrap_inherit_take_named(const char *);
int __wrap_notify_is_open(void);
int __wrap_notify_keep(int, const char *);
void __wrap_notify_let_go(const char *);
int __wrap_notify_barrier(void);

/* ---- what it is told to keep ---- */

/* For the next life of a parent. */
void
family_manager(int is_there, int fails_all)
{
	manager = is_there;
	fails = fails_all;
	nnames = 0;
}

/* Boolean: whoever goes on himself has nothing kept. */
int
family_keeps_nothing(void)
{
	return (nnames == 0);
}

int
__wrap_notify_is_open(void)
{
	return (manager);
}

int
__wrap_notify_keep(int fd, const char *name)
{
	REQUIRE(manager && nnames < NAMES);
	REQUIRE(fcntl(fd, F_GETFD) != -1);
	REQUIRE(strlen(name) < sizeof(names[0]));
	if (fails && nnames > 1)
		return (-1);
	(void)strlcpy(names[nnames++], name, sizeof(names[0]));
	return (0);
}

void
__wrap_notify_let_go(const char *name)
{
	uint32_t i;

	for (i = 0; i < nnames; i++)
		if (strcmp(names[i], name) == 0) {
			nnames--;
			memmove(names[i], names[nnames], sizeof(names[0]));
			return;
		}
}

int
__wrap_notify_barrier(void)
{
	return (fails ? -1 : 0);
}

/* ---- what it has kept ---- */

/* The file, or (i > 0) a queue; -1: there is none. */
int
family_kept_take(int i)
{
	int fd;

	if (i > QUEUES)
		return (-1);
	fd = fds[i];
	fds[i] = -1;
	return (fd);
}

int
__wrap_inherit_take_named(const char *name)
{
	char text[INHERIT_NAME_LEN];
	int i;

	for (i = 0; i <= QUEUES; i++) {
		(void)snprintf(text, sizeof(text), "beacond-queue-%04d", i - 1);
		if (strcmp(name, i == 0 ? "beacond-file" : text) == 0)
			return (family_kept_take(i));
	}
	return (-1);
}

/* The node whose the descriptor of that number is; 0: nobody's. */
uint32_t
family_kept_node(uint32_t number)
{
	REQUIRE(number < nnodes);
	return (nodes[number]);
}

static void
put(const void *data, size_t len)
{
	if (len > sizeof(file.bytes) - file_len)
		len = sizeof(file.bytes) - file_len;
	memcpy(file.bytes + file_len, data, len);
	file_len += len;
}

static void
put_record(uint32_t type, const void *data, size_t len)
{
	static const uint8_t padding[8];
	struct park_record record;

	record.type = type;
	record.len = (uint32_t)len;
	put(&record, sizeof(record));
	put(data, len);
	put(padding, -len % sizeof(padding));
}

static void
put_session(uint8_t how)
{
	struct park_session session;

	memset(&session, 0, sizeof(session));
	session.node = 1 + (how & 0xf);
	session.since = how;
	session.ahead = how >> 4;
	put_record(PARK_SESSION, &session,
	    how < 0xf0 ? sizeof(session)
		       : (how & 8 ? sizeof(session) : PARK_SESSION_LEAST) - 1);
}

static void
put_state(uint8_t how)
{
	static struct {
		struct msg_move_state state;
		uint8_t more[MOVE_STATE_MORE + 1];
	} msg;

	put_record(PARK_STATE, &msg,
	    how < 0xf0 ? sizeof(msg.state)
		       : sizeof(msg.state) - 8 * (how & 1) +
			     MOVE_STATE_MORE * (how >> 1 & 1) + (how >> 2 & 1));
}

static void
put_bytes(uint8_t how)
{
	static uint8_t msg[sizeof(struct msg_move_bytes) + MOVE_CHUNK + 1];

	put_record(PARK_BYTES, msg,
	    how < 0xf0 ? sizeof(struct msg_move_bytes) + how
		       : sizeof(msg) - (how & 3));
}

/* The socket by which it came last is one of ours, or none. */
static void
put_listener(struct park_address *address, uint8_t how)
{
	if (how & 1)
		family_listener(address->addr, &address->port);
}

static void
put_node(uint8_t how, uint8_t where)
{
	struct park_node node;
	uint16_t port;

	memset(&node, 0, sizeof(node));
	node.node = how & 0xf;
	family_address(how >> 4, node.addr, &port);
	node.port = port;
	node.seen = where & 0x80 ? UINT32_MAX : where & 0x70;
	node.moved = where & 0x70;
	put_listener(&node.listener, where);
	put_record(PARK_NODE, &node, sizeof(node));
}

static void
put_sync(uint8_t how, uint8_t where)
{
	struct {
		struct park_sync sync;
		uint32_t ids[16];
	} msg;
	uint16_t port;
	uint32_t i;

	memset(&msg, 0, sizeof(msg));
	family_address(how >> 4, msg.sync.addr, &port);
	msg.sync.port = port;
	msg.sync.heard = where >> 1;
	msg.sync.count = how & 0xf;
	put_listener(&msg.sync.listener, where);
	/* Neither in order nor each once. */
	for (i = 0; i < msg.sync.count; i++)
		msg.ids[i] = where ^ i * i % 11;
	put_record(PARK_SYNC, &msg,
	    sizeof(msg.sync) + msg.sync.count * sizeof(msg.ids[0]));
}

static void
put_gone(uint32_t ahead)
{
	struct park_gone gone = { ahead, 0 };

	put_record(PARK_GONE, &gone, sizeof(gone));
}

/* Records as they should be, or nearly so. */
static void
put_records(struct input *input)
{
	uint8_t how, left;

	for (left = input_u8(input) & 0x3f; left > 0; left--) {
		how = input_u8(input);
		switch (input_u8(input) % 8) {
		case 0:
		case 1:
			put_session(how);
			put_state(how);
			break;
		case 2:
			put_session(how);
			break;
		case 3:
			put_state(how);
			break;
		case 4:
			put_bytes(how);
			break;
		case 5:
			put_node(how, input_u8(input));
			break;
		case 6:
			put_sync(how, input_u8(input));
			break;
		default:
			if (how & 1)
				put_record(how, "longer", 7);
			else
				put_gone(how >> 1);
			break;
		}
	}
}

/* Whose the descriptors are, in their order: as the file says it. */
static void
find_nodes(void)
{
	struct park_session session;
	struct park_record record;
	size_t at, len;

	nnodes = 0;
	at = file.header.len;
	for (; at + sizeof(record) <= file_len && nnodes < KEPT_FDS;
	     at += sizeof(record) + len) {
		memcpy(&record, file.bytes + at, sizeof(record));
		len = ((size_t)record.len + 7) & ~(size_t)7;
		if (len > file_len - at - sizeof(record))
			break;
		if (record.type != PARK_SESSION)
			continue;
		memset(&session, 0, sizeof(session));
		if (record.len >= PARK_SESSION_LEAST)
			memcpy(&session, file.bytes + at + sizeof(record),
			    MIN(record.len, sizeof(session)));
		nodes[nnodes++] = session.node;
	}
}

static int
sized(const void *data, size_t len)
{
	int fd;

	fd = memfd_create("kept", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	REQUIRE(fd != -1 && ftruncate(fd, (off_t)len) == 0);
	if (data != NULL)
		REQUIRE(pwrite(fd, data, len, 0) == (ssize_t)len);
	return (fd);
}

static const struct park_header header = { PARK_MAGIC, PARK_VERSION,
	sizeof(header), PARK_REQUIRED, KEPT_FDS, 0, 1, 1, 2, 0, 0, 0 };

static void
seal(int fd)
{
	REQUIRE(fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
}

/* A file without sessions: n of those told of ahead are gone. */
int
family_kept_gone(uint32_t first, uint32_t n)
{
	int fd;

	file_len = 0;
	put(&header, sizeof(header));
	while (n-- > 0)
		put_gone(first++);
	file.header.sessions = 0;
	file.header.bytes = file_len;
	fd = sized(file.bytes, file_len);
	seal(fd);
	return (fd);
}

static void
make_file(uint8_t how, struct input *input)
{
	const uint8_t *data;
	size_t len;

	memset(&file.header, 0, sizeof(file.header));
	file_len = 0;
	if (how & KEPT_RAW) {
		data = input_bytes(input, input_u16(input), &len);
		put(data, len);
	} else {
		put(&header, sizeof(header));
		file.header.sessions = input_u8(input) - 1U;
		put_records(input);
	}
	if ((how & KEPT_AS_IS) == 0)
		file.header.bytes = file_len;
	find_nodes();
	fds[0] = sized(file.bytes, file_len);
	if ((how & KEPT_UNSEALED) != KEPT_UNSEALED)
		seal(fds[0]);
}

/* A message with these descriptors, or (more) one that speaks of more. */
static void
send_fds(int queue, const int *list, uint32_t n, uint32_t more)
{
	union {
		struct cmsghdr hdr;
		uint8_t buf[CMSG_SPACE(KEPT_FDS * sizeof(int))];
	} control;
	struct msghdr msg;
	struct iovec iov;

	more += n;
	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	iov.iov_base = &more;
	iov.iov_len = sizeof(more);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	control.hdr.cmsg_level = SOL_SOCKET;
	control.hdr.cmsg_type = SCM_RIGHTS;
	control.hdr.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.hdr), list, n * sizeof(int));
	REQUIRE(sendmsg(queue, &msg, MSG_NOSIGNAL) == sizeof(more));
}

static uint32_t
make_queue(int *queue, uint32_t first, uint32_t n, uint32_t more)
{
	int list[KEPT_FDS], pair[2];
	uint32_t i;

	REQUIRE(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, pair) == 0);
	for (i = 0; i < n; i++)
		list[i] = sized(NULL, first + i + 1);
	/* Several messages of each, of different lengths. */
	if (n > 2)
		send_fds(pair[0], list, n / 2, 0);
	i = n > 2 ? n / 2 : 0;
	if (n > 0)
		send_fds(pair[0], list + i, n - i, more);
	for (i = 0; i < n; i++)
		(void)close(list[i]);
	(void)close(pair[0]);
	*queue = pair[1];
	return (first + n);
}

/* For the next life of a parent: that is kept for it. */
void
family_keep(struct input *input)
{
	uint32_t first, n;
	uint8_t how;
	int i;

	how = input_u8(input);
	first = 0;
	for (i = 1; i <= QUEUES; i++) {
		fds[i] = -1;
		n = input_u8(input) % (KEPT_FDS / QUEUES + 1);
		if (n > 0)
			first = make_queue(&fds[i], first, n,
			    (how & KEPT_LIE) == KEPT_LIE && i == 2);
	}
	make_file(how, input);
	if (how & KEPT_ASKED)
		family_old(input);
}

/* It lets go of what was not taken. */
void
family_keep_end(void)
{
	int i;

	for (i = 0; i <= QUEUES; i++) {
		(void)close(fds[i]);
		fds[i] = -1;
	}
}
