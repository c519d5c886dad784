/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <unistd.h>

#include "auth/sandbox.h"

#define MAP_ALLOWED (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define FUTEX_OPS   (FUTEX_WAIT | FUTEX_WAKE | FUTEX_PRIVATE_FLAG)

/*
 * All that auth does once it is confined.  Each row says what for; and then,
 * what it does to an object that others hold as well: the memory that the
 * parent shares, the other ends of channels, log and standard error.
 */
const struct sandbox_rule auth_sandbox_rules[] = {
	/*
	 * libev's loop; the second name is that of newer CPUs.
	 * Shared: nothing.  The list of what is watched is auth's own.
	 */
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/*
	 * Channels, which bring descriptors too; the log.
	 * Shared: nothing.  Neither flags nor addresses with which a socket
	 * could be opened or connected, nor shutdown(2).  A descriptor that
	 * goes along is closed by whoever is no accomplice.
	 */
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW1(sendmsg, SANDBOX_BITS(2, MSG_NOSIGNAL)),
	SANDBOX_ALLOW2(sendto, SANDBOX_BITS(3, MSG_DONTWAIT | MSG_NOSIGNAL),
	    SANDBOX_IS(4, 0)),
	SANDBOX_ALLOW(close),

	/*
	 * The key file, which the parent has opened.
	 * Shared: nothing.  The parent has it opened anew each time, so not
	 * even the place in it is anybody else's.
	 */
	SANDBOX_ALLOW(read),

	/*
	 * malloc; the shared memory that the parent sends; never to execute.
	 * Shared: the peer map is sealed against whoever would write it.  The
	 * page of counters is auth's to write; the parent takes it for numbers
	 * that may be lies.  MADV_DONTNEED lets go of a mapping's pages and
	 * leaves what is in them; MADV_REMOVE would not.
	 */
	SANDBOX_ALLOW(brk),
	SANDBOX_ALLOW2(mmap, SANDBOX_BITS(2, PROT_READ | PROT_WRITE),
	    SANDBOX_BITS(3, MAP_ALLOWED)),
	SANDBOX_ALLOW1(mprotect, SANDBOX_BITS(2, PROT_READ | PROT_WRITE)),
	SANDBOX_ALLOW1(mremap, SANDBOX_IS(3, MREMAP_MAYMOVE)),
	SANDBOX_ALLOW(munmap),
	SANDBOX_ALLOW1(madvise, SANDBOX_IS(2, MADV_DONTNEED)),
	SANDBOX_ALLOW1(madvise, SANDBOX_IS(2, MADV_HUGEPAGE)),

	/*
	 * The size of what the parent sends, see common/fdstat.c.
	 * Shared: nothing, it only tells.
	 */
	SANDBOX_ALLOW(fstat),

	/*
	 * The clocks, should the vDSO not answer by itself.  libsodium: nonces,
	 * keys of hash tables.
	 * Shared: nothing.
	 */
	SANDBOX_ALLOW(clock_gettime),
	SANDBOX_ALLOW(getrandom),

	/*
	 * Once-only initialisation within libc wakes who might wait.
	 * Shared: could wake who waits in shared memory; nobody does.
	 */
	SANDBOX_ALLOW1(futex, SANDBOX_BITS(1, FUTEX_OPS)),

	/*
	 * abort() must look like abort, and with its last words.
	 * Shared: nothing.  A signal reaches auth alone, and so does what fills
	 * its standard error: that is a pipe of its own, at whose other end the
	 * parent takes no more than text (parent/logfd.c).
	 */
	SANDBOX_ALLOW(rt_sigprocmask),
	SANDBOX_ALLOW(getpid),
	SANDBOX_ALLOW(gettid),
	SANDBOX_ALLOW1(tgkill, { 0, UINT32_MAX, SANDBOX_OWN_PID }),
	SANDBOX_ALLOW1(write, SANDBOX_IS(0, STDERR_FILENO)),
	SANDBOX_ALLOW1(writev, SANDBOX_IS(0, STDERR_FILENO)),

	/* The end.  Shared: nothing, as with close. */
	SANDBOX_ALLOW(exit_group),

	/*
	 * What libraries try and can do without: time zones, terminals, size
	 * of the machine; a path for fstat(2).
	 */
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
