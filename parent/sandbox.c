/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>

#include "parent/sandbox.h"

#define CLONE_NAMESPACES                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define SOCK_TYPE 0xf /* the other bits are flags */

/*
 * Wide: the children start under it, and what they start with (the dynamic
 * loader, libev, a change of ids, their own sandbox) has to pass.  A child's
 * own table allows nothing that this one does not, and what comes with every
 * packet has no checks here either.
 */
const struct sandbox_rule parent_sandbox_rules[] = {
	/* libev's loop, in all programs; its signals */
	SANDBOX_ALLOW(epoll_create1),
	SANDBOX_ALLOW(epoll_ctl),
	SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(eventfd2),
	SANDBOX_ALLOW(rt_sigaction),
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(rt_sigreturn),

	/* a system call that a stop and a continue had interrupted */
	SANDBOX_ALLOW(restart_syscall),

	/*
	 * whether standard error or syslog takes a line; the second name is
	 * that of newer CPUs
	 */
	SANDBOX_ALLOW(poll),
	SANDBOX_ALLOW(ppoll),

	/* channels, logs, control clients; sessions and UDP in workers */
	SANDBOX_ALLOW(accept4),
	SANDBOX_ALLOW(close),
	SANDBOX_ALLOW(getsockname),
	SANDBOX_ALLOW(getsockopt),
	SANDBOX_ALLOW(read),
	SANDBOX_ALLOW(readv),
	SANDBOX_ALLOW(recvfrom),
	SANDBOX_ALLOW(recvmmsg),
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW(sendmmsg),
	SANDBOX_ALLOW(sendmsg),
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(shutdown),
	SANDBOX_ALLOW(socketpair),
	SANDBOX_ALLOW(write),
	SANDBOX_ALLOW(writev),

	/* further UDP sockets for gossip; syslog when that has restarted */
	SANDBOX_ALLOW1(socket, SANDBOX_IS(0, AF_UNIX)),
	SANDBOX_ALLOW2(
	    socket, SANDBOX_IS(0, AF_INET), { 1, SOCK_TYPE, SOCK_DGRAM }),
	SANDBOX_ALLOW2(
	    socket, SANDBOX_IS(0, AF_INET6), { 1, SOCK_TYPE, SOCK_DGRAM }),
	/* the registry; at which port, Landlock decides */
	SANDBOX_ALLOW2(
	    socket, SANDBOX_IS(0, AF_INET), { 1, SOCK_TYPE, SOCK_STREAM }),
	SANDBOX_ALLOW2(
	    socket, SANDBOX_IS(0, AF_INET6), { 1, SOCK_TYPE, SOCK_STREAM }),
	SANDBOX_ALLOW(bind),
	SANDBOX_ALLOW(connect),
	/* a listener that does not listen any more */
	SANDBOX_ALLOW(listen),
	SANDBOX_ALLOW(setsockopt),

	/* configuration and keys at reload, the loader; which files, Landlock
	 * decides */
	SANDBOX_ALLOW(access),
	SANDBOX_ALLOW(faccessat),
	SANDBOX_ALLOW(fcntl),
	SANDBOX_ALLOW(fstat),
	SANDBOX_ALLOW(lseek),
	SANDBOX_ALLOW(newfstatat),
	SANDBOX_ALLOW(openat),
	SANDBOX_ALLOW(pread64),
	/* cache of keys and blocks, in the place of older ones */
	SANDBOX_ALLOW(rename),
	SANDBOX_ALLOW(renameat),
	/* the control socket, at the end */
	SANDBOX_ALLOW(unlink),
	SANDBOX_ALLOW(unlinkat),

	/* memory: malloc, counters pages, the loader */
	SANDBOX_ALLOW(brk),
	SANDBOX_ALLOW(ftruncate),
	SANDBOX_ALLOW(madvise),
	SANDBOX_ALLOW(memfd_create),
	SANDBOX_ALLOW(mmap),
	SANDBOX_ALLOW(mprotect),
	SANDBOX_ALLOW(mremap),
	SANDBOX_ALLOW(munmap),
	/* qsort(3) asks how much there is */
	SANDBOX_ALLOW(sysinfo),

	/* children: started, ended, reaped */
	SANDBOX_ALLOW1(clone, { 0, CLONE_NAMESPACES, 0 }),
	SANDBOX_ALLOW1(execveat, SANDBOX_IS(4, AT_EMPTY_PATH)),
	SANDBOX_ALLOW(close_range),
	SANDBOX_ALLOW(dup2),
	SANDBOX_ALLOW(dup3),
	SANDBOX_ALLOW(kill),
	SANDBOX_ALLOW(pipe2),
	SANDBOX_ALLOW(wait4),
	/* whether those live that another parent has started */
	SANDBOX_ALLOW(pidfd_open),

	/* what every program begins with */
	SANDBOX_ALLOW(arch_prctl),
	SANDBOX_ALLOW(prlimit64),
	SANDBOX_ALLOW(rseq),
	SANDBOX_ALLOW(set_robust_list),
	SANDBOX_ALLOW(set_tid_address),

	/* what a child gives up */
	SANDBOX_ALLOW(capset),
	SANDBOX_ALLOW(chdir),
	SANDBOX_ALLOW(chroot),
	SANDBOX_ALLOW(landlock_create_ruleset),
	SANDBOX_ALLOW(landlock_restrict_self),
	SANDBOX_ALLOW(prctl),
	SANDBOX_ALLOW(seccomp),
	SANDBOX_ALLOW(setgroups),
	SANDBOX_ALLOW(setresgid),
	SANDBOX_ALLOW(setresuid),

	/* who and when we are; how much of a CPU a child has used; memory */
	SANDBOX_ALLOW(clock_getres),
	SANDBOX_ALLOW(clock_gettime),
	SANDBOX_ALLOW(getegid),
	SANDBOX_ALLOW(geteuid),
	SANDBOX_ALLOW(getgid),
	SANDBOX_ALLOW(getpid),
	SANDBOX_ALLOW(getppid),
	SANDBOX_ALLOW(getrandom),
	SANDBOX_ALLOW1(getrusage, SANDBOX_IS(0, RUSAGE_SELF)),
	SANDBOX_ALLOW(gettid),
	SANDBOX_ALLOW(getuid),

	/* abort(), once-only initialisation, the end */
	SANDBOX_ALLOW(futex),
	SANDBOX_ALLOW(tgkill),
	SANDBOX_ALLOW(exit_group),

	/* what libraries try and can do without */
	SANDBOX_DENY(clone3, ENOSYS),
	SANDBOX_DENY(ioctl, ENOTTY),
	SANDBOX_DENY(readlink, EACCES),
	SANDBOX_DENY(readlinkat, EACCES),
	SANDBOX_DENY(statx, ENOSYS),
};

const size_t parent_sandbox_nrules =
    sizeof(parent_sandbox_rules) / sizeof(parent_sandbox_rules[0]);
