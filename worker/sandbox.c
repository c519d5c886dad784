/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <unistd.h>

#include "worker/sandbox.h"

#define MAP_ALLOWED (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define FUTEX_OPS   (FUTEX_WAIT | FUTEX_WAKE | FUTEX_PRIVATE_FLAG)

/*
 * All that a worker does once it is confined.  What comes with every packet
 * stands without checks: for such a call the kernel keeps the answer and does
 * not run the filter again.
 */
const struct sandbox_rule worker_sandbox_rules[] = {
	/* libev's loop; the second name is that of newer CPUs */
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/* sessions, and packets of other workers: one read a burst */
	SANDBOX_ALLOW(recvfrom),
	SANDBOX_ALLOW(readv),
	/* channels, which bring descriptors too */
	SANDBOX_ALLOW(recvmsg),
	/* UDP */
	SANDBOX_ALLOW(recvmmsg),
	SANDBOX_ALLOW(sendmmsg),
	/* sessions, channels, UDP, the log */
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(sendmsg),

	/* sessions begin and end */
	SANDBOX_ALLOW(accept4),
	SANDBOX_ALLOW(shutdown),
	SANDBOX_ALLOW(close),

	/* which address a UDP socket has, and whether IPv4 is in it */
	SANDBOX_ALLOW(getsockname),
	SANDBOX_ALLOW2(getsockopt, SANDBOX_IS(1, IPPROTO_IPV6),
	    SANDBOX_IS(2, IPV6_V6ONLY)),
	/* whether a slow reader makes progress */
	SANDBOX_ALLOW2(
	    getsockopt, SANDBOX_IS(1, IPPROTO_TCP), SANDBOX_IS(2, TCP_INFO)),

	/* malloc; the shared memory that the parent sends; never to execute */
	SANDBOX_ALLOW(brk),
	SANDBOX_ALLOW2(mmap, SANDBOX_BITS(2, PROT_READ | PROT_WRITE),
	    SANDBOX_BITS(3, MAP_ALLOWED)),
	SANDBOX_ALLOW1(mprotect, SANDBOX_BITS(2, PROT_READ | PROT_WRITE)),
	SANDBOX_ALLOW1(mremap, SANDBOX_IS(3, MREMAP_MAYMOVE)),
	SANDBOX_ALLOW(munmap),
	SANDBOX_ALLOW1(madvise, SANDBOX_IS(2, MADV_DONTNEED)),
	SANDBOX_ALLOW1(madvise, SANDBOX_IS(2, MADV_HUGEPAGE)),

	/* the size of what the parent sends, see common/fstat.c */
	SANDBOX_ALLOW(fstat),

	/* the clocks, should the vDSO not answer by itself */
	SANDBOX_ALLOW(clock_gettime),

	/* libsodium: keys of hash tables, masks */
	SANDBOX_ALLOW(getrandom),

	/* once-only initialisation within libc wakes who might wait */
	SANDBOX_ALLOW1(futex, SANDBOX_BITS(1, FUTEX_OPS)),

	/* abort() must look like abort, and with its last words */
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(getpid),
	SANDBOX_ALLOW(gettid),
	SANDBOX_ALLOW1(tgkill, { 0, UINT32_MAX, SANDBOX_OWN_PID }),
	SANDBOX_ALLOW1(write, SANDBOX_IS(0, STDERR_FILENO)),
	SANDBOX_ALLOW1(writev, SANDBOX_IS(0, STDERR_FILENO)),

	/* the end */
	SANDBOX_ALLOW(exit_group),

	/* what libraries try and can do without: time zones, terminals, size
	 * of the machine; a path for fstat(2) */
	SANDBOX_DENY(openat, EACCES),
	SANDBOX_DENY(newfstatat, EACCES),
	SANDBOX_DENY(ioctl, ENOTTY),
	SANDBOX_DENY(sysinfo, ENOSYS),
};

const size_t worker_sandbox_nrules =
    sizeof(worker_sandbox_rules) / sizeof(worker_sandbox_rules[0]);

void
worker_sandbox(void)
{
	sandbox_enter(worker_sandbox_rules, worker_sandbox_nrules);
}
