/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>

#include <errno.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <unistd.h>

#include "auth/sandbox.h"

#define MAP_ALLOWED (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define FUTEX_OPS   (FUTEX_WAIT | FUTEX_WAKE | FUTEX_PRIVATE_FLAG)

/* All that auth does once it is confined. */
const struct sandbox_rule auth_sandbox_rules[] = {
	/* libev's loop; the second name is that of newer CPUs */
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/* channels, which bring descriptors too */
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW(sendmsg),
	SANDBOX_ALLOW(close),
	/* the log */
	SANDBOX_ALLOW(sendto),

	/* the key file, which the parent has opened */
	SANDBOX_ALLOW(read),

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

	/* libsodium: nonces, keys of hash tables */
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

const size_t auth_sandbox_nrules =
    sizeof(auth_sandbox_rules) / sizeof(auth_sandbox_rules[0]);

void
auth_sandbox(void)
{
	sandbox_enter(auth_sandbox_rules, auth_sandbox_nrules);
}
