/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/socket.h>

#include <limits.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "common/landlock.h"
#include "parent/resolver.h"

#define RESOLVER_DNS 53 /* port, for answers that no datagram holds */

/* What getaddrinfo(3) reads, and the modules that it loads. */
static const char *const resolver_files[] = {
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/ld.so.cache",
	"/etc/nsswitch.conf",
	"/etc/protocols",
	"/etc/resolv.conf",
	"/etc/services",
	"/lib",
	"/lib64",
	"/usr/lib",
	"/usr/lib64",
};

/*
 * How a library looks up a name: by files, by datagrams and, for long answers,
 * TCP, by a local service; the last check is which addresses we have
 * ourselves (netlink).
 */
const struct sandbox_rule resolver_sandbox_rules[] = {
	/* files and modules; which, Landlock decides */
	SANDBOX_ALLOW(access),
	SANDBOX_ALLOW(close),
	SANDBOX_ALLOW(faccessat),
	SANDBOX_ALLOW(fcntl),
	SANDBOX_ALLOW(fstat),
	SANDBOX_ALLOW(lseek),
	SANDBOX_ALLOW(newfstatat),
	SANDBOX_ALLOW(openat),
	SANDBOX_ALLOW(pread64),
	SANDBOX_ALLOW(read),
	SANDBOX_ALLOW(readlink),
	SANDBOX_ALLOW(readlinkat),
	SANDBOX_ALLOW(statfs),
	SANDBOX_ALLOW(uname),

	/* questions and answers */
	SANDBOX_ALLOW(bind),
	SANDBOX_ALLOW(connect),
	SANDBOX_ALLOW(getpeername),
	SANDBOX_ALLOW(getsockname),
	SANDBOX_ALLOW(getsockopt),
	SANDBOX_ALLOW(ioctl),
	SANDBOX_ALLOW(poll),
	SANDBOX_ALLOW(ppoll),
	SANDBOX_ALLOW(recvfrom),
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW(sendmmsg),
	SANDBOX_ALLOW(sendmsg),
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(setsockopt),
	SANDBOX_ALLOW1(socket, SANDBOX_IS(0, AF_INET)),
	SANDBOX_ALLOW1(socket, SANDBOX_IS(0, AF_INET6)),
	SANDBOX_ALLOW1(socket, SANDBOX_IS(0, AF_NETLINK)),
	SANDBOX_ALLOW1(socket, SANDBOX_IS(0, AF_UNIX)),
	SANDBOX_ALLOW(write),
	SANDBOX_ALLOW(writev),

	/* a local service may be asked through a loop of its own */
	SANDBOX_ALLOW(epoll_create1),
	SANDBOX_ALLOW(epoll_ctl),
	SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(eventfd2),

	/* memory */
	SANDBOX_ALLOW(brk),
	SANDBOX_ALLOW(madvise),
	SANDBOX_ALLOW(mmap),
	SANDBOX_ALLOW(mprotect),
	SANDBOX_ALLOW(mremap),
	SANDBOX_ALLOW(munmap),

	/* who and when we are, chance, signals, the end */
	SANDBOX_ALLOW(clock_gettime),
	SANDBOX_ALLOW(futex),
	SANDBOX_ALLOW(getegid),
	SANDBOX_ALLOW(geteuid),
	SANDBOX_ALLOW(getgid),
	SANDBOX_ALLOW(getpid),
	SANDBOX_ALLOW(getrandom),
	SANDBOX_ALLOW(gettid),
	SANDBOX_ALLOW(gettimeofday),
	SANDBOX_ALLOW(getuid),
	SANDBOX_ALLOW(prlimit64),
	SANDBOX_ALLOW(restart_syscall),
	SANDBOX_ALLOW(rt_sigaction),
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(rt_sigreturn),
	SANDBOX_ALLOW(sysinfo),
	SANDBOX_ALLOW(exit_group),
};

const size_t resolver_sandbox_nrules =
    sizeof(resolver_sandbox_rules) / sizeof(resolver_sandbox_rules[0]);

/*
 * Of all files only these.  The one with the servers' addresses is often a
 * link to where another program writes it.
 */
void
resolver_sandbox_files(void)
{
	char path[PATH_MAX];
	int ruleset;
	size_t i;

	ruleset = landlock_new(0);
	for (i = 0; i < sizeof(resolver_files) / sizeof(resolver_files[0]); i++)
		if (realpath(resolver_files[i], path) != NULL)
			landlock_allow(ruleset, path, LANDLOCK_READ);
	landlock_allow_connect(ruleset, RESOLVER_DNS);
	landlock_enter(ruleset);
}
