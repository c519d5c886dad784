/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/attributes.h"
#include "common/log.h"
#include "parent/resolve.h"
#include "parent/resolver.h"

#define RESOLVER_FD 3 /* to the parent */

static void
resolver_limit(int resource)
{
	struct rlimit rl;

	rl.rlim_cur = rl.rlim_max = 0;
	(void)setrlimit((__rlimit_resource_t)resource, &rl);
}

/* Nothing is left that this process would not have as anybody. */
static int
resolver_give_up(void)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(&header, 0, sizeof(header));
	memset(data, 0, sizeof(data));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	resolver_limit(RLIMIT_CORE);
	resolver_limit(RLIMIT_FSIZE);
	if (syscall(SYS_capset, &header, data) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return (-1);
#ifndef SANITIZED
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		return (-1);
#endif
	return (0);
}

static void
resolver_add(struct resolve_answer *answer, const struct sockaddr *sa)
{
	if (answer->count == RESOLVE_ADDRESSES ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return;
	(void)address_of(sa, answer->addr[answer->count++]);
}

static void
resolver_ask(const char *name, struct resolve_answer *answer)
{
	struct addrinfo hints, *list, *one;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	answer->error = getaddrinfo(name, NULL, &hints, &list);
	if (answer->error != 0)
		return;
	for (one = list; one != NULL; one = one->ai_next)
		resolver_add(answer, one->ai_addr);
	if (answer->count == 0)
		answer->error = EAI_NONAME;
}

/* In the process that is for this name alone; out: a pipe. */
static void resolver_lookup(const struct resolve_request *, int out)
    __attribute__((noreturn));

static void
resolver_lookup(const struct resolve_request *request, int out)
{
	struct resolve_answer answer;

	memset(&answer, 0, sizeof(answer));
	answer.user = request->user;
	answer.serial = request->serial;
	/* Should the resolver have ended meanwhile, nobody reads the pipe. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	resolver_limit(RLIMIT_NPROC);
	resolver_sandbox_files();
	sandbox_enter(resolver_sandbox_rules, resolver_sandbox_nrules);
	resolver_ask(request->name, &answer);
	if (write(out, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
		_exit(1);
	_exit(0);
}

/*
 * Waits for the answer of the process at the other end of the pipe.  Returns
 * 0, or -1: there will be none in time.
 */
static int
resolver_wait(int in, int seconds, struct resolve_answer *answer)
{
	struct pollfd fds[2];

	memset(fds, 0, sizeof(fds));
	fds[0].fd = in;
	fds[0].events = POLLIN;
	fds[1].fd = RESOLVER_FD;
	fds[1].events = POLLRDHUP;
	if (poll(fds, 2, seconds * 1000) <= 0)
		return (-1);
	if (fds[1].revents != 0)
		_exit(0);
	return (read(in, answer, sizeof(*answer)) == (ssize_t)sizeof(*answer)
		    ? 0
		    : -1);
}

/* One name, by a process of its own. */
static void
resolver_serve(const struct resolve_request *request, int seconds)
{
	struct resolve_answer answer;
	int result, pair[2];
	pid_t pid;

	result = -1;
	pid = -1;
	if (pipe2(pair, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0)
			resolver_lookup(request, pair[1]);
		(void)close(pair[1]);
		if (pid != -1)
			result = resolver_wait(pair[0], seconds, &answer);
		(void)close(pair[0]);
	}
	if (pid != -1) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	if (result == -1) {
		memset(&answer, 0, sizeof(answer));
		answer.error = EAI_AGAIN;
	}
	/* Whatever that process may have written there. */
	answer.user = request->user;
	answer.serial = request->serial;
	if (send(RESOLVER_FD, &answer, sizeof(answer), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(answer))
		_exit(0);
}

static void resolver_run(int, int, int) __attribute__((noreturn));

static void
resolver_run(int fd, int devnull, int seconds)
{
	struct resolve_request request;
	int i;

	for (i = 0; i < RESOLVER_FD; i++)
		if (dup2(devnull, i) == -1)
			_exit(1);
	if (fd != RESOLVER_FD && dup2(fd, RESOLVER_FD) == -1)
		_exit(1);
	if (attributes_close_above(RESOLVER_FD) == -1 ||
	    resolver_give_up() == -1)
		_exit(1);
	/* A terminal's signals are for the parent; its end is ours. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	while (recv(RESOLVER_FD, &request, sizeof(request), 0) ==
	       (ssize_t)sizeof(request)) {
		request.name[sizeof(request.name) - 1] = '\0';
		resolver_serve(&request, seconds);
	}
	_exit(0);
}

/*
 * Starts the resolver: before the caller holds a secret, and before it is
 * confined.  seconds: that one name may take.  Returns the caller's end, or -1
 * with errno.
 */
int
resolver_start(int devnull, int seconds)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return (-1);
	pid = fork();
	if (pid == 0)
		resolver_run(pair[1], devnull, seconds);
	(void)close(pair[1]);
	if (pid == -1) {
		(void)close(pair[0]);
		return (-1);
	}
	return (pair[0]);
}
