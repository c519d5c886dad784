/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_SANDBOX_CHILD_H
#define COMMON_SANDBOX_CHILD_H

#include <sys/mman.h>
#include <sys/resource.h>

#include <linux/futex.h>
#include <seccomp.h>
#include <unistd.h>

#include "common/sandbox.h"

/* malloc asks for huge pages if glibc.malloc.hugetlb says so. */
#define SANDBOX_HUGE  (MAP_HUGETLB | (uint32_t)MAP_HUGE_MASK << MAP_HUGE_SHIFT)
#define SANDBOX_MAP   (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | \
			MAP_NORESERVE | SANDBOX_HUGE)
#define SANDBOX_FUTEX (FUTEX_WAIT | FUTEX_WAKE | FUTEX_PRIVATE_FLAG)

/*
 * The rows that every child's table ends with.  Each says what for; and then,
 * what it does to an object that others hold as well.
 */
/* clang-format off */
#define SANDBOX_CHILD_ROWS \
	/* \
	 * malloc; the shared memory that the parent sends; never to execute. \
	 * Shared: the peer map is sealed against whoever would write it.  The \
	 * page of counters is the child's to write; the parent takes it for \
	 * numbers that may be lies.  A window is the router's as well, and \
	 * nobody looks at what is in it.  MADV_DONTNEED lets go of the pages \
	 * of a mapping and leaves what is in them; MADV_REMOVE would not. \
	 */ \
	SANDBOX_ALLOW(brk), \
	SANDBOX_ALLOW2(mmap, SANDBOX_BITS(2, PROT_READ | PROT_WRITE), \
	    SANDBOX_BITS(3, SANDBOX_MAP)), \
	SANDBOX_ALLOW1(mprotect, SANDBOX_BITS(2, PROT_READ | PROT_WRITE)), \
	SANDBOX_ALLOW1(mremap, SANDBOX_IS(3, MREMAP_MAYMOVE)), \
	SANDBOX_ALLOW(munmap), \
	SANDBOX_ALLOW1(madvise, SANDBOX_IS(2, MADV_DONTNEED)), \
	SANDBOX_ALLOW1(madvise, SANDBOX_IS(2, MADV_HUGEPAGE)), \
 \
	/* \
	 * The size of what the parent sends, see common/fdstat.c. \
	 * Shared: nothing, it only tells. \
	 */ \
	SANDBOX_ALLOW(fstat), \
 \
	/* \
	 * The clocks, should the vDSO not answer by itself.  libsodium: \
	 * nonces, keys of hash tables, masks. \
	 * Shared: nothing. \
	 */ \
	SANDBOX_ALLOW(clock_gettime), \
	SANDBOX_ALLOW(getrandom), \
 \
	/* \
	 * How much memory it has, for metrics. \
	 * Shared: nothing. \
	 */ \
	SANDBOX_ALLOW1(getrusage, SANDBOX_IS(0, RUSAGE_SELF)), \
 \
	/* \
	 * Once-only initialisation within libc wakes who might wait. \
	 * Shared: could wake who waits in shared memory; nobody does. \
	 */ \
	SANDBOX_ALLOW1(futex, SANDBOX_BITS(1, SANDBOX_FUTEX)), \
 \
	/* \
	 * abort() must look like abort, and with its last words. \
	 * Shared: nothing.  A signal reaches the child alone, and so does \
	 * what fills its standard error: that is a pipe of its own, at whose \
	 * other end the parent takes no more than text (parent/logfd.c). \
	 */ \
	SANDBOX_ALLOW(rt_sigprocmask), \
	SANDBOX_ALLOW(getpid), \
	SANDBOX_ALLOW(gettid), \
	SANDBOX_ALLOW1(tgkill, { 0, UINT32_MAX, SANDBOX_OWN_PID }), \
	SANDBOX_ALLOW1(write, SANDBOX_IS(0, STDERR_FILENO)), \
	SANDBOX_ALLOW1(writev, SANDBOX_IS(0, STDERR_FILENO)), \
 \
	/* The end.  Shared: nothing, as with close. */ \
	SANDBOX_ALLOW(exit_group), \
 \
	/* \
	 * What libraries try and can do without: time zones, terminals, size \
	 * of the machine; a path for fstat(2). \
	 */ \
	SANDBOX_DENY(openat, EACCES), \
	SANDBOX_DENY(newfstatat, EACCES), \
	SANDBOX_DENY(ioctl, ENOTTY), \
	SANDBOX_DENY(sysinfo, ENOSYS),
/* clang-format on */

#endif /* COMMON_SANDBOX_CHILD_H */
