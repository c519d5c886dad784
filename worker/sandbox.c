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
 *
 * Each row says what for; and then, what it does to an object that others hold
 * as well: the listeners (all workers and the parent), the UDP sockets (the
 * successors), the memory that the parent shares, the other ends of channels,
 * log and standard error.
 */
const struct sandbox_rule worker_sandbox_rules[] = {
	/*
	 * libev's loop; the second name is that of newer CPUs.
	 * Shared: nothing.  The list of what is watched is the worker's own.
	 * Who waits for a listener with EPOLLEXCLUSIVE stands behind those who
	 * wait without, and they are all woken.
	 */
	SANDBOX_ALLOW(epoll_wait),
	SANDBOX_ALLOW(epoll_pwait),
	SANDBOX_ALLOW(epoll_ctl),

	/*
	 * Sessions, and packets of other workers: one read a burst.  Channels,
	 * which bring descriptors too.  UDP.
	 * Shared: nothing but what has come in, which is this worker's to take;
	 * a listener has nothing to read.
	 */
	SANDBOX_ALLOW(recvfrom),
	SANDBOX_ALLOW(readv),
	SANDBOX_ALLOW(recvmsg),
	SANDBOX_ALLOW(recvmmsg),

	/*
	 * UDP, sessions, channels, the log.
	 * Shared: a listener sends nothing, and MSG_FASTOPEN connects only a
	 * stream socket that is not connected, of which there is none as long
	 * as nobody can end a listener or dissolve a connection.  A check that
	 * there is no such flag would cost 20 ns a call.  In a UDP socket stay
	 * what MSG_MORE has begun and errors that were asked for with
	 * SO_TIMESTAMPING: the parent drops both before a successor has it
	 * (parent/listen_check.c).  A descriptor that goes along is closed by
	 * whoever is no accomplice.
	 */
	SANDBOX_ALLOW(sendmmsg),
	SANDBOX_ALLOW(sendto),
	SANDBOX_ALLOW(sendmsg),

	/*
	 * Sessions begin.
	 * Shared: takes a connection off a queue that is for all workers.  That
	 * is what it is for; how many, nobody can tell a worker.
	 */
	SANDBOX_ALLOW(accept4),
	/*
	 * Sessions end.
	 * Shared: nothing, it lets go of the worker's own descriptor.  But
	 * shutdown(2) acts on the socket: it ends a listener for all, and a UDP
	 * socket for good.
	 */
	SANDBOX_ALLOW(close),

	/*
	 * Which address a UDP socket has, and whether IPv4 is in it; whether a
	 * slow reader makes progress.
	 * Shared: nothing, they only tell.  SO_ERROR would take an error away,
	 * and setsockopt(2) is for whoever has the socket.
	 */
	SANDBOX_ALLOW(getsockname),
	SANDBOX_ALLOW2(getsockopt, SANDBOX_IS(1, IPPROTO_IPV6),
	    SANDBOX_IS(2, IPV6_V6ONLY)),
	SANDBOX_ALLOW2(
	    getsockopt, SANDBOX_IS(1, IPPROTO_TCP), SANDBOX_IS(2, TCP_INFO)),

	/*
	 * malloc; the shared memory that the parent sends; never to execute.
	 * Shared: the peer map is sealed against whoever would write it.  The
	 * page of counters is the worker's to write; the parent takes it for
	 * numbers that may be lies.  MADV_DONTNEED lets go of a mapping's pages
	 * and leaves what is in them; MADV_REMOVE would not.
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
	 * The clocks, should the vDSO not answer by itself.  libsodium: keys of
	 * hash tables, masks.
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
	 * Shared: nothing.  A signal reaches the worker alone, and so does what
	 * fills its standard error: that is a pipe of its own, at whose other
	 * end the parent takes no more than text (parent/logfd.c).
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

const size_t worker_sandbox_nrules =
    sizeof(worker_sandbox_rules) / sizeof(worker_sandbox_rules[0]);

void
worker_sandbox(void)
{
	sandbox_enter(worker_sandbox_rules, worker_sandbox_nrules);
}
