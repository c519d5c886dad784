/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parent/control.h"
#include "parent/inherit.h"
#include "parent/parent.h"
#include "regress/fuzz/family.h"

/*
 * The parent's main() runs as it is, but for what would change this process, or
 * reach beyond it.  The sockets to listen on are the same in all runs.
 */

static int tcp, udp[WORKERS];
static struct sockaddr_storage tcp_bound, udp_bound;
static int steered;
static int pairs[2], logs[2], words[2]; /* the latest of each kind */
static uint64_t sent;                   /* sendmsg(2)s of anybody */

ssize_t __real_sendmsg(int, const struct msghdr *, int);
int __real_socketpair(int, int, int, int[2]);
int __real_pipe2(int[2], int);
void __real_log_init(const char *, enum log_target);
void __real_supervise_init(struct parent *);
int __wrap_attributes_close_above(int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);
void __wrap_attributes_directory(const struct parent *);
void __wrap_attributes_set(void);
void __wrap_control_bind(struct parent *);
pid_t __wrap_fork(void);
ssize_t __wrap_getrandom(void *, size_t, unsigned);
int __wrap_kill(pid_t, int);
void __wrap_listen_all(struct parent *);
void __wrap_log_init(const char *, enum log_target);
void __wrap_notify_open(void);
void __wrap_parent_sandbox(void);
void __wrap_parent_sandbox_files(struct parent *);
int __wrap_pipe2(int[2], int);
void __wrap_privs_drop(struct parent *);
void __wrap_privs_limits(struct parent *);
void __wrap_privs_prepare(struct parent *);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
int __wrap_socketpair(int, int, int, int[2]);
int __wrap_spawn_open_again(struct parent *);
void __wrap_spawn_open_programs(struct parent *);
void __wrap_steer_all(struct parent *);
void __wrap_supervise_init(struct parent *);

static int
bound(int type, struct sockaddr_storage *at)
{
	static const int on = 1;
	struct sockaddr_in sin;
	socklen_t len;
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (at->ss_family == AF_INET)
		memcpy(&sin, at, sizeof(sin));
	fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	REQUIRE(fd != -1);
	REQUIRE(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
	REQUIRE(bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	len = sizeof(*at);
	REQUIRE(getsockname(fd, (struct sockaddr *)at, &len) == 0);
	return (fd);
}

/* Once. */
void
family_sockets(void)
{
	int i;

	tcp = bound(SOCK_STREAM, &tcp_bound);
	REQUIRE(listen(tcp, 1) == 0);
	for (i = 0; i < WORKERS; i++)
		udp[i] = bound(SOCK_DGRAM, &udp_bound);
}

/* Where datagrams come to. */
void
family_listener(uint8_t addr[16], uint32_t *port)
{
	*port = address_of(&udp_bound, addr);
}

/* Do datagrams come to the worker that their source belongs to? */
void
family_steered(int on)
{
	steered = on;
}

static struct listener *
listener_new(struct parent *parent, enum listener_kind kind,
    const struct sockaddr_storage *ss)
{
	struct listener *listener;

	listener = calloc(1, sizeof(*listener));
	REQUIRE(listener != NULL);
	listener->kind = kind;
	listener->ss = *ss;
	listener->sslen = sizeof(struct sockaddr_in);
	listener->nshares = 1;
	TAILQ_INSERT_TAIL(&parent->listeners, listener, entry);
	return (listener);
}

static void
listener_add(struct listener *listener, int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	REQUIRE(fd != -1);
	listener->fds[listener->nfds++] = fd;
}

void
__wrap_listen_all(struct parent *parent)
{
	struct listener *listener;
	int i;

	TAILQ_INIT(&parent->listeners);
	listener_add(listener_new(parent, LISTENER_WEBSOCKET, &tcp_bound), tcp);
	listener = listener_new(parent, LISTENER_UDP, &udp_bound);
	for (i = 0; i < WORKERS; i++)
		listener_add(listener, udp[i]);
	inherit_report();
}

void
__wrap_steer_all(struct parent *parent)
{
	parent->steered = steered;
	parent->steer_key = 0x12345678;
}

void
__wrap_control_bind(struct parent *parent)
{
	int fd;

	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	REQUIRE(fd != -1);
	operator_listener(fd);
	parent->control->socket.fd = fd;
}

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	REQUIRE(fd == family->control->listener.fd);
	REQUIRE(sa == NULL && len == NULL);
	REQUIRE(flags == (SOCK_NONBLOCK | SOCK_CLOEXEC));
	return (operator_accepted());
}

void
__wrap_supervise_init(struct parent *parent)
{
	family = parent;
	__real_supervise_init(parent);
}

void
__wrap_log_init(const char *name, enum log_target target)
{
	(void)target;
	__real_log_init(name, fuzz_log_target());
}

void
__wrap_privs_limits(struct parent *parent)
{
	parent->max_sockets = MAX_SOCKETS;
}

void
__wrap_attributes_directory(const struct parent *parent)
{
	(void)parent;
}

void
__wrap_attributes_set(void)
{
}

/* Nobody has left anything open but this process itself. */
int
__wrap_attributes_close_above(int last)
{
	(void)last;
	return (0);
}

void
__wrap_notify_open(void)
{
}

void
__wrap_parent_sandbox(void)
{
}

void
__wrap_parent_sandbox_files(struct parent *parent)
{
	(void)parent;
}

void
__wrap_privs_drop(struct parent *parent)
{
	(void)parent;
}

void
__wrap_privs_prepare(struct parent *parent)
{
	(void)parent;
}

void
__wrap_spawn_open_programs(struct parent *parent)
{
	int role;

	for (role = 0; role < ROLE_MAX; role++)
		parent->programs[role].fd = parent->programs[role].before = -1;
}

/* Always the same, so that a run can be had again. */
ssize_t
__wrap_getrandom(void *buf, size_t len, unsigned flags)
{
	(void)flags;
	memset(buf, 0x5a, len);
	return ((ssize_t)len);
}

/* Grows whenever a channel may have something to be read. */
uint64_t
family_sent(void)
{
	return (sent);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	sent++;
	return (__real_sendmsg(fd, msg, flags));
}

int
__wrap_socketpair(int domain, int type, int protocol, int pair[2])
{
	int r;

	r = __real_socketpair(domain, type, protocol, pair);
	if (r == 0 && (type & 0xf) == SOCK_SEQPACKET)
		memcpy(logs, pair, sizeof(logs));
	else if (r == 0)
		memcpy(pairs, pair, sizeof(pairs));
	return (r);
}

int
__wrap_pipe2(int pair[2], int flags)
{
	int r;

	r = __real_pipe2(pair, flags);
	if (r == 0)
		memcpy(words, pair, sizeof(words));
	return (r);
}

/* A child is born: it has the other ends of what was made for it. */
pid_t
__wrap_fork(void)
{
	return (children_born(pairs[1], logs[1], words[1]));
}

/* The programs are what they were. */
int
__wrap_spawn_open_again(struct parent *parent)
{
	(void)parent;
	return (0);
}

int
__wrap_kill(pid_t pid, int sig)
{
	REQUIRE(sig == SIGKILL);
	child_killed(pid);
	return (0);
}
